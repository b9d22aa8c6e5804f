/* keyspace_cluster -- commands go to the primary that has the slot of their key, and on from there
 * to where it says.
 *
 * A command is kept until it is answered, since a redirection has it said again. While a server
 * that it was sent on to is not there yet, or none serves its slot, it waits, but not for long:
 * whoever waits for its answer has a client before him. */
#include "redis/keyspace_cluster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/counters.h"
#include "base/jitter.h"
#include "base/loop.h"
#include "redis/command_key.h"
#include "redis/keyspace.h"
#include "redis/keyspace_kind.h"
#include "redis/redis_link.h"
#include "redis/resp.h"

#define PAUSE_MIN_MS 20     /* before a command is said again; twice as long each time */
#define WAITING_MAX_MS 2000 /* in all */
#define TICK_MS 10
#define ERROR_MAX 256 /* bytes that are kept of an error's text */

struct sent {
    struct cluster_keys *keys;
    TAILQ_ENTRY(sent) waiting;
    redis_reply_fn fn;
    void *ctx;
    char *error;          /* owned: the latest redirection, while it waits */
    uint64_t due_ms;      /* loop clock: it is said again then, */
    uint64_t deadline_ms; /* at the latest; 0: it has not waited yet */
    uint16_t slot;        /* SLOTS: any server takes it */
    uint8_t redirections;
    uint16_t node;    /* that it was sent to; if */
    bool is_directed; /* it was sent on there, whatever the map says; and if */
    bool asks;        /* the slot is on the move, that is to be ASKED for it out of turn */
    bool is_split;
    uint16_t argc;
    struct notify_str argv[]; /* their bytes follow */
};

TAILQ_HEAD(sent_list, sent);

struct cluster_keys {
    struct keyspace keys; /* first */
    struct cluster *cluster;
    struct sent_list waiting;
    struct loop_timer *tick;
    size_t count; /* of commands without an answer */
    bool ticking, stopped;
};

static void on_reply(void *ctx, const struct resp *reply);

/* The way. */

static struct cluster_node *node_for(const struct sent *sent)
{
    struct cluster *cluster = sent->keys->cluster;

    if (sent->is_directed && cluster->nodes[sent->node].cluster != NULL)
        return &cluster->nodes[sent->node];
    return sent->slot == SLOTS ? cluster_anyone(cluster) : cluster_owner(cluster, sent->slot);
}

static void on_asking(void *ctx, const struct resp *reply)
{
    (void)ctx;
    (void)reply; /* the answer behind it tells */
}

/* ASKING holds for the command behind it alone. */
static int send(struct sent *sent, const struct cluster_node *node)
{
    const struct notify_str asking = NOTIFY_STR("ASKING");
    int ret = 0;

    sent->node = (uint16_t)cluster_node_number(node);
    if (sent->asks)
        ret = redis_link_command(node->commands, on_asking, NULL, 1, &asking);
    return ret != 0 ? ret
                    : redis_link_command(node->commands, on_reply, sent, sent->argc, sent->argv);
}

static void finish(struct sent *sent, const struct resp *reply)
{
    redis_reply_fn fn = sent->fn;
    void *ctx = sent->ctx;

    sent->keys->count--;
    free(sent->error);
    free(sent);
    fn(ctx, reply);
}

/* It could not be done in time: the latest error says why. */
static void give_up(struct sent *sent)
{
    char text[ERROR_MAX + 1] = "CLUSTERDOWN the server of this slot is not there";
    struct resp error = {.kind = RESP_ERROR};

    counter_add(COUNTER_REDIRECTIONS, 1);
    if (sent->error != NULL && strncmp(sent->error, "TRYAGAIN", 8) == 0)
        memcpy(text, sent->error, strlen(sent->error) + 1);
    error.str = notify_str_z(text);
    finish(sent, &error);
}

/* Waiting. */

static void tick_soon(struct cluster_keys *keys)
{
    if (keys->ticking)
        return;
    keys->ticking = true;
    loop_timer_set(keys->tick, TICK_MS);
}

static void wait(struct sent *sent, uint64_t ms)
{
    struct cluster_keys *keys = sent->keys;
    uint64_t now_ms = loop_now_ms(keys->cluster->config->loop);

    if (sent->deadline_ms == 0)
        sent->deadline_ms = now_ms + WAITING_MAX_MS;
    sent->due_ms = now_ms + ms;
    TAILQ_INSERT_TAIL(&keys->waiting, sent, waiting);
    tick_soon(keys);
}

/* There is no link yet: it is looked again in a moment. */
static void go_on(struct sent *sent)
{
    const struct cluster_node *node = node_for(sent);
    uint64_t now_ms = loop_now_ms(sent->keys->cluster->config->loop);

    if (node != NULL && cluster_node_is_up(node) && send(sent, node) == 0)
        return;
    if (sent->deadline_ms != 0 && now_ms >= sent->deadline_ms) {
        give_up(sent);
        return;
    }
    wait(sent, PAUSE_MIN_MS);
}

