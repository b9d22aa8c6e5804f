/* follow -- the tie between one client and one channel: what the client has had from it.
 *
 *                          +-- served from memory or Redis --+
 *                          |                                 v
 *   (new, resumed) --> WAITING <---- socket drained ---- BEHIND
 *                          |                                 ^
 *                          +--> LIVE -- queue overflows -----+
 *
 * A follow belongs to its client (client_follows.c frees it); the channel holds a reference to it.
 */
#ifndef FOLLOW_H
#define FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "notify_id.h"

struct batch;
struct channel;
struct client;

enum follow_state {
    FOLLOW_WAITING, /* must get what lies between pos and now before anything live */
    FOLLOW_LIVE,    /* gets what the channel gets */
    FOLLOW_BEHIND,  /* its queue was dropped at pos: waits for the client's socket to drain */
};

struct follow {
    struct client *client;   /* owner: only handed back by what is below */
    struct channel *channel; /* borrowed; it forgets us in channel_remove() */
    struct follow *next;     /* of the same client */
    struct notify_id pos;    /* the last entry that was sent or queued */
    uint32_t index;          /* in the channel's table */
    uint32_t count;          /* entries got while catching up: for the client */
    /* Under which its client says that pos was given, until it is served from there; 0: nothing is
     * said. It is to be judged unless the box has the same epoch. */
    uint32_t epoch;
    uint8_t state;
    bool from_now : 1; /* has no position yet: begins where the channel ends */
    bool in_read : 1;  /* the channel's read under way was asked for with this one in mind */
    bool gap : 1;      /* not all since pos could be had, */
    bool gap_said : 1; /* which the client has been told: what stands behind it may go out */
    bool served : 1;   /* got some of that: pos is where we have brought it to */
    bool refilled : 1; /* its queue was dropped: the client is told when it is live again */
    bool whole : 1;    /* the client gets all of it, whatever its filter: its own inbox */
    bool plain : 1;    /* what it follows is no box, but a channel or a pattern of channels */
    bool session : 1;  /* the log of a session, */
    bool picks : 1;    /* of which the client is sent the pieces of an answer and nothing else */
    bool filtered : 1; /* the client has a filter, and gets of this what that passes */
    bool untold : 1;   /* nothing has told the client the epoch yet: the next entry does */
    bool counted : 1;  /* the client's inbox was made to follow this key, too */
    bool asked : 1;    /* the client has asked for it, or for a place in it, since it came */
};

/* The epoch of the channel's box: under which the positions of those who are live are good. 0: not
 * known. */
uint32_t follow_box_epoch(const struct follow *follow);

/* The epoch that its position is of, as far as that is known. */
static inline uint32_t follow_epoch(const struct follow *follow)
{
    return follow->epoch != 0 ? follow->epoch : follow_box_epoch(follow);
}

/* Not all since its position can be had. */
static inline void follow_lose(struct follow *follow)
{
    follow->gap = true;
    follow->gap_said = false;
}

/* And its client does not know. */
static inline bool follow_owes_gap(const struct follow *follow)
{
    return follow->gap && !follow->gap_said;
}

static inline bool follow_is_judged(const struct follow *follow, uint32_t box_epoch)
{
    return follow->epoch == 0 || follow->epoch == box_epoch;
}

/* The entry id has not been sent and must be: pos stands before it. */
static inline void follow_keep_before(struct follow *follow, struct notify_id id)
{
    if (notify_id_cmp(id, follow->pos) <= 0)
        follow->pos = notify_id_before(id);
}

/* What channels tell the owners of follows. From within these nothing may be followed, resumed or
 * left, but in on_refused. */
struct follow_handlers {
    /* Events; newest: the last entry's id or 0-0. Whether all of them are sent or not, pos comes to
     * newest. Or the follow falls behind by it, which shows in its state. */
    void (*deliver)(struct follow *follow, struct batch *batch, struct notify_id newest);
    /* Two steps towards having in the cache what deliver() will look at: the owner, then, when that
     * is there, its connection. */
    void (*look_ahead)(const struct follow *follow);
    void (*look_ahead_more)(const struct follow *follow);
    void (*on_live)(struct follow *follow); /* FOLLOW_LIVE now, for the first time or again */
    void (*on_gap)(struct follow *follow);  /* entries that it was to get are gone */
    /* So they are, and those behind them are about to be delivered to one who waits. False: it has
     * fallen behind instead. */
    bool (*on_gap_ahead)(struct follow *follow);
    void (*on_refused)(struct follow *follow); /* Redis forbids its key: ends it */
};

#endif
