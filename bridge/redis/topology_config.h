/* topology_config -- what is said of servers in the configuration. */
#ifndef TOPOLOGY_CONFIG_H
#define TOPOLOGY_CONFIG_H

#include <stdbool.h>

#include "notify_str.h"
#include "redis/redis_tls.h"

struct loop;

enum topology_mode { TOPOLOGY_STANDALONE, TOPOLOGY_SENTINEL, TOPOLOGY_CLUSTER };

/* Whether Sentinels speak TLS. */
enum topology_sentinel_tls { SENTINEL_TLS_AS_REDIS, SENTINEL_TLS_ON, SENTINEL_TLS_OFF };

/* All borrowed for the life of the topology. */
struct topology_config {
    struct loop *loop;
    enum topology_mode mode;
    const char *url; /* of the server, or of the Sentinels with the server's user and database */
    struct redis_tls_config tls;
    const char *sentinel_master, *sentinel_user, *sentinel_password;
    enum topology_sentinel_tls sentinel_tls;
    /* Of a cluster: */
    unsigned subscriber_links;   /* to each primary */
    struct notify_str check_key; /* any key that the bridge may read */
    void (*on_ready)(void *ctx); /* perhaps topology_is_ready() has become true */
    void *ctx;
};

/* Is TLS spoken to anybody, so that what is configured for it counts? */
bool topology_needs_tls(enum topology_mode mode, const char *url, enum topology_sentinel_tls tls);

#endif