static void on_tick(void *ctx)
{
    struct cluster_keys *keys = ctx;
    uint64_t now_ms = loop_now_ms(keys->cluster->config->loop);
    struct sent_list all = TAILQ_HEAD_INITIALIZER(all);
    struct sent *sent;

    keys->ticking = false;
    TAILQ_CONCAT(&all, &keys->waiting, waiting);
    while ((sent = TAILQ_FIRST(&all)) != NULL) {
        TAILQ_REMOVE(&all, sent, waiting);
        if (sent->due_ms > now_ms)
            TAILQ_INSERT_TAIL(&keys->waiting, sent, waiting);
        else
            go_on(sent);
    }
    if (!TAILQ_EMPTY(&keys->waiting))
        tick_soon(keys);
}

/* Redirections. */

static void doubt(const struct sent *sent)
{
    struct cluster *cluster = sent->keys->cluster;

    cluster->on_doubt(cluster->doubt_ctx);
}

static void wait_longer(struct sent *sent)
{
    wait(sent, jittered((uint64_t)PAUSE_MIN_MS << sent->redirections));
}

/* The node that the error points to, or NULL. */
static struct cluster_node *pointed_to(const struct sent *sent, const struct resp *error)
{
    struct cluster *cluster = sent->keys->cluster;
    const struct cluster_node *by = &cluster->nodes[sent->node];
    struct cluster_pointer pointer;

    if (by->cluster == NULL || !cluster_pointer_read(&pointer, error->str, by->address.host) ||
        pointer.slot != sent->slot)
        return NULL;
    return cluster_node_at(cluster, &pointer.place);
}

static void direct(struct sent *sent, const struct cluster_node *node, bool asks)
{
    sent->is_directed = node != NULL;
    sent->asks = asks;
    if (node != NULL)
        sent->node = (uint16_t)cluster_node_number(node);
}

/* To and fro between two that do not know yet is not gone at full speed. */
static void on_slot_moved(struct sent *sent, const struct resp *error)
{
    struct cluster_node *node = pointed_to(sent, error);

    direct(sent, node, false);
    doubt(sent);
    if (node != NULL)
        cluster_move_slot(sent->keys->cluster, sent->slot, node);
    if (node == NULL || sent->redirections > 2)
        wait_longer(sent);
    else
        go_on(sent);
}

static void on_slot_moving(struct sent *sent, const struct resp *error)
{
    struct cluster_node *node = pointed_to(sent, error);

    if (node == NULL) {
        wait_longer(sent);
        return;
    }
    direct(sent, node, true);
    go_on(sent);
}

static void on_keys_moving(struct sent *sent, const struct resp *error)
{
    (void)error;
    direct(sent, NULL, false);
    wait_longer(sent);
}

static void on_cluster_down(struct sent *sent, const struct resp *error)
{
    (void)error;
    direct(sent, NULL, false);
    doubt(sent);
    wait_longer(sent);
}

static const struct redirection {
    const char *word;
    void (*follow)(struct sent *sent, const struct resp *error);
} redirections[] = {{"MOVED", on_slot_moved},
                    {"ASK", on_slot_moving},
                    {"TRYAGAIN", on_keys_moving},
                    {"CLUSTERDOWN", on_cluster_down}};

static const struct redirection *find_redirection(const struct resp *reply)
{
    for (size_t i = 0; i < sizeof(redirections) / sizeof(redirections[0]); i++)
        if (resp_is_error(reply, redirections[i].word))
            return &redirections[i];
    return NULL;
}

/* Is it said again? */
static bool follow(struct sent *sent, const struct resp *reply)
{
    const struct redirection *redirection = find_redirection(reply);

    if (redirection == NULL || sent->keys->stopped ||
        (sent->is_split && redirection->follow == on_keys_moving))
        return false;
    free(sent->error);
    sent->error = strndup(reply->str.ptr, ERROR_MAX);
    if (++sent->redirections > KEYSPACE_REDIRECTIONS)
        give_up(sent);
    else
        redirection->follow(sent, reply);
    return true;
}

static void on_reply(void *ctx, const struct resp *reply)
{
    struct sent *sent = ctx;

    if (reply == NULL || reply->kind != RESP_ERROR || !follow(sent, reply))
        finish(sent, reply);
}

/* Commands. */

static struct sent *sent_new(struct cluster_keys *keys, size_t argc, const struct notify_str *argv)
{
    struct notify_str key;
    struct sent *sent;
    size_t len = 0;
    char *bytes;

