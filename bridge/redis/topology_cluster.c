/* topology_cluster -- the primaries of a Redis Cluster, by what its servers say.
 *
 * No single sign tells that slots have other owners, so one server is asked for the map every few
 * seconds (CLUSTER SHARDS), and soon when there is doubt: a redirection, a link that failed,
 * channels that were taken back. A link of its own asks, which goes from one server to the next,
 * the ones of the URL among them for ever, when one does not answer or sees only its own part of a
 * cluster that has fallen apart. A map of an older epoch than the one that is known is not
 * believed, unless nothing newer is to be had.
 *
 * Channels that are no keys' are heard from any server, over one more link; this is what the route
 * of the topology leads to. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/jitter.h"
#include "base/log.h"
#include "base/log_once.h"
#include "base/loop.h"
#include "redis/cluster.h"
#include "redis/ears.h"
#include "redis/keyspace_cluster.h"
#include "redis/redis_link.h"
#include "redis/resp.h"
#include "redis/topology_kind.h"

#define LINK_NAME "notify-bridge:cluster"
#define POLL_MS 4000     /* a random part of a half is taken off */
#define DOUBT_MS 100     /* once there is doubt, then after twice as long, up to POLL_MS */
#define ANSWER_MS 1000   /* then another one is asked */
#define OLD_FOR_MS 10000 /* a map of an older epoch is believed after so long without another */

struct cluster_topology {
    struct topology topology; /* first */
    struct cluster cluster;
    struct redis_address *seeds; /* owned, and what is in them */
    size_t seed_count;
    struct keyspace *keys;     /* owned */
    struct cluster_map *map;   /* owned: the latest that was believed */
    struct cluster_map *other; /* owned: that is being read */
    struct redis_route route;  /* of whoever is asked */
    struct redis_link *asker;  /* owned */
    struct redis_address asked;
    size_t turn, heard_turn; /* of those that can be asked; and heard */
    struct loop_timer *poll, *patience;
    uint64_t epoch, said_epoch; /* of the map; and of the first half of an answer */
    uint64_t believed_ms;       /* loop clock */
    uint64_t doubt_ms;
    struct log_once said;
    bool poll_is_soon, is_whole, stopped;
};

/* Whom to ask. */

static int set_address(struct redis_address *ret, const struct redis_address *like,
                       const struct cluster_place *place)
{
    struct redis_address found;
    char *host;

    if (redis_address_copy(&found, like) != 0)
        return -ENOMEM;
    host = place == NULL ? found.host : strdup(place->host);
    if (host == NULL) {
        redis_address_release(&found);
        return -ENOMEM;
    }
    if (place != NULL) {
        free(found.host);
        found.host = host;
        found.port = place->port;
    }
    redis_address_release(ret);
    *ret = found;
    return 0;
}

/* Each attempt is for the next one: those of the URL, then all that are in the map. */
static const struct redis_address *where_asked(void *ctx)
{
    struct cluster_topology *t = ctx;
    size_t turn = t->turn++ % (t->seed_count + t->map->len);
    bool is_seed = turn < t->seed_count;

    if (set_address(&t->asked, &t->seeds[is_seed ? turn : 0],
                    is_seed ? NULL : &t->map->places[turn - t->seed_count]) != 0)
        return t->asked.host == NULL ? NULL : &t->asked;
    return &t->asked;
}

static void ask_another(struct cluster_topology *t, const char *why)
{
    redis_link_reroute(t->asker, why);
}

/* Times. */

static void poll_after(struct cluster_topology *t, uint64_t ms)
{
    if (!t->stopped)
        loop_timer_set(t->poll, jittered(ms));
}

static void poll_soon(void *ctx)
{
    struct cluster_topology *t = ctx;

    if (t->poll_is_soon || t->stopped)
        return;
    t->poll_is_soon = true;
    poll_after(t, t->doubt_ms);
    t->doubt_ms = t->doubt_ms < POLL_MS / 2 ? t->doubt_ms * 2 : POLL_MS;
}

/* Answers. */

static uint64_t number_in(struct notify_str text, const char *field)
{
    const char *found = text.len == 0 ? NULL : memmem(text.ptr, text.len, field, strlen(field));

    return found == NULL ? 0 : strtoull(found + strlen(field), NULL, 10); /* ended by "\r\n" */
}

static void on_info(void *ctx, const struct resp *reply)
{
    struct cluster_topology *t = ctx;
    struct notify_str text = resp_str(reply);

    t->said_epoch = number_in(text, "cluster_current_epoch:");
    t->is_whole = text.len > 0 && memmem(text.ptr, text.len, "cluster_state:ok", 16) != NULL;
}

static void hear_elsewhere(struct cluster_topology *t);

static size_t slots_of_nobody(const struct cluster_map *map)
{
    size_t count = 0;

    for (size_t slot = 0; slot < SLOTS; slot++)
        count += map->owners[slot] == CLUSTER_NOBODY;
    return count;
}

