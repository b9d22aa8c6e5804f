/* follow -- the tie between one client and one channel: what the client has had from it.
 *
 *                          +-- served from memory or Redis --+
 *                          |                                 v
 *   (new, resumed) --> WAITING <---- socket drained ---- BEHIND
 *                          |                                 ^
 *                          +--> LIVE -- queue overflows -----+
 *
 * A follow belongs to its client (client.c frees it); the channel holds a reference to it. */
#ifndef FOLLOW_H
#define FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "notify_id.h"

struct channel;
struct client;

enum follow_state {
    FOLLOW_WAITING, /* must get what lies between pos and now before anything live */
    FOLLOW_LIVE,    /* gets what the channel gets */
    FOLLOW_BEHIND,  /* its queue was dropped at pos: waits for the client's socket to drain */
};

struct follow {
    struct client *client;   /* owner */
    struct channel *channel; /* borrowed; it forgets us in channel_remove() */
    struct follow *next;     /* of the same client */
    struct notify_id pos;    /* the last entry that was sent or queued */
    uint32_t index;          /* in the channel's table */
    uint32_t count;          /* entries got while catching up */
    uint8_t state;
    bool from_now; /* has no position yet: begins where the channel ends */
    bool in_read;  /* the channel's read under way was asked for with this one in mind */
    bool gap;      /* not all since pos could be had */
    bool lowered;  /* while its queue is dropped: pos stands before the first dropped entry */
    bool refilled; /* its queue was dropped: the client is told when it is live again */
};

#endif