    for (size_t i = 0; i < argc; i++)
        len += argv[i].len;
    sent = malloc(sizeof(*sent) + argc * sizeof(*argv) + len);
    if (sent == NULL)
        return NULL;
    *sent = (struct sent){
        .keys = keys, .slot = SLOTS, .argc = (uint16_t)argc, .is_split = command_is_split(argv[0])};
    bytes = (char *)(sent->argv + argc);
    for (size_t i = 0; i < argc; i++)
        sent->argv[i] = notify_str_keep(&bytes, argv[i]);
    if (command_key(argc, argv, &key))
        sent->slot = (uint16_t)slot_of_key(key);
    return sent;
}

static int command(struct keyspace *keyspace, redis_reply_fn fn, void *ctx, size_t argc,
                   const struct notify_str *argv)
{
    struct cluster_keys *keys = (struct cluster_keys *)keyspace;
    const struct cluster_node *node;
    struct sent *sent;
    int ret = -ENOTCONN;

    if (keys->count >= PENDING_MAX || argc > UINT16_MAX)
        return -EBUSY;
    sent = sent_new(keys, argc, argv);
    if (sent == NULL)
        return -ENOMEM;
    sent->fn = fn;
    sent->ctx = ctx;
    node = node_for(sent);
    if (!keys->stopped && node != NULL && cluster_node_is_up(node))
        ret = send(sent, node);
    if (ret != 0)
        free(sent);
    else
        keys->count++;
    return ret;
}

static bool is_up(const struct keyspace *keys)
{
    return cluster_anyone(((const struct cluster_keys *)keys)->cluster) != NULL;
}

static bool has(const struct keyspace *keys, struct notify_str key)
{
    const struct cluster_node *node =
        cluster_owner(((const struct cluster_keys *)keys)->cluster, slot_of_key(key));

    return node != NULL && cluster_node_is_up(node);
}

static unsigned lane(const struct keyspace *keys, struct notify_str key)
{
    struct cluster *cluster = ((const struct cluster_keys *)keys)->cluster;
    const struct cluster_node *node =
        key.ptr == NULL ? cluster_anyone(cluster) : cluster_owner(cluster, slot_of_key(key));

    return node == NULL ? 0 : cluster_node_number(node);
}

/* What the cluster tells. */

static bool is_of_node(const void *ctx, unsigned slot)
{
    const struct cluster_node *node = ctx;

    return node->cluster->owners[slot] == cluster_node_number(node);
}

static bool has_moved(const void *ctx, unsigned slot)
{
    struct cluster *cluster = ((const struct cluster_keys *)ctx)->cluster;
    const struct cluster_node *node = cluster_owner(cluster, slot);

    return cluster->moved[slot] && node != NULL && cluster_node_is_up(node);
}

static void on_up(void *ctx, struct cluster_node *node)
{
    struct cluster_keys *keys = ctx;

    if (node->slots > 0)
        keyspace_tell_up(&keys->keys, &(struct keyspace_part){.has = is_of_node, .ctx = node});
}

static void on_down(void *ctx, struct cluster_node *node)
{
    struct cluster_keys *keys = ctx;

    if (node->slots > 0)
        keyspace_tell_down(&keys->keys, &(struct keyspace_part){.has = is_of_node, .ctx = node});
}

static void on_batch_end(void *ctx)
{
    keyspace_tell_batch_end(&((struct cluster_keys *)ctx)->keys);
}

static void on_moved(void *ctx, const bool moved[SLOTS])
{
    struct cluster_keys *keys = ctx;

    (void)moved; /* is the cluster's */
    keyspace_tell_up(&keys->keys, &(struct keyspace_part){.has = has_moved, .ctx = keys});
}

static const struct cluster_handlers cluster_handlers = {
    .on_up = on_up, .on_down = on_down, .on_batch_end = on_batch_end, .on_moved = on_moved};

/* Life. */

static void free_it(struct keyspace *keyspace)
{
    struct cluster_keys *keys = (struct cluster_keys *)keyspace;

    loop_timer_free(keys->tick);
    free(keys);
}

static const struct keyspace_kind kind = {
    .command = command, .is_up = is_up, .has = has, .lane = lane, .free = free_it};

struct keyspace *keyspace_new_cluster(struct cluster *cluster)
{
    struct cluster_keys *keys = calloc(1, sizeof(*keys));

    if (keys == NULL)
        return NULL;
    keys->keys.kind = &kind;
    keys->cluster = cluster;
    TAILQ_INIT(&keys->waiting);
    keys->tick = loop_timer_new(cluster->config->loop, on_tick, keys);
    if (keys->tick == NULL) {
        free(keys);
        return NULL;
    }
    cluster->handlers = &cluster_handlers;
    cluster->ctx = keys;
    return &keys->keys;
}

void keyspace_stop_cluster(struct keyspace *keyspace)
{
    struct cluster_keys *keys = (struct cluster_keys *)keyspace;
    struct sent *sent;

    keys->stopped = true;
    loop_timer_cancel(keys->tick);
    while ((sent = TAILQ_FIRST(&keys->waiting)) != NULL) {
        TAILQ_REMOVE(&keys->waiting, sent, waiting);
        finish(sent, NULL);
    }
}