static bool is_same_owner(const struct cluster_map *a, const struct cluster_map *b, size_t slot)
{
    uint16_t in_a = a->owners[slot], in_b = b->owners[slot];

    if (in_a == CLUSTER_NOBODY || in_b == CLUSTER_NOBODY)
        return in_a == in_b;
    return a->places[in_a].port == b->places[in_b].port &&
           strcmp(a->places[in_a].host, b->places[in_b].host) == 0;
}

/* Servers come in any order. */
static bool are_same(const struct cluster_map *a, const struct cluster_map *b)
{
    bool same = a->len == b->len;

    for (size_t slot = 0; same && slot < SLOTS; slot++)
        same = is_same_owner(a, b, slot);
    return same;
}

static void take(struct cluster_topology *t)
{
    struct cluster_map *map = t->other;
    char asked[REDIS_ADDRESS_TEXT_MAX];

    if (!are_same(map, t->map))
        log_info("redis_cluster", "primaries", log_int((int64_t)map->primaries), "servers",
                 log_int((int64_t)map->len), "epoch", log_int((int64_t)t->said_epoch),
                 "slots-of-nobody", log_int((int64_t)slots_of_nobody(map)), "by",
                 redis_address_text(&t->asked, asked));
    t->other = t->map;
    t->map = map;
    t->epoch = t->said_epoch;
    t->believed_ms = loop_now_ms(t->topology.config->loop);
    cluster_take_map(&t->cluster, map);
    hear_elsewhere(t);
}

static void log_unusable(struct cluster_topology *t, const char *why)
{
    char asked[REDIS_ADDRESS_TEXT_MAX];
    unsigned skipped;

    if (log_once(&t->said, loop_now_ms(t->topology.config->loop), why, &skipped))
        log_warn("cluster_unusable", "addr", redis_address_text(&t->asked, asked), "text", why,
                 "times", log_int(skipped + 1));
}

static bool is_out_of_date(const struct cluster_topology *t)
{
    return t->said_epoch < t->epoch &&
           loop_now_ms(t->topology.config->loop) - t->believed_ms < OLD_FOR_MS;
}

static const char *why_not(struct cluster_topology *t, const struct resp *reply)
{
    const struct cluster_view view = {.asked = t->asked.host, .tls = t->topology.route.tls != NULL};

    if (reply->kind == RESP_ERROR)
        return log_bytes(reply->str.ptr, reply->str.len);
    return cluster_map_read(t->other, reply, &view);
}

/* One that is not part of the whole is asked no more: there may be others that are. */
static void on_shards(void *ctx, const struct resp *reply)
{
    struct cluster_topology *t = ctx;
    const char *why;

    loop_timer_cancel(t->patience);
    if (reply == NULL || t->stopped)
        return;
    why = why_not(t, reply);
    if (why != NULL)
        log_unusable(t, why);
    else if (is_out_of_date(t))
        why = "it is behind the others";
    else
        take(t);
    if (why == NULL && t->is_whole)
        return;
    loop_timer_set(t->patience, jittered(t->doubt_ms));
    poll_soon(t);
}

/* The epoch first: a map that is newer than it is put right by the next answer. In one write they
 * are answered at one time. */
static void ask(struct cluster_topology *t)
{
    const struct notify_str info[] = {NOTIFY_STR("CLUSTER"), NOTIFY_STR("INFO")};
    const struct notify_str shards[] = {NOTIFY_STR("CLUSTER"), NOTIFY_STR("SHARDS")};

    if (!redis_link_is_up(t->asker))
        return;
    loop_timer_set(t->patience, ANSWER_MS);
    if (redis_link_command(t->asker, on_info, t, 2, info) == 0)
        (void)redis_link_command(t->asker, on_shards, t, 2, shards); /* else at the next poll */
}

static void on_asker_up(void *ctx, struct redis_link *link)
{
    (void)link;
    ask(ctx);
}

static const struct redis_link_handlers asker_handlers = {.on_up = on_asker_up};

static void on_poll(void *ctx)
{
    struct cluster_topology *t = ctx;

    if (!t->poll_is_soon)
        t->doubt_ms = DOUBT_MS;
    t->poll_is_soon = false;
    ask(t);
    poll_after(t, POLL_MS);
}

static void on_patience_over(void *ctx)
{
    ask_another(ctx, "another server of the cluster is asked");
}

/* The link that hears what is for all: at any primary, best at one that is there. */

static const struct cluster_node *someone(struct cluster_topology *t)
{
    const struct cluster_node *node = cluster_anyone(&t->cluster);

    for (size_t i = 0; node == NULL && i < t->cluster.count; i++) {
        size_t at = t->heard_turn++ % t->cluster.count;
        if (t->cluster.nodes[at].slots > 0)
            node = &t->cluster.nodes[at];
    }
    return node;
}

static const struct redis_address *where_heard(void *ctx)
{
    struct cluster_topology *t = ctx;
    const struct cluster_node *node = someone(t);

    if (node == NULL || set_address(&t->topology.server, &node->address, NULL) != 0)
        return NULL;
    return &t->topology.server;
}

