#include "redis/subscription_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "base/small.h"
#include "redis/slot.h"

static const struct subscription_words channel_words = {
    NOTIFY_STR_INIT("SUBSCRIBE"),   NOTIFY_STR_INIT("UNSUBSCRIBE"), NOTIFY_STR_INIT("subscribe"),
    NOTIFY_STR_INIT("unsubscribe"), NOTIFY_STR_INIT("message"),     .of_patterns = false};
static const struct subscription_words pattern_words = {
    NOTIFY_STR_INIT("PSUBSCRIBE"),   NOTIFY_STR_INIT("PUNSUBSCRIBE"), NOTIFY_STR_INIT("psubscribe"),
    NOTIFY_STR_INIT("punsubscribe"), NOTIFY_STR_INIT("pmessage"),     .of_patterns = true};
static const struct subscription_words shard_words = {
    NOTIFY_STR_INIT("SSUBSCRIBE"),   NOTIFY_STR_INIT("SUNSUBSCRIBE"), NOTIFY_STR_INIT("ssubscribe"),
    NOTIFY_STR_INIT("sunsubscribe"), NOTIFY_STR_INIT("smessage"),     .of_shards = true};

static uint64_t hash_of(const struct hash_table *table, const struct hash_node *node)
{
    (void)table;
    return ((const struct subscription *)node)->hash;
}

static int init_lanes(struct subscription_set *set, size_t lanes, size_t queues)
{
    set->lanes = calloc(lanes, sizeof(*set->lanes));
    set->queues = calloc(queues, sizeof(*set->queues));
    if (set->lanes == NULL || set->queues == NULL)
        return -ENOMEM;
    set->lane_count = lanes;
    set->queue_count = queues;
    for (size_t i = 0; i < lanes; i++)
        TAILQ_INIT(&set->lanes[i].ready);
    for (size_t i = 0; i < queues; i++)
        TAILQ_INIT(&set->queues[i].subs);
    return 0;
}

static void free_memory(struct subscription_set *set)
{
    subscription_stop_sending(set);
    hash_table_release(&set->table);
    free(set->lanes);
    free(set->queues);
    set->lanes = NULL;
    set->queues = NULL;
}

static struct subscription_set *set_new(struct loop *loop, const struct subscription_words *words,
                                        const struct subscription_handlers *handlers, size_t lanes,
                                        size_t queues)
{
    struct subscription_set *set = calloc(1, sizeof(*set));

    if (set == NULL)
        return NULL;
    set->loop = loop;
    if (subscription_init_sending(set) != 0 || init_lanes(set, lanes, queues) != 0 ||
        hash_table_init(&set->table, hash_of) != 0) {
        free_memory(set);
        free(set);
        return NULL;
    }
    set->words = words;
    set->handlers = handlers;
    return set;
}

struct subscription_set *subscription_set_new(struct loop *loop,
                                              const struct subscription_handlers *handlers)
{
    return subscription_set_new_spread(loop, handlers, 1);
}

struct subscription_set *subscription_set_new_spread(struct loop *loop,
                                                     const struct subscription_handlers *handlers,
                                                     unsigned lanes)
{
    struct subscription_set *set = set_new(loop, &channel_words, handlers, lanes, lanes);

    for (unsigned lane = 0; set != NULL && lane < lanes; lane++)
        set->queues[lane].lane = (uint16_t)lane;
    return set;
}

struct subscription_set *subscription_set_new_patterns(struct loop *loop,
                                                       const struct subscription_handlers *handlers)
{
    return set_new(loop, &pattern_words, handlers, 1, 1);
}

struct subscription_set *subscription_set_new_sharded(struct loop *loop,
                                                      const struct subscription_handlers *handlers,
                                                      const struct subscription_lanes *lanes)
{
    struct subscription_set *set =
        set_new(loop, &shard_words, handlers, SUBSCRIPTION_LANES_MAX, SLOTS);

    if (set == NULL)
        return NULL;
    set->routes = *lanes;
    for (unsigned slot = 0; slot < SLOTS; slot++)
        set->queues[slot].lane = (uint16_t)lanes->of_slot(lanes->ctx, slot);
    return set;
}

static void free_subscription(struct subscription *sub)
{
    small_give(sub, sizeof(*sub) + sub->len);
}

bool subscription_is_sharded(const struct subscription_set *set)
{
    return set->words->of_shards;
}

void subscription_free_when_idle(struct subscription_set *set)
{
    if (set->freed && set->asked == 0)
        free(set);
}

