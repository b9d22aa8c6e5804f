/* topology -- which servers hold the keys, and where they are just now.
 *
 * Links know one server; a topology tells them which, and has them go elsewhere when that changes.
 * Each kind is a file of its own behind topology_kind.h. */
#ifndef TOPOLOGY_H
#define TOPOLOGY_H

#include "redis/topology_config.h"

struct ears;
struct keyspace;
struct redis_link;
struct redis_route;
struct topology;

/* NULL: out of memory, or files of TLS are no good, which has been logged. */
struct topology *topology_new(const struct topology_config *config);
/* To the server that takes writes; in a cluster to any that hears what is published for all. For
 * links that are then added. */
const struct redis_route *topology_route(const struct topology *topology);
/* Has the link go where the server is from now on. It must be freed before the topology is. */
void topology_add_link(struct topology *topology, struct redis_link *link);
void topology_start(struct topology *topology);
/* Nothing is asked for or told any more; the routes stay. NULL is fine. */
void topology_stop(struct topology *topology);
void topology_free(struct topology *topology);

/* Of a cluster: where commands go; where the channels of keys are heard; and whether both can be
 * used. Others have one server at the end of their route: NULL, NULL, true. Owned by the topology.
 */
struct keyspace *topology_keys(struct topology *topology);
struct ears *topology_ears(struct topology *topology);
bool topology_is_ready(const struct topology *topology);

/* The number of the database. */
int topology_database(const struct topology *topology);

#endif