static bool is_heard_at(const struct cluster_topology *t, const struct cluster_node *node)
{
    const struct redis_address *server = &t->topology.server;

    return node->cluster != NULL && server->host != NULL && server->port == node->address.port &&
           strcmp(server->host, node->address.host) == 0;
}

/* One that has lost its slots may be dead, or frozen. */
static void hear_elsewhere(struct cluster_topology *t)
{
    if (t->topology.server.host == NULL)
        topology_reroute(&t->topology, "the servers of the cluster are known");
    for (size_t i = 0; i < t->cluster.count; i++)
        if (t->cluster.nodes[i].slots == 0 && is_heard_at(t, &t->cluster.nodes[i]))
            topology_reroute(&t->topology, "the server has no slots any more");
}

/* Life. */

static void free_it(struct topology *topology)
{
    struct cluster_topology *t = (struct cluster_topology *)topology;

    redis_link_free(t->asker);
    cluster_release(&t->cluster);
    keyspace_free(t->keys);
    loop_timer_free(t->poll);
    loop_timer_free(t->patience);
    for (size_t i = 0; i < t->seed_count; i++)
        redis_address_release(&t->seeds[i]);
    redis_address_release(&t->asked);
    free(t->seeds);
    free(t->map);
    free(t->other);
    free(t);
}

static int init_seeds(struct cluster_topology *t, const struct redis_address *addresses, size_t len)
{
    t->seeds = calloc(len, sizeof(*t->seeds));
    if (t->seeds == NULL)
        return -ENOMEM;
    for (; t->seed_count < len; t->seed_count++)
        if (redis_address_copy(&t->seeds[t->seed_count], &addresses[t->seed_count]) != 0)
            return -ENOMEM;
    t->turn = jittered(2 * len); /* not everybody begins with the same one */
    return 0;
}

static int init_cluster(struct cluster_topology *t, const struct topology_config *config)
{
    t->cluster.config = config;
    t->cluster.like = &t->seeds[0];
    t->cluster.on_doubt = poll_soon;
    t->cluster.doubt_ctx = t;
    t->keys = keyspace_new_cluster(&t->cluster);
    return t->keys == NULL ? -ENOMEM : cluster_init(&t->cluster);
}

static int init(struct cluster_topology *t, const struct topology_config *config,
                const struct redis_address *addresses, size_t len)
{
    t->map = calloc(1, sizeof(*t->map));
    t->other = calloc(1, sizeof(*t->other));
    t->poll = loop_timer_new(config->loop, on_poll, t);
    t->patience = loop_timer_new(config->loop, on_patience_over, t);
    if (t->map == NULL || t->other == NULL || t->poll == NULL || t->patience == NULL ||
        init_seeds(t, addresses, len) != 0 || init_cluster(t, config) != 0)
        return -ENOMEM;
    t->doubt_ms = DOUBT_MS;
    t->topology.route = (struct redis_route){
        .where = where_heard, .on_doubt = poll_soon, .ctx = t, .role = REDIS_CLUSTER};
    t->route = (struct redis_route){.where = where_asked, .ctx = t, .role = REDIS_CLUSTER};
    t->asker = redis_link_new(config->loop, LINK_NAME, &t->route);
    if (t->asker == NULL)
        return -ENOMEM;
    redis_link_listen(t->asker, &asker_handlers, t);
    return 0;
}

static struct topology *make(const struct topology_config *config,
                             const struct redis_address *addresses, size_t len)
{
    struct cluster_topology *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return NULL;
    t->topology.config = config;
    if (init(t, config, addresses, len) == 0)
        return &t->topology;
    free_it(&t->topology);
    return NULL;
}

static void start(struct topology *topology)
{
    struct cluster_topology *t = (struct cluster_topology *)topology;

    t->route.tls = t->cluster.tls = topology->route.tls;
    redis_link_start(t->asker);
    poll_after(t, POLL_MS);
}

static void stop(struct topology *topology)
{
    struct cluster_topology *t = (struct cluster_topology *)topology;

    t->stopped = true;
    loop_timer_cancel(t->poll);
    loop_timer_cancel(t->patience);
    keyspace_stop_cluster(t->keys);
    cluster_stop(&t->cluster);
}

static struct keyspace *keys_of(struct topology *topology)
{
    return ((struct cluster_topology *)topology)->keys;
}

static struct ears *ears_of(struct topology *topology)
{
    return ((struct cluster_topology *)topology)->cluster.ears;
}

static bool is_ready(const struct topology *topology)
{
    return cluster_is_ready(&((const struct cluster_topology *)topology)->cluster);
}

const struct topology_kind topology_cluster = {.make = make,
                                               .start = start,
                                               .stop = stop,
                                               .free = free_it,
                                               .keys = keys_of,
                                               .ears = ears_of,
                                               .is_ready = is_ready};