void subscription_set_free(struct subscription_set *set)
{
    struct hash_node *node, *next;

    if (set == NULL)
        return;
    HASH_TABLE_FOREACH(node, next, &set->table)
    {
        free_subscription((struct subscription *)node);
    }
    if (subscription_is_sharded(set))
        set->routes.on_freed(set->routes.ctx, set);
    free_memory(set);
    set->freed = true;
    subscription_free_when_idle(set);
}

/* The table. */

static uint32_t hash_channel(const struct subscription_set *set, struct notify_str channel)
{
    return (uint32_t)hash_bytes(&set->table.key, channel);
}

struct subscription *subscription_lookup(const struct subscription_set *set,
                                         struct notify_str channel)
{
    uint32_t hash = hash_channel(set, channel);

    for (struct hash_node *n = hash_table_chain(&set->table, hash); n != NULL; n = n->next) {
        struct subscription *sub = (struct subscription *)n;
        if (sub->hash == hash && notify_str_eq(subscription_channel(sub), channel))
            return sub;
    }
    return NULL;
}

void subscription_forget(struct subscription_set *set, struct subscription *sub)
{
    hash_table_remove(&set->table, &sub->node);
    subscription_unqueue(set, sub);
    free_subscription(sub);
}

unsigned subscription_slot(const struct subscription *sub)
{
    return slot_of_key(subscription_channel(sub));
}

bool subscription_is_somewhere(const struct subscription *sub)
{
    return sub->state == SUB_ASKED || sub->state == SUB_HELD || sub->state == SUB_LEAVING;
}

void *subscription_find(const struct subscription_set *set, struct notify_str channel)
{
    struct subscription *sub = subscription_lookup(set, channel);

    return sub == NULL ? NULL : sub->owner;
}

void subscription_each(const struct subscription_set *set, void (*fn)(void *owner))
{
    struct hash_node *node, *next;

    HASH_TABLE_FOREACH(node, next, &set->table)
    {
        const struct subscription *sub = (const struct subscription *)node;
        if (sub->owner != NULL)
            fn(sub->owner);
    }
}

bool subscription_walk(const struct subscription_set *set, bool (*fn)(void *ctx, void *owner),
                       void *ctx)
{
    struct hash_node *node, *next;

    HASH_TABLE_FOREACH(node, next, &set->table)
    {
        const struct subscription *sub = (const struct subscription *)node;
        if (sub->owner != NULL && !fn(ctx, sub->owner))
            return false;
    }
    return true;
}

size_t subscription_count(const struct subscription_set *set)
{
    return set->wanted;
}

size_t subscription_leaving_count(const struct subscription_set *set)
{
    return set->table.count - set->wanted;
}

struct notify_str subscription_channel(const struct subscription *sub)
{
    return notify_str_of(sub->channel, sub->len);
}

bool subscription_is_held(const struct subscription *sub)
{
    return sub->state == SUB_HELD;
}

bool subscription_is_refused(const struct subscription *sub)
{
    return sub->state == SUB_REFUSED;
}

/* Wishes. */

struct subscription *subscription_want(struct subscription_set *set, struct notify_str channel,
                                       void *owner)
{
    struct subscription *sub = subscription_lookup(set, channel);

    if (sub != NULL) { /* on its way out: ASKED or LEAVING, or HELD and queued to be left */
        sub->owner = owner;
        set->wanted++;
        if (sub->state == SUB_HELD)
            subscription_unqueue(set, sub);
        return sub;
    }
    sub = small_take(sizeof(*sub) + channel.len);
    if (sub == NULL)
        return NULL;
    memcpy(sub->channel, channel.ptr, channel.len);
    sub->len = (uint16_t)channel.len;
    sub->hash = hash_channel(set, channel);
    sub->owner = owner;
    hash_table_add(&set->table, &sub->node);
    set->wanted++;
    subscription_enqueue(set, sub);
    return sub;
}

void subscription_drop(struct subscription_set *set, struct subscription *sub)
{
    sub->owner = NULL;
    set->wanted--;
    if (sub->state == SUB_IDLE || sub->state == SUB_REFUSED)
        subscription_forget(set, sub);
    else if (sub->state == SUB_HELD)
        subscription_leave(set, sub);
}

void subscription_retry(struct subscription_set *set, struct subscription *sub)
{
    if (sub->state != SUB_REFUSED)
        return;
    sub->state = SUB_IDLE;
    subscription_enqueue(set, sub);
}
