#include "redis/cluster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "base/log.h"
#include "base/loop.h"
#include "redis/ears.h"
#include "redis/module_check.h"
#include "redis/redis_link.h"
#include "redis/resp.h"

#define LINK_NAME "notify-bridge:commands"
#define REST_MS 1000    /* what a primary without slots is given, to answer what it was asked */
#define GUEST_MS 10000  /* and one that a redirection led to, until it is not led to any more */
#define ALL_FOR_MS 2000 /* so long all have to be there, later on most of them */
#define MOVES_MAX 4     /* of a slot by redirections, until the map is asked for again */

unsigned cluster_node_number(const struct cluster_node *node)
{
    return (unsigned)(node - node->cluster->nodes);
}

bool cluster_node_is_up(const struct cluster_node *node)
{
    return node->commands != NULL && redis_link_is_up(node->commands);
}

struct cluster_node *cluster_owner(struct cluster *cluster, unsigned slot)
{
    unsigned owner = cluster->owners[slot];

    return owner == CLUSTER_NOBODY ? NULL : &cluster->nodes[owner];
}

struct cluster_node *cluster_anyone(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->count; i++)
        if (cluster->nodes[i].slots > 0 && cluster_node_is_up(&cluster->nodes[i]))
            return &cluster->nodes[i];
    return NULL;
}

/* What links tell. */

static void on_up(void *ctx, struct redis_link *link)
{
    struct cluster_node *node = ctx;

    (void)link;
    node->cluster->handlers->on_up(node->cluster->ctx, node);
}

static void on_down(void *ctx)
{
    struct cluster_node *node = ctx;

    node->cluster->handlers->on_down(node->cluster->ctx, node);
}

static void on_batch_end(void *ctx)
{
    struct cluster_node *node = ctx;

    node->cluster->handlers->on_batch_end(node->cluster->ctx);
}

static const struct redis_link_handlers link_handlers = {
    .on_up = on_up, .on_down = on_down, .on_batch_end = on_batch_end};

static void on_doubt(void *ctx)
{
    struct cluster *cluster = ((struct cluster_node *)ctx)->cluster;

    cluster->on_doubt(cluster->doubt_ctx);
}

static const struct redis_address *where(void *ctx)
{
    return &((struct cluster_node *)ctx)->address;
}

/* Nodes. */

static void release(struct cluster_node *node)
{
    if (node->cluster->ears != NULL)
        ears_close(node->cluster->ears, cluster_node_number(node));
    redis_link_free(node->commands);
    node->commands = NULL;
    module_check_free(node->check);
    redis_address_release(&node->address);
    *node = (struct cluster_node){0};
}

static char *copy(const char *text)
{
    return text == NULL ? NULL : strdup(text);
}

static int set_address(struct cluster_node *node, const struct cluster_place *place)
{
    const struct redis_address *like = node->cluster->like;

    node->address = (struct redis_address){.host = strdup(place->host),
                                           .port = place->port,
                                           .user = copy(like->user),
                                           .password = copy(like->password),
                                           .tls = like->tls};
    return node->address.host == NULL || (like->user != NULL && node->address.user == NULL) ||
                   (like->password != NULL && node->address.password == NULL)
               ? -ENOMEM
               : 0;
}

static int open_links(struct cluster_node *node)
{
    struct cluster *cluster = node->cluster;
    const struct topology_config *config = cluster->config;

    node->commands = redis_link_new(config->loop, LINK_NAME, &node->route);
    node->check =
        module_check_new(config->loop, config->check_key, 0, config->on_ready, config->ctx);
    if (node->commands == NULL || node->check == NULL)
        return -ENOMEM;
    redis_link_listen(node->commands, &module_check_handlers, node->check);
    redis_link_listen(node->commands, &link_handlers, node);
    if (ears_open(cluster->ears, cluster_node_number(node), &node->route) != 0)
        return -ENOMEM;
    redis_link_start(node->commands);
    return 0;
}

