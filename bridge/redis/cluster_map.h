/* cluster_map -- which server of a cluster has which slots, as one of them says (CLUSTER SHARDS,
 * https://redis.io/docs/latest/commands/cluster-shards/).
 *
 * Pure: no link, no clock. What a server says is read strictly and within bounds. */
#ifndef CLUSTER_MAP_H
#define CLUSTER_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_str.h"
#include "redis/slot.h"

struct resp;

#define CLUSTER_NODES_MAX 512     /* in a map, replicas among them; more are left out */
#define CLUSTER_PRIMARIES_MAX 256 /* with slots; a map with more is not used */
#define CLUSTER_HOST_MAX 256      /* with its NUL */
#define CLUSTER_NOBODY UINT16_MAX

struct cluster_place {
    char host[CLUSTER_HOST_MAX]; /* name or address */
    int port;
};

struct cluster_map {
    struct cluster_place places[CLUSTER_NODES_MAX];
    size_t len;
    uint16_t owners[SLOTS]; /* place of the primary that has it, or CLUSTER_NOBODY */
    size_t primaries;       /* that have slots */
    bool left_out;          /* there are more than CLUSTER_NODES_MAX */
};

/* What servers do not name themselves by is known from where they were asked. */
struct cluster_view {
    const char *asked; /* host of the one that says this */
    bool tls;          /* its port for TLS is wanted */
};

/* NULL, or why what it says cannot be used (static text); *ret is nothing then. */
const char *cluster_map_read(struct cluster_map *ret, const struct resp *shards,
                             const struct cluster_view *view);

/* Where MOVED or ASK points to: "MOVED 3999 127.0.0.1:6381". False: it says nothing usable. */
struct cluster_pointer {
    unsigned slot;
    struct cluster_place place;
};
bool cluster_pointer_read(struct cluster_pointer *ret, struct notify_str error, const char *asked);

#endif
