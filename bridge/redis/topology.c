#include "redis/topology.h"

#include <assert.h>

#include "base/log.h"
#include "redis/topology_kind.h"

#define SENTINEL_PORT 26379

static const struct {
    const struct topology_kind *kind;
    int port; /* where the URL names none */
} kinds[] = {
    [TOPOLOGY_STANDALONE] = {&topology_single, REDIS_DEFAULT_PORT},
    [TOPOLOGY_SENTINEL] = {&topology_sentinel, SENTINEL_PORT},
    [TOPOLOGY_CLUSTER] = {&topology_cluster, REDIS_DEFAULT_PORT},
};

bool topology_needs_tls(enum topology_mode mode, const char *url, enum topology_sentinel_tls tls)
{
    return redis_address_is_tls(url) || (mode == TOPOLOGY_SENTINEL && tls == SENTINEL_TLS_ON);
}

static struct redis_tls *make_tls(const struct topology_config *config)
{
    char why[TLS_WHY_MAX];
    struct redis_tls *tls = redis_tls_new(&config->tls, why);

    if (tls == NULL)
        log_error("redis_tls_unusable", "text", why);
    return tls;
}

/* tls is owned by the topology from now on, or freed. */
static struct topology *make(const struct topology_config *config, struct redis_tls *tls)
{
    const struct topology_kind *kind = kinds[config->mode].kind;
    struct redis_addresses addresses;
    struct topology *topology = NULL;
    const char *why;

    if (redis_addresses_parse(&addresses, &why, config->url, kinds[config->mode].port) == 0) {
        topology = kind->make(config, addresses.items, addresses.len);
        redis_addresses_release(&addresses);
    }
    if (topology == NULL) {
        redis_tls_free(tls);
        return NULL;
    }
    topology->kind = kind;
    topology->config = config;
    topology->tls = tls;
    topology->route.tls = redis_address_is_tls(config->url) ? tls : NULL;
    return topology;
}

struct topology *topology_new(const struct topology_config *config)
{
    struct redis_tls *tls = NULL;

    if (topology_needs_tls(config->mode, config->url, config->sentinel_tls) &&
        (tls = make_tls(config)) == NULL)
        return NULL;
    return make(config, tls);
}

const struct redis_route *topology_route(const struct topology *topology)
{
    return &topology->route;
}

void topology_add_link(struct topology *topology, struct redis_link *link)
{
    assert(topology->link_count < TOPOLOGY_LINKS_MAX);
    topology->links[topology->link_count++] = link;
}

void topology_start(struct topology *topology)
{
    if (topology->kind->start != NULL)
        topology->kind->start(topology);
}

void topology_stop(struct topology *topology)
{
    if (topology != NULL && topology->kind->stop != NULL)
        topology->kind->stop(topology);
}

void topology_free(struct topology *topology)
{
    struct redis_tls *tls;

    if (topology == NULL)
        return;
    tls = topology->tls;
    redis_address_release(&topology->server);
    topology->kind->free(topology);
    redis_tls_free(tls);
}

struct keyspace *topology_keys(struct topology *topology)
{
    return topology->kind->keys == NULL ? NULL : topology->kind->keys(topology);
}

struct ears *topology_ears(struct topology *topology)
{
    return topology->kind->ears == NULL ? NULL : topology->kind->ears(topology);
}

bool topology_is_ready(const struct topology *topology)
{
    return topology->kind->is_ready == NULL || topology->kind->is_ready(topology);
}

int topology_database(const struct topology *topology)
{
    return topology->server.db;
}
