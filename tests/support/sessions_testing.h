/* sessions_testing -- what several tests of session sets share. Header only; each test program is
 * one translation unit. */
#ifndef SESSIONS_TESTING_H
#define SESSIONS_TESTING_H

#include <stdlib.h>
#include <string.h>

#include "sessions/sessions.h"

/* A connection with the given names, and a lease. */
static inline struct sessions_connection test_connection(const char *session,
                                                         const char *connection, uint64_t lease_ms)
{
    return (struct sessions_connection){
        .session = notify_str_z(session),
        .connection = notify_str_z(connection),
        .lease_ms = lease_ms,
        .opened_ms = 1,
    };
}

static inline bool test_connections_equal(const struct sessions_connection *a,
                                          const struct sessions_connection *b)
{
    return notify_str_eq(a->session, b->session) && notify_str_eq(a->connection, b->connection) &&
           notify_str_eq(a->node, b->node) && notify_str_eq(a->addr, b->addr) &&
           notify_str_eq(a->meta, b->meta) && a->lease_ms == b->lease_ms &&
           a->opened_ms == b->opened_ms;
}

/* The same connections in the same order, and the same revision. */
static inline bool test_sessions_equal(const struct sessions *a, const struct sessions *b)
{
    struct sessions_iter at = SESSIONS_ITER(a, SESSIONS_ALL);
    struct sessions_iter there = SESSIONS_ITER(b, SESSIONS_ALL);
    struct sessions_connection c, other;

    if (sessions_rev(a) != sessions_rev(b) || sessions_length(a) != sessions_length(b))
        return false;
    while (sessions_iter_next(&at, &c))
        if (!sessions_iter_next(&there, &other) || !test_connections_equal(&c, &other))
            return false;
    return true;
}

#endif
