/* cluster -- the primaries of a cluster, which slots each has, and the links to them. What
 * cluster.c, keyspace_cluster.c and topology_cluster.c share; for nobody else. */
#ifndef CLUSTER_H
#define CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log_once.h"
#include "redis/cluster_map.h"
#include "redis/keyspace.h"
#include "redis/redis_address.h"
#include "redis/redis_route.h"
#include "redis/topology_config.h"

struct cluster;
struct ears;
struct loop_timer;
struct module_check;

/* One that has slots, or had, or that a redirection led to. */
struct cluster_node {
    struct cluster *cluster;      /* NULL: there is none here */
    struct redis_address address; /* owned */
    struct redis_route route;
    struct redis_link *commands; /* owned, as are its ears */
    struct module_check *check;  /* owned */
    size_t slots;
    uint64_t leave_ms; /* loop clock: without slots it is let go then */
};

struct cluster_handlers {
    /* Commands may be sent to it. */
    void (*on_up)(void *ctx, struct cluster_node *node);
    /* Those that were under way have been answered with NULL. */
    void (*on_down)(void *ctx, struct cluster_node *node);
    void (*on_batch_end)(void *ctx);
    /* Slots have other owners, those of which moved[] is true. */
    void (*on_moved)(void *ctx, const bool moved[SLOTS]);
};

struct cluster {
    const struct topology_config *config; /* borrowed */
    const struct redis_address *like;     /* borrowed: user and password for all of them */
    struct redis_tls *tls;                /* borrowed; NULL: none is spoken */
    const struct cluster_handlers *handlers;
    void *ctx;
    void (*on_doubt)(void *ctx); /* perhaps the map is out of date; not the same ctx: */
    void *doubt_ctx;
    struct ears *ears; /* owned */
    struct cluster_node nodes[CLUSTER_PRIMARIES_MAX];
    size_t count;            /* of places that were ever taken */
    uint16_t owners[SLOTS];  /* numbers of nodes, or CLUSTER_NOBODY */
    bool moved[SLOTS];       /* by the map that is being taken */
    uint8_t moves[SLOTS];    /* by redirections since */
    struct loop_timer *rest; /* until those without slots are let go */
    uint64_t ready_ms;       /* loop clock: then most of them are enough */
    struct log_once crowded;
    bool resting, stopped;
};

/* Has all links go away; those who wait for answers to commands are told. Channels stay as they
 * are. */
void cluster_stop(struct cluster *cluster);
/* config, like, tls, handlers and on_doubt with their ctx are set. 0 or -ENOMEM. */
int cluster_init(struct cluster *cluster);
void cluster_release(struct cluster *cluster);

/* The slots are as map says from now on. */
void cluster_take_map(struct cluster *cluster, const struct cluster_map *map);
/* One slot is at this node now, as another one says. */
void cluster_move_slot(struct cluster *cluster, unsigned slot, struct cluster_node *node);

/* The one there, made if need be. NULL: no room, or no memory. */
struct cluster_node *cluster_node_at(struct cluster *cluster, const struct cluster_place *place);
/* NULL: nobody has the slot. */
struct cluster_node *cluster_owner(struct cluster *cluster, unsigned slot);
/* One that can be used. NULL: there is none. */
struct cluster_node *cluster_anyone(struct cluster *cluster);
bool cluster_node_is_up(const struct cluster_node *node);
unsigned cluster_node_number(const struct cluster_node *node);

/* Can it be used: most of those that have slots? */
bool cluster_is_ready(const struct cluster *cluster);

#endif
