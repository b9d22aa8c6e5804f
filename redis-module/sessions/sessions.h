/* sessions -- a session set: who is connected, as a list of connections with leases.
 *
 * A connection belongs to one session. It is live until its lease passes: from that millisecond on
 * it is gone for everyone who asks with a clock (now_ms), and it stays stored until it is removed.
 * Connections of one session stand next to each other in the order of opening, sessions in the
 * order of their first connection, so that sessions are counted in one walk; a connection id occurs
 * once in a set.
 *
 * No clock, no Redis and no publishing in here. What a command does to a set, and what that means
 * to others, is sessions_plan.h's. */
#ifndef SESSIONS_H
#define SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mover.h"
#include "base/text_buf.h"
#include "sessions/sessions_types.h"

struct sessions_counts {
    size_t sessions;
    size_t connections;
};

/* An empty set of revision 0. NULL: no memory. */
struct sessions *sessions_new(void);
struct sessions *sessions_copy(const struct sessions *set); /* deep */
/* NULL is accepted. Safe in any thread. */
void sessions_free(struct sessions *set);

/* A number that the commands raise with every connection that comes or goes. */
uint64_t sessions_rev(const struct sessions *set);
void sessions_set_rev(struct sessions *set, uint64_t rev);

/* Connections that are stored, live or not. */
size_t sessions_length(const struct sessions *set);
/* The time at which the last one is gone; 0 for an empty set. */
uint64_t sessions_last_lease_ms(const struct sessions *set);

/* What is live at now_ms. */
struct sessions_counts sessions_count(const struct sessions *set, uint64_t now_ms);
size_t sessions_connections_of(const struct sessions *set, struct notify_str session,
                               uint64_t now_ms);

/* Walks the connections that are live at now_ms. Texts are borrowed until the set changes. */
struct sessions_iter {
    const struct sessions *set; /* may be NULL: nothing */
    uint32_t at;                /* index of the next one */
    uint64_t now_ms;
};
#define SESSIONS_ITER(the_set, the_now_ms)                                                         \
    ((struct sessions_iter){.set = (the_set), .at = 0, .now_ms = (the_now_ms)})
bool sessions_iter_next(struct sessions_iter *iter, struct sessions_connection *ret_connection);

/* Whatever its lease. *ret_connection may be NULL. */
bool sessions_find(const struct sessions *set, struct notify_str connection,
                   struct sessions_connection *ret_connection);

/* Adds a connection behind the others of its session, or replaces the one of this id in its place.
 * 0: added, 1: replaced; -EINVAL: not sound, -EEXIST: the connection belongs to another session,
 * -ENOSPC: the set is full, -ENOMEM. On failure nothing has changed. */
int sessions_put(struct sessions **set, const struct sessions_connection *connection);

/* False: there is no such connection. lease_ms: 1 to SESSIONS_TIME_MAX. */
bool sessions_set_lease(struct sessions *set, struct notify_str connection, uint64_t lease_ms);
bool sessions_remove(struct sessions *set, struct notify_str connection);

/* Does everything hold that this header promises? For tests. */
bool sessions_verify(const struct sessions *set);

/* ---- bytes ---- */

/* Appends the set as bytes (out->failed tells about lack of memory). */
void sessions_save(const struct sessions *set, struct text_buf *out);

/* Reads what sessions_save wrote. payload comes from anywhere: everything is checked. NULL: it was
 * refused, and *ret_why (static text) says why. */
struct sessions *sessions_load(struct notify_str payload, const char **ret_why);

/* ---- memory ---- */

size_t sessions_bytes(const struct sessions *set);       /* of all allocations */
size_t sessions_allocations(const struct sessions *set); /* effort to free */

/* Hands allocations to the mover (see there). */
bool sessions_move(struct sessions **set, const struct mover *mover, unsigned long *cursor);

#endif
