/* topology_single -- one server, at the address that it was given. */
#include <stdlib.h>

#include "redis/topology_kind.h"

static const struct redis_address *where(void *ctx)
{
    const struct topology *topology = ctx;

    return &topology->server;
}

static struct topology *make(const struct topology_config *config,
                             const struct redis_address *addresses, size_t len)
{
    struct topology *topology = calloc(1, sizeof(*topology));

    (void)config;
    (void)len; /* config_read() lets no more than one pass */
    if (topology == NULL || redis_address_copy(&topology->server, &addresses[0]) != 0) {
        free(topology);
        return NULL;
    }
    topology->route = (struct redis_route){.where = where, .ctx = topology, .role = REDIS_ANY};
    return topology;
}

static void free_it(struct topology *topology)
{
    free(topology);
}

const struct topology_kind topology_single = {.make = make, .free = free_it};
