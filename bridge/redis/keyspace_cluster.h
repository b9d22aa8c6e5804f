/* keyspace_cluster -- the keys of a cluster; for topology_cluster.c alone. */
#ifndef KEYSPACE_CLUSTER_H
#define KEYSPACE_CLUSTER_H

#include <stddef.h>

#include "redis/cluster.h"

/* Of this cluster, whose handlers are set to it; borrowed. NULL: out of memory. */
struct keyspace *keyspace_new_cluster(struct cluster *cluster);
/* Those who wait for a server are told that no reply will come; nothing is taken any more. */
void keyspace_stop_cluster(struct keyspace *keys);

#endif