static void let_go_later(struct cluster_node *node, uint64_t after_ms)
{
    struct cluster *cluster = node->cluster;

    node->leave_ms = loop_now_ms(cluster->config->loop) + after_ms;
    if (cluster->resting)
        return;
    cluster->resting = true;
    loop_timer_set(cluster->rest, REST_MS);
}

static struct cluster_node *find(struct cluster *cluster, const struct cluster_place *place)
{
    for (size_t i = 0; i < cluster->count; i++) {
        struct cluster_node *node = &cluster->nodes[i];
        if (node->cluster != NULL && node->address.port == place->port &&
            strcmp(node->address.host, place->host) == 0)
            return node;
    }
    return NULL;
}

static struct cluster_node *find_room(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->count; i++)
        if (cluster->nodes[i].cluster == NULL)
            return &cluster->nodes[i];
    return cluster->count < CLUSTER_PRIMARIES_MAX ? &cluster->nodes[cluster->count++] : NULL;
}

static void tell_crowd(struct cluster *cluster)
{
    unsigned skipped;

    counter_add(COUNTER_CLUSTER_NODES, 1);
    if (log_once(&cluster->crowded, loop_now_ms(cluster->config->loop), "cluster-nodes", &skipped))
        log_warn("limit_met", "limit", "cluster-nodes", "times", log_int(skipped + 1));
}

static struct cluster_node *add(struct cluster *cluster, const struct cluster_place *place)
{
    struct cluster_node *node = find_room(cluster);

    if (node == NULL) {
        tell_crowd(cluster);
        return NULL;
    }
    node->cluster = cluster;
    node->route = (struct redis_route){.where = where,
                                       .on_doubt = on_doubt,
                                       .ctx = node,
                                       .tls = cluster->tls,
                                       .role = REDIS_CLUSTER};
    if (set_address(node, place) != 0 || open_links(node) != 0) {
        release(node);
        return NULL;
    }
    return node;
}

struct cluster_node *cluster_node_at(struct cluster *cluster, const struct cluster_place *place)
{
    struct cluster_node *node = cluster->stopped ? NULL : find(cluster, place);

    if (node == NULL && !cluster->stopped)
        node = add(cluster, place);
    if (node != NULL && node->slots == 0)
        let_go_later(node, GUEST_MS);
    return node;
}

/* Those without slots go, outside of all their callbacks. */
static void on_rest_over(void *ctx)
{
    struct cluster *cluster = ctx;
    uint64_t now_ms = loop_now_ms(cluster->config->loop);

    cluster->resting = false;
    for (size_t i = 0; i < cluster->count; i++) {
        struct cluster_node *node = &cluster->nodes[i];
        if (node->cluster == NULL || node->slots > 0)
            continue;
        if (node->leave_ms <= now_ms)
            release(node);
        else if (!cluster->resting)
            cluster->resting = true;
    }
    if (cluster->resting)
        loop_timer_set(cluster->rest, REST_MS);
}

/* Slots. */

static bool set_owner(struct cluster *cluster, unsigned slot, const struct cluster_node *node)
{
    struct cluster_node *old = cluster_owner(cluster, slot);

    if (old == node)
        return false;
    if (old != NULL && --old->slots == 0)
        let_go_later(old, REST_MS);
    cluster->owners[slot] = node == NULL ? CLUSTER_NOBODY : (uint16_t)cluster_node_number(node);
    if (node != NULL)
        cluster->nodes[cluster->owners[slot]].slots++;
    return true;
}

/* A place of the map that has slots, when one of them is come to. */
static struct cluster_node *node_of(struct cluster *cluster, const struct cluster_map *map,
                                    unsigned slot, struct cluster_node *known[CLUSTER_NODES_MAX])
{
    unsigned owner = map->owners[slot];

    if (owner == CLUSTER_NOBODY)
        return NULL;
    if (known[owner] == NULL)
        known[owner] = cluster_node_at(cluster, &map->places[owner]);
    return known[owner];
}

