#include "redis/topology_kind.h"

#include "redis/redis_link.h"

void topology_reroute(struct topology *topology, const char *why)
{
    for (size_t i = 0; i < topology->link_count; i++)
        redis_link_reroute(topology->links[i], why);
}
