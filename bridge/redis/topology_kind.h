/* topology_kind -- what kinds of topologies share. For topology*.c alone. */
#ifndef TOPOLOGY_KIND_H
#define TOPOLOGY_KIND_H

#include <stdbool.h>
#include <stddef.h>

#include "redis/redis_address.h"
#include "redis/redis_route.h"
#include "redis/topology_config.h"

/* All that a bridge makes: --subscriber-links, and some for other ends. */
#define TOPOLOGY_LINKS_MAX 80

struct ears;
struct keyspace;
struct redis_link;
struct topology;

struct topology_kind {
    /* Of the addresses of the URL, len of them; they are copied. NULL: out of memory. */
    struct topology *(*make)(const struct topology_config *config,
                             const struct redis_address *addresses, size_t len);
    void (*start)(struct topology *topology); /* may be NULL */
    void (*stop)(struct topology *topology);  /* may be NULL */
    void (*free)(struct topology *topology);
    /* Of those that have all their keys at the end of the route these are NULL. */
    struct keyspace *(*keys)(struct topology *topology);
    struct ears *(*ears)(struct topology *topology);
    bool (*is_ready)(const struct topology *topology);
};

extern const struct topology_kind topology_single, topology_sentinel, topology_cluster;

/* The first member of each kind's own. */
struct topology {
    const struct topology_kind *kind;
    const struct topology_config *config; /* borrowed */
    struct redis_tls *tls;                /* owned; NULL: none is spoken */
    struct redis_route route;
    struct redis_address server; /* that takes writes; owned; not known as long as it has no host */
    struct redis_link *links[TOPOLOGY_LINKS_MAX]; /* borrowed */
    size_t link_count;
};

/* All links go to where the route leads now. */
void topology_reroute(struct topology *topology, const char *why);

#endif
