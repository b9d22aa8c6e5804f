#include "redis/subscription.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/loop.h"
#include "redis/redis_link.h"
#include "redis/resp.h"

#define BATCH_CHANNELS 256 /* in one SUBSCRIBE */
#define FIRST_BUCKETS 64

enum state { IDLE, ASKED, HELD, LEAVING };

struct subscription {
    struct subscription *next;       /* in the bucket */
    TAILQ_ENTRY(subscription) queue; /* of those that something is to be sent for */
    void *owner;                     /* NULL: not wanted any more */
    uint32_t hash;
    uint16_t len;
    uint8_t state;
    bool queued;
    char channel[];
};

TAILQ_HEAD(subscription_queue, subscription);

struct subscription_set {
    struct loop *loop; /* borrowed */
    const struct subscription_handlers *handlers;
    struct redis_link *link; /* borrowed; NULL while down */
    struct subscription **buckets;
    size_t mask, count, wanted; /* count: in the table */
    struct subscription_queue queue;
    struct hash_key key;
    bool send_due, freed;
};

struct subscription_set *subscription_set_new(struct loop *loop,
                                              const struct subscription_handlers *handlers)
{
    struct subscription_set *set = calloc(1, sizeof(*set));

    if (set == NULL)
        return NULL;
    set->buckets = calloc(FIRST_BUCKETS, sizeof(struct subscription *));
    if (set->buckets == NULL) {
        free(set);
        return NULL;
    }
    set->loop = loop;
    set->handlers = handlers;
    set->mask = FIRST_BUCKETS - 1;
    set->key = hash_key_new();
    TAILQ_INIT(&set->queue);
    return set;
}

void subscription_set_free(struct subscription_set *set)
{
    if (set == NULL)
        return;
    for (size_t i = 0; i <= set->mask; i++)
        while (set->buckets[i] != NULL) {
            struct subscription *sub = set->buckets[i];
            set->buckets[i] = sub->next;
            free(sub);
        }
    free(set->buckets);
    set->link = NULL;
    set->freed = true;
    if (!set->send_due)
        free(set);
}

/* The table. */

static struct subscription *find(const struct subscription_set *set, struct notify_str channel)
{
    uint32_t hash = (uint32_t)hash_bytes(&set->key, channel);
    struct subscription *sub = set->buckets[hash & set->mask];

    while (sub != NULL && (sub->hash != hash || !notify_str_eq(subscription_channel(sub), channel)))
        sub = sub->next;
    return sub;
}

static void link_into(struct subscription **buckets, size_t mask, struct subscription *sub)
{
    sub->next = buckets[sub->hash & mask];
    buckets[sub->hash & mask] = sub;
}

/* Twice the buckets; for lack of memory the chains just grow longer. */
static void grow(struct subscription_set *set)
{
    size_t mask = set->mask * 2 + 1;
    struct subscription **buckets = calloc(mask + 1, sizeof(struct subscription *));

    if (buckets == NULL)
        return;
    for (size_t i = 0; i <= set->mask; i++)
        while (set->buckets[i] != NULL) {
            struct subscription *sub = set->buckets[i];
            set->buckets[i] = sub->next;
            link_into(buckets, mask, sub);
        }
    free(set->buckets);
    set->buckets = buckets;
    set->mask = mask;
}

static void forget(struct subscription_set *set, struct subscription *sub)
{
    struct subscription **at = &set->buckets[sub->hash & set->mask];

    while (*at != sub)
        at = &(*at)->next;
    *at = sub->next;
    if (sub->queued)
        TAILQ_REMOVE(&set->queue, sub, queue);
    set->count--;
    free(sub);
}

void *subscription_find(const struct subscription_set *set, struct notify_str channel)
{
    struct subscription *sub = find(set, channel);

    return sub == NULL ? NULL : sub->owner;
}

size_t subscription_count(const struct subscription_set *set)
{
    return set->wanted;
}

struct notify_str subscription_channel(const struct subscription *sub)
{
    return notify_str_of(sub->channel, sub->len);
}

bool subscription_is_held(const struct subscription *sub)
{
    return sub->state == HELD;
}

/* Sending. What is queued differs from what Redis has: IDLE ones are to be subscribed, HELD ones
 * without an owner to be left. */

static bool needs_subscribe(const struct subscription *sub)
{
    return sub->state == IDLE;
}

static size_t send_batch(struct subscription_set *set, bool subscribe)
{
    struct notify_str argv[BATCH_CHANNELS + 1];
    struct subscription *batch[BATCH_CHANNELS];
    struct subscription *sub;
    size_t n = 0;

    argv[0] = subscribe ? NOTIFY_STR("SUBSCRIBE") : NOTIFY_STR("UNSUBSCRIBE");
    TAILQ_FOREACH(sub, &set->queue, queue)
    {
        if (n == BATCH_CHANNELS || needs_subscribe(sub) != subscribe)
            break;
        batch[n++] = sub;
        argv[n] = subscription_channel(sub);
    }
    if (n == 0 || redis_link_command(set->link, NULL, NULL, n + 1, argv) != 0)
        return 0; /* the link is going down: all is sent again when it is up */
    for (size_t i = 0; i < n; i++) {
        TAILQ_REMOVE(&set->queue, batch[i], queue);
        batch[i]->queued = false;
        batch[i]->state = subscribe ? ASKED : LEAVING;
    }
    return n;
}

