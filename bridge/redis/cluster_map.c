#include "redis/cluster_map.h"

#include <string.h>

#include "redis/resp.h"

#define NOT_A_MAP "what CLUSTER SHARDS says is no map of slots"

/* A server that knows no name of its own says nothing or "": it is where it was asked. One that was
 * to say a name that it has not got says "?". */
static bool set_host(struct cluster_place *place, struct notify_str host, const char *asked)
{
    if (host.len == 0)
        host = notify_str_z(asked);
    if (host.len == 0 || host.len >= CLUSTER_HOST_MAX || memchr(host.ptr, '\0', host.len) != NULL ||
        notify_str_eq(host, NOTIFY_STR("?")))
        return false;
    memcpy(place->host, host.ptr, host.len);
    place->host[host.len] = '\0';
    return true;
}

static bool set_port(struct cluster_place *place, int64_t port)
{
    place->port = port > 0 && port <= 65535 ? (int)port : 0;
    return place->port != 0;
}

static bool read_place(struct cluster_place *ret, const struct resp *node,
                       const struct cluster_view *view)
{
    int64_t port = resp_integer(resp_member(node, "port"), 0);
    struct notify_str name = resp_str(resp_member(node, "endpoint"));

    if (notify_str_eq(name, NOTIFY_STR("?")))
        name = resp_str(resp_member(node, "ip"));
    if (view->tls) /* Redis 7.0 says it only with tls-cluster */
        port = resp_integer(resp_member(node, "tls-port"), port);
    return set_host(ret, name, view->asked) && set_port(ret, port);
}

/* How well a server fits as the one that has its shard's slots. Two may say so while a primary
 * fails, and one that has failed may come back. */
static int fitness(const struct resp *node)
{
    if (!notify_str_eq(resp_str(resp_member(node, "role")), NOTIFY_STR("master")))
        return 0;
    return notify_str_eq(resp_str(resp_member(node, "health")), NOTIFY_STR("fail")) ? 1 : 2;
}

static uint16_t add_place(struct cluster_map *map, const struct cluster_place *place)
{
    for (size_t i = 0; i < map->len; i++)
        if (map->places[i].port == place->port && strcmp(map->places[i].host, place->host) == 0)
            return (uint16_t)i;
    if (map->len == CLUSTER_NODES_MAX) {
        map->left_out = true;
        return CLUSTER_NOBODY;
    }
    map->places[map->len] = *place;
    return (uint16_t)map->len++;
}

/* All servers of a shard; the one that has its slots, or CLUSTER_NOBODY. */
static uint16_t read_nodes(struct cluster_map *map, const struct resp *nodes,
                           const struct cluster_view *view)
{
    uint16_t primary = CLUSTER_NOBODY;
    struct cluster_place place;
    int best = 0;

    for (size_t i = 0; i < nodes->len; i++) {
        int fits = fitness(nodes->items[i]);
        uint16_t added = CLUSTER_NOBODY;
        if (read_place(&place, nodes->items[i], view))
            added = add_place(map, &place);
        if (added != CLUSTER_NOBODY && fits > best) {
            primary = added;
            best = fits;
        }
    }
    return primary;
}

/* Pairs of the first and the last slot. False: they are none. */
static bool read_slots(struct cluster_map *map, const struct resp *slots, uint16_t primary)
{
    if (slots->len % 2 != 0)
        return false;
    for (size_t i = 0; i < slots->len; i += 2) {
        int64_t first = resp_integer(slots->items[i], -1);
        int64_t last = resp_integer(slots->items[i + 1], -1);
        if (first < 0 || last < first || last >= SLOTS)
            return false;
        for (int64_t slot = first; slot <= last; slot++)
            map->owners[slot] = primary;
    }
    return true;
}

static bool is_list(const struct resp *reply)
{
    return reply != NULL && reply->kind == RESP_ARRAY;
}

static const char *read_shard(struct cluster_map *map, const struct resp *shard,
                              const struct cluster_view *view)
{
    const struct resp *slots = resp_member(shard, "slots"), *nodes = resp_member(shard, "nodes");
    uint16_t primary;

    if (!is_list(slots) || !is_list(nodes))
        return NOT_A_MAP;
    primary = read_nodes(map, nodes, view);
    if (slots->len > 0 && primary != CLUSTER_NOBODY && ++map->primaries > CLUSTER_PRIMARIES_MAX)
        return "more than 256 servers have slots";
    return read_slots(map, slots, primary) ? NULL : NOT_A_MAP;
}

const char *cluster_map_read(struct cluster_map *ret, const struct resp *shards,
                             const struct cluster_view *view)
{
    const char *why = NULL;

    ret->len = ret->primaries = 0;
    ret->left_out = false;
    for (size_t slot = 0; slot < SLOTS; slot++)
        ret->owners[slot] = CLUSTER_NOBODY;
    if (!is_list(shards))
        return NOT_A_MAP;
    for (size_t i = 0; i < shards->len && why == NULL; i++)
        why = read_shard(ret, shards->items[i], view);
    if (why == NULL && ret->primaries == 0)
        why = "no server has slots";
    return why;
}

/* Redirections. */

/* Decimal digits up to end. */
static bool read_number(const char **at, const char *end, unsigned max, unsigned *ret)
{
    const char *begin = *at;
    unsigned number = 0;

    for (; *at < end && **at >= '0' && **at <= '9' && number <= max; (*at)++)
        number = number * 10 + (unsigned)(**at - '0');
    *ret = number;
    return *at > begin && number <= max;
}

bool cluster_pointer_read(struct cluster_pointer *ret, struct notify_str error, const char *asked)
{
    const char *end = error.ptr + error.len, *host, *colon, *at = memchr(error.ptr, ' ', error.len);
    unsigned port;

    if (at == NULL || (at++, !read_number(&at, end, SLOTS - 1, &ret->slot)) || at == end ||
        *at != ' ')
        return false;
    host = at + 1;
    colon = memrchr(host, ':', (size_t)(end - host)); /* IPv6 has some more, and no brackets */
    if (colon == NULL)
        return false;
    at = colon + 1;
    return read_number(&at, end, 65535, &port) && at == end && set_port(&ret->place, port) &&
           set_host(&ret->place, notify_str_of(host, (size_t)(colon - host)), asked);
}
