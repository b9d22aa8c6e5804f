/* reach -- to how many connections an event came when it was handed to those who follow, and what
 * became of it at the others. It is counted at that moment: what waits then may be sent, dropped or
 * read anew later. */
#ifndef REACH_H
#define REACH_H

#include <stddef.h>
#include <stdint.h>

enum reach_part {
    REACH_DELIVERED, /* its connection has taken it */
    REACH_WAITING,   /* stands in the queue of one whose socket takes no more */
    REACH_LATER,     /* comes when it is read from Redis, for one that is behind */
    /* Failures: it does not get it, or not over this connection. */
    REACH_ENDED,    /* the connection is ending */
    REACH_TOO_SLOW, /* there was no room, and it is not stored */
    REACH_NO_MEMORY,
    REACH_PARTS,
};

struct reach {
    uint32_t of[REACH_PARTS];
};

static inline void reach_add(struct reach *reach, const struct reach *more)
{
    for (size_t i = 0; i < REACH_PARTS; i++)
        reach->of[i] += more->of[i];
}

#endif