static void on_send_due(void *ctx)
{
    struct subscription_set *set = ctx;

    set->send_due = false;
    if (set->freed) {
        free(set);
        return;
    }
    while (set->link != NULL && !TAILQ_EMPTY(&set->queue))
        if (send_batch(set, needs_subscribe(TAILQ_FIRST(&set->queue))) == 0)
            break;
}

/* All wishes of one turn of the loop go out together. */
static void enqueue(struct subscription_set *set, struct subscription *sub)
{
    if (!sub->queued) {
        TAILQ_INSERT_TAIL(&set->queue, sub, queue);
        sub->queued = true;
    }
    if (!set->send_due && set->link != NULL) {
        set->send_due = true;
        loop_defer(set->loop, on_send_due, set);
    }
}

static void unqueue(struct subscription_set *set, struct subscription *sub)
{
    if (sub->queued)
        TAILQ_REMOVE(&set->queue, sub, queue);
    sub->queued = false;
}

struct subscription *subscription_want(struct subscription_set *set, struct notify_str channel,
                                       void *owner)
{
    struct subscription *sub = find(set, channel);

    if (sub != NULL) { /* on its way out: ASKED or LEAVING, or HELD and queued to be left */
        sub->owner = owner;
        set->wanted++;
        if (sub->state == HELD)
            unqueue(set, sub);
        return sub;
    }
    sub = calloc(1, sizeof(*sub) + channel.len);
    if (sub == NULL)
        return NULL;
    memcpy(sub->channel, channel.ptr, channel.len);
    sub->len = (uint16_t)channel.len;
    sub->hash = (uint32_t)hash_bytes(&set->key, channel);
    sub->owner = owner;
    if (++set->count > set->mask)
        grow(set);
    link_into(set->buckets, set->mask, sub);
    set->wanted++;
    enqueue(set, sub);
    return sub;
}

void subscription_drop(struct subscription_set *set, struct subscription *sub)
{
    sub->owner = NULL;
    set->wanted--;
    if (sub->state == IDLE)
        forget(set, sub);
    else if (sub->state == HELD)
        enqueue(set, sub);
}

/* What Redis says. */

static void on_confirmed(struct subscription_set *set, struct notify_str channel)
{
    struct subscription *sub = find(set, channel);

    if (sub == NULL || sub->state != ASKED)
        return;
    sub->state = HELD;
    if (sub->owner == NULL)
        enqueue(set, sub);
    else
        set->handlers->on_held(sub->owner);
}

static void on_left(struct subscription_set *set, struct notify_str channel)
{
    struct subscription *sub = find(set, channel);

    if (sub == NULL || sub->state != LEAVING)
        return;
    sub->state = IDLE;
    if (sub->owner == NULL)
        forget(set, sub);
    else
        enqueue(set, sub);
}

void subscription_set_push(struct subscription_set *set, const struct resp *push)
{
    struct notify_str kind = push->len >= 3 ? resp_str(push->items[0]) : (struct notify_str){0};
    struct notify_str channel = push->len >= 3 ? resp_str(push->items[1]) : kind;

    if (notify_str_eq(kind, NOTIFY_STR("message"))) {
        void *owner = subscription_find(set, channel);
        if (owner != NULL)
            set->handlers->on_message(owner, resp_str(push->items[2]));
    } else if (notify_str_eq(kind, NOTIFY_STR("subscribe"))) {
        on_confirmed(set, channel);
    } else if (notify_str_eq(kind, NOTIFY_STR("unsubscribe"))) {
        on_left(set, channel);
    }
}

/* Calls fn for each subscription; fn may forget the one that it is given. */
static void for_each(struct subscription_set *set,
                     void (*fn)(struct subscription_set *set, struct subscription *sub))
{
    for (size_t i = 0; i <= set->mask; i++)
        for (struct subscription *sub = set->buckets[i], *next; sub != NULL; sub = next) {
            next = sub->next;
            fn(set, sub);
        }
}

static void start_over(struct subscription_set *set, struct subscription *sub)
{
    void *owner = sub->owner;
    bool was_held = sub->state == HELD;

    unqueue(set, sub);
    sub->state = IDLE;
    if (owner == NULL) {
        forget(set, sub);
        return;
    }
    enqueue(set, sub);
    if (was_held)
        set->handlers->on_lost(owner);
}

void subscription_set_up(struct subscription_set *set, struct redis_link *link)
{
    set->link = link;
    if (!TAILQ_EMPTY(&set->queue))
        enqueue(set, TAILQ_FIRST(&set->queue));
}

void subscription_set_down(struct subscription_set *set)
{
    set->link = NULL;
    for_each(set, start_over);
}
