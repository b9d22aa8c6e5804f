/* heartbeat -- a timing wheel: one deadline for each of many, all on one loop timer.
 *
 * Setting and cancelling cost the same however many there are, which the loop's own timers (a heap)
 * and those of lws (a sorted list) cannot say. A deadline is late by one tick at most, or by as
 * long as it takes to serve those before it. */
#ifndef HEARTBEAT_H
#define HEARTBEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"

struct heartbeat;

/* Embedded in what has the deadline. Zeroed: not set. */
struct heartbeat_node {
    struct heartbeat_node *prev, *next;
    uint64_t due_ms;
};

/* The deadline of node has come; it is no longer set, and may be set again. */
typedef void (*heartbeat_fn)(struct heartbeat_node *node);

#define HEARTBEAT_AT_ONCE 64 /* where serving one is not much */

/* at_once: so many are served in one turn of the loop; then everything else has its turn. Short
 * ticks are no substitute: each is a wake-up. NULL: out of memory. tick_ms and at_once > 0. */
#define heartbeat_new(loop, tick_ms, at_once, fn)                                                  \
    heartbeat_new_at(loop, LOOP_PLACE(fn), tick_ms, at_once, fn)
struct heartbeat *heartbeat_new_at(struct loop *loop, const char *place, uint64_t tick_ms,
                                   unsigned at_once, heartbeat_fn fn);
/* Nodes still set are forgotten. NULL is fine. */
void heartbeat_free(struct heartbeat *heartbeat);

/* Sets or moves the deadline of node. */
void heartbeat_set(struct heartbeat *heartbeat, struct heartbeat_node *node, uint64_t after_ms);
void heartbeat_cancel(struct heartbeat *heartbeat, struct heartbeat_node *node);

static inline bool heartbeat_is_set(const struct heartbeat_node *node)
{
    return node->next != NULL;
}

/* When the first of something that comes every interval_ms (below 2^32) is due, for the nth that
 * has it: 1 to interval_ms. What has begun in the same second, as all connections do after a
 * restart, is then not due in the same one. */
uint64_t heartbeat_spread(uint64_t nth, uint64_t interval_ms);

#endif
