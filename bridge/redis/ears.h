/* ears -- where the channels of keys are heard in a cluster: some links to each primary, which do
 * nothing but subscribe.
 *
 * Sets of subscriptions are told which link each slot has, and of what comes on them. In other
 * topologies there are no ears: one link hears everything. */
#ifndef EARS_H
#define EARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_str.h"

struct beacon;
struct ears;
struct loop;
struct redis_link_handlers;
struct redis_route;
struct redis_link;
struct resp;
struct subscription_handlers;
struct subscription_set;

#define EARS_PER_PRIMARY_MAX 4 /* links */
#define EARS_SETS_MAX 4
#define EARS_BEACONS_MAX 4
#define EARS_LISTENERS_MAX 4

struct ears_config {
    struct loop *loop;      /* borrowed */
    unsigned per_primary;   /* links, 1 to EARS_PER_PRIMARY_MAX */
    const uint16_t *owners; /* borrowed: which primary has each slot, or CLUSTER_NOBODY */
    /* As in subscription_lanes. */
    void (*on_refused)(void *ctx, unsigned slot, const struct resp *error);
    void (*on_taken)(void *ctx, unsigned slot);
    void (*on_up)(void *ctx); /* one more link can be used */
    void *ctx;
};

struct ears *ears_new(const struct ears_config *config);
/* Sets that are left hear nothing more. NULL is fine. */
void ears_free(struct ears *ears);

/* Owned by the caller, who may free it at any time. NULL: no memory. */
struct subscription_set *ears_new_set(struct ears *ears,
                                      const struct subscription_handlers *handlers);
/* Has on_down, before the sets are told, and on_batch_end told of each link. Borrowed for life. */
void ears_listen(struct ears *ears, const struct redis_link_handlers *handlers, void *ctx);

/* Listeners are told nothing any more: they are about to be freed. */
void ears_stop(struct ears *ears);

/* Makes the links of a primary: a number below CLUSTER_PRIMARIES_MAX, and the way there, borrowed
 * until ears_close(). 0 or -ENOMEM. */
int ears_open(struct ears *ears, unsigned primary, const struct redis_route *route);
/* Not from within a callback of these links. */
void ears_close(struct ears *ears, unsigned primary);
/* Are all links of the primary up? */
bool ears_are_up(const struct ears *ears, unsigned primary);

/* The number of the primary that has the key; CLUSTER_NOBODY: none has. */
unsigned ears_primary_of(const struct ears *ears, struct notify_str key);

/* What is told a beacon, of one link of each primary. */
struct ears_beacon_handlers {
    void (*on_up)(struct beacon *beacon, unsigned primary, struct redis_link *link);
    void (*on_down)(struct beacon *beacon, unsigned primary);
    void (*on_push)(struct beacon *beacon, unsigned primary, const struct resp *push);
};
/* Has it told, until it is dropped. Borrowed; handlers are the same for all. For beacon.c alone. */
void ears_add_beacon(struct ears *ears, struct beacon *beacon,
                     const struct ears_beacon_handlers *handlers);
void ears_drop_beacon(struct ears *ears, const struct beacon *beacon);

/* Slots have other owners; or this one has. */
void ears_reroute(struct ears *ears);
void ears_reroute_slot(struct ears *ears, unsigned slot);

#endif
