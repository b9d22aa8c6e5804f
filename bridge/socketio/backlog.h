/* backlog -- what a client has said by POSTs, as far as its session has not looked at it. Private
 * to socketio/. */
#ifndef BACKLOG_H
#define BACKLOG_H

#include <stdbool.h>
#include <stddef.h>

#include "notify_str.h"
#include "socketio/parcel.h"

/* All zero: nothing. */
struct backlog {
    struct parcel payloads; /* with separators between them */
    size_t at;              /* from here on */
};

/* One more payload, behind what is there; an empty one is none. */
void backlog_add(struct backlog *backlog, struct notify_str payload);
/* The next packet, which lies here until something is added. False: that was all. */
bool backlog_next(struct backlog *backlog, struct notify_str *ret_packet);
/* What is left, as a payload; empty: nothing. */
struct notify_str backlog_rest(const struct backlog *backlog);
void backlog_release(struct backlog *backlog);

#endif