void cluster_take_map(struct cluster *cluster, const struct cluster_map *map)
{
    struct cluster_node *known[CLUSTER_NODES_MAX] = {NULL};
    bool any = false;

    if (cluster->ready_ms == 0)
        cluster->ready_ms = loop_now_ms(cluster->config->loop) + ALL_FOR_MS;
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        cluster->moves[slot] = 0;
        cluster->moved[slot] = set_owner(cluster, slot, node_of(cluster, map, slot, known));
        any |= cluster->moved[slot];
    }
    ears_reroute(cluster->ears);
    if (any)
        cluster->handlers->on_moved(cluster->ctx, cluster->moved);
}

/* Servers that send us to each other would have us go to and fro without end. */
void cluster_move_slot(struct cluster *cluster, unsigned slot, struct cluster_node *node)
{
    if (cluster->moves[slot] >= MOVES_MAX || !set_owner(cluster, slot, node))
        return;
    cluster->moves[slot]++;
    ears_reroute_slot(cluster->ears, slot);
    cluster->on_doubt(cluster->doubt_ctx);
}

bool cluster_is_ready(const struct cluster *cluster)
{
    size_t all = 0, ready = 0;

    for (size_t i = 0; i < cluster->count && !cluster->stopped; i++) {
        const struct cluster_node *node = &cluster->nodes[i];
        if (node->slots == 0)
            continue;
        all++;
        ready += cluster_node_is_up(node) && module_check_passed(node->check) &&
                 ears_are_up(cluster->ears, (unsigned)i);
    }
    if (all == 0 || loop_now_ms(cluster->config->loop) < cluster->ready_ms)
        return all > 0 && ready == all;
    return ready * 2 > all;
}

/* Ears. */

static void on_refused(void *ctx, unsigned slot, const struct resp *error)
{
    struct cluster *cluster = ctx;
    struct cluster_node *owner = cluster_owner(cluster, slot), *node = NULL;
    struct cluster_pointer pointer;

    if (owner != NULL && resp_is_error(error, "MOVED") &&
        cluster_pointer_read(&pointer, error->str, owner->address.host) && pointer.slot == slot)
        node = cluster_node_at(cluster, &pointer.place);
    if (node != NULL)
        cluster_move_slot(cluster, slot, node);
    cluster->on_doubt(cluster->doubt_ctx);
}

static void on_taken(void *ctx, unsigned slot)
{
    struct cluster *cluster = ctx;

    (void)slot;
    cluster->on_doubt(cluster->doubt_ctx);
}

static void on_ear_up(void *ctx)
{
    struct cluster *cluster = ctx;

    cluster->config->on_ready(cluster->config->ctx);
}

/* Life. */

int cluster_init(struct cluster *cluster)
{
    const struct ears_config ears = {.loop = cluster->config->loop,
                                     .per_primary = cluster->config->subscriber_links,
                                     .owners = cluster->owners,
                                     .on_refused = on_refused,
                                     .on_taken = on_taken,
                                     .on_up = on_ear_up,
                                     .ctx = cluster};

    for (unsigned slot = 0; slot < SLOTS; slot++)
        cluster->owners[slot] = CLUSTER_NOBODY;
    cluster->rest = loop_timer_new(cluster->config->loop, on_rest_over, cluster);
    cluster->ears = ears_new(&ears);
    return cluster->rest == NULL || cluster->ears == NULL ? -ENOMEM : 0;
}

void cluster_stop(struct cluster *cluster)
{
    cluster->stopped = true;
    ears_stop(cluster->ears);
    loop_timer_cancel(cluster->rest);
    for (size_t i = 0; i < cluster->count; i++) {
        struct redis_link *link = cluster->nodes[i].commands;
        cluster->nodes[i].commands = NULL;
        redis_link_free(link);
        module_check_free(cluster->nodes[i].check);
        cluster->nodes[i].check = NULL;
    }
}

void cluster_release(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->count; i++)
        if (cluster->nodes[i].cluster != NULL)
            release(&cluster->nodes[i]);
    ears_free(cluster->ears);
    loop_timer_free(cluster->rest);
}
