#include "redis/subscription.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/hash_table.h"
#include "base/log.h"
#include "base/log_once.h"
#include "base/loop.h"
#include "base/small.h"
#include "redis/redis_link.h"
#include "redis/resp.h"
#include "redis/slot.h"

#define BATCH_CHANNELS 256 /* in one SUBSCRIBE */
#define BATCHES_MAX 512    /* of one lane under way */
#define CLASSES 1024       /* of hashes, each of one lane if there are no slots; a power of 2 */
#define RETRY_MIN_MS 250   /* what is refused for a while is said again after so long, */
#define RETRY_MAX_MS 4000  /* then after twice as long, up to this, until something is confirmed */

enum state { IDLE, ASKED, HELD, LEAVING, REFUSED };

struct subscription {
    struct hash_node node; /* first */
    union {
        TAILQ_ENTRY(subscription) queue; /* of those that something is to be sent for */
        LIST_ENTRY(subscription) batch;  /* while ASKED or LEAVING: of the command's */
    };
    void *owner; /* NULL: not wanted any more */
    uint32_t hash;
    uint16_t len;
    unsigned state : 3;
    unsigned queued : 1;
    unsigned late : 1; /* if it is queued: until retry rings */
    unsigned
        alone : 1; /* a command that it shared was refused: find out which channel is at fault */
    unsigned lane : 10; /* where it is ASKED, HELD or LEAVING */
    char channel[];
};

TAILQ_HEAD(subscription_queue, subscription);

/* The channels of one command of which Redis has said nothing yet. */
struct batch {
    struct subscription_set *set;
    LIST_HEAD(batch_list, subscription) subs;
    size_t len; /* in the beginning */
    unsigned lane;
};

/* What is to be sent of one slot; without slots, in one lane. */
struct slot_queue {
    struct subscription_queue subs;
    TAILQ_ENTRY(slot_queue) ready_link;
    uint16_t lane; /* or SUBSCRIPTION_NO_LANE */
    bool ready;    /* in the list of its lane: there is something to be sent */
};

struct lane {
    struct redis_link *link; /* borrowed; NULL while down */
    TAILQ_HEAD(ready_list, slot_queue) ready;
    size_t asked; /* batches that are under way */
};

/* What is said to Redis, and what it says. */
struct words {
    struct notify_str subscribe, unsubscribe, confirmed, left, message;
};

static const struct words channel_words = {
    NOTIFY_STR_INIT("SUBSCRIBE"), NOTIFY_STR_INIT("UNSUBSCRIBE"), NOTIFY_STR_INIT("subscribe"),
    NOTIFY_STR_INIT("unsubscribe"), NOTIFY_STR_INIT("message")};
static const struct words pattern_words = {
    NOTIFY_STR_INIT("PSUBSCRIBE"), NOTIFY_STR_INIT("PUNSUBSCRIBE"), NOTIFY_STR_INIT("psubscribe"),
    NOTIFY_STR_INIT("punsubscribe"), NOTIFY_STR_INIT("pmessage")};
static const struct words shard_words = {
    NOTIFY_STR_INIT("SSUBSCRIBE"), NOTIFY_STR_INIT("SUNSUBSCRIBE"), NOTIFY_STR_INIT("ssubscribe"),
    NOTIFY_STR_INIT("sunsubscribe"), NOTIFY_STR_INIT("smessage")};

struct subscription_set {
    struct loop *loop; /* borrowed */
    const struct words *words;
    const struct subscription_handlers *handlers;
    struct subscription_lanes routes;
    struct hash_table table; /* of all that are not forgotten */
    size_t wanted;
    struct lane *lanes;        /* owned */
    struct slot_queue *queues; /* owned: one for each lane, or one for each slot */
    size_t lane_count, queue_count;
    size_t up; /* lanes with a link */
    struct subscription_queue later;
    struct loop_timer *retry;
    uint64_t retry_ms;
    struct log_once said; /* of the log */
    size_t asked;         /* batches that are under way */
    bool moved;           /* a slot has another lane, and what it had in the old one was left */
    bool send_due, retry_due, freed;
};

static void send_soon(struct subscription_set *set);
static void on_send_due(void *ctx);

static void on_retry(void *ctx);

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
    loop_timer_free(set->retry);
    hash_table_release(&set->table);
    free(set->lanes);
    free(set->queues);
    set->retry = NULL;
    set->lanes = NULL;
    set->queues = NULL;
}

static struct subscription_set *set_new(struct loop *loop, const struct words *words,
                                        const struct subscription_handlers *handlers, size_t lanes,
                                        size_t queues)
{
    struct subscription_set *set = calloc(1, sizeof(*set));

    if (set == NULL)
        return NULL;
    set->retry = loop_timer_new(loop, on_retry, set);
    if (set->retry == NULL || init_lanes(set, lanes, queues) != 0 ||
        hash_table_init(&set->table, hash_of) != 0) {
        free_memory(set);
        free(set);
        return NULL;
    }
    set->loop = loop;
    set->words = words;
    set->handlers = handlers;
    set->retry_ms = RETRY_MIN_MS;
    TAILQ_INIT(&set->later);
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

static bool is_sharded(const struct subscription_set *set)
{
    return set->words == &shard_words;
}

static void free_when_idle(struct subscription_set *set)
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
    if (is_sharded(set))
        set->routes.on_freed(set->routes.ctx, set);
    free_memory(set);
    loop_undefer(set->loop, on_send_due, set);
    set->freed = true;
    free_when_idle(set);
}

/* The table. */

static uint32_t hash_channel(const struct subscription_set *set, struct notify_str channel)
{
    return (uint32_t)hash_bytes(&set->table.key, channel);
}

static struct subscription *find(const struct subscription_set *set, struct notify_str channel)
{
    uint32_t hash = hash_channel(set, channel);

    for (struct hash_node *n = hash_table_chain(&set->table, hash); n != NULL; n = n->next) {
        struct subscription *sub = (struct subscription *)n;
        if (sub->hash == hash && notify_str_eq(subscription_channel(sub), channel))
            return sub;
    }
    return NULL;
}

static unsigned slot_of(const struct subscription *sub)
{
    return slot_of_key(subscription_channel(sub));
}

static struct slot_queue *queue_of(const struct subscription_set *set,
                                   const struct subscription *sub)
{
    return &set->queues[is_sharded(set) ? slot_of(sub) : sub->hash % CLASSES % set->queue_count];
}

static void make_ready(struct subscription_set *set, struct slot_queue *queue)
{
    if (queue->ready || TAILQ_EMPTY(&queue->subs) || queue->lane == SUBSCRIPTION_NO_LANE)
        return;
    TAILQ_INSERT_TAIL(&set->lanes[queue->lane].ready, queue, ready_link);
    queue->ready = true;
}

static void make_unready(struct subscription_set *set, struct slot_queue *queue)
{
    if (queue->ready)
        TAILQ_REMOVE(&set->lanes[queue->lane].ready, queue, ready_link);
    queue->ready = false;
}

static void unqueue(struct subscription_set *set, struct subscription *sub)
{
    struct slot_queue *queue;

    if (!sub->queued)
        return;
    sub->queued = false;
    if (sub->late) {
        TAILQ_REMOVE(&set->later, sub, queue);
        return;
    }
    queue = queue_of(set, sub);
    TAILQ_REMOVE(&queue->subs, sub, queue);
    if (TAILQ_EMPTY(&queue->subs))
        make_unready(set, queue);
}

static void forget(struct subscription_set *set, struct subscription *sub)
{
    hash_table_remove(&set->table, &sub->node);
    unqueue(set, sub);
    free_subscription(sub);
}

void *subscription_find(const struct subscription_set *set, struct notify_str channel)
{
    struct subscription *sub = find(set, channel);

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
    return sub->state == HELD;
}

bool subscription_is_refused(const struct subscription *sub)
{
    return sub->state == REFUSED;
}

/* Sending. What is queued differs from what Redis has: IDLE ones are to be subscribed, HELD ones
 * without an owner to be left. */

static void on_batch_over(void *ctx, const struct resp *reply);

static bool needs_subscribe(const struct subscription *sub)
{
    return sub->state == IDLE;
}

/* How many of the queue's first go into one command, and their channels. */
static size_t choose_batch(const struct slot_queue *queue, bool subscribe,
                           struct notify_str channels[BATCH_CHANNELS])
{
    const struct subscription *sub;
    size_t n = 0;

    TAILQ_FOREACH(sub, &queue->subs, queue)
    {
        if (n == BATCH_CHANNELS || needs_subscribe(sub) != subscribe || (n > 0 && sub->alone))
            break;
        channels[n++] = subscription_channel(sub);
        if (sub->alone)
            break;
    }
    return n;
}

/* The queue's first n are in the batch now. */
static void take_batch(struct slot_queue *queue, struct batch *batch, size_t n, bool subscribe)
{
    for (; n > 0; n--) {
        struct subscription *sub = TAILQ_FIRST(&queue->subs);
        TAILQ_REMOVE(&queue->subs, sub, queue);
        sub->queued = false;
        sub->state = subscribe ? ASKED : LEAVING;
        sub->lane = batch->lane;
        LIST_INSERT_HEAD(&batch->subs, sub, batch);
    }
}

static bool send_batch(struct subscription_set *set, struct lane *lane, struct slot_queue *queue)
{
    bool subscribe = needs_subscribe(TAILQ_FIRST(&queue->subs));
    struct notify_str argv[BATCH_CHANNELS + 1];
    struct batch *batch = malloc(sizeof(*batch));
    size_t n = choose_batch(queue, subscribe, argv + 1);

    if (batch == NULL)
        return false;
    *batch = (struct batch){.set = set, .len = n, .lane = (unsigned)(lane - set->lanes)};
    argv[0] = subscribe ? set->words->subscribe : set->words->unsubscribe;
    if (redis_link_push_command(lane->link, on_batch_over, batch, n + 1, argv) != 0) {
        free(batch);
        return false;
    }
    set->asked++;
    lane->asked++;
    take_batch(queue, batch, n, subscribe);
    if (TAILQ_EMPTY(&queue->subs))
        make_unready(set, queue);
    return true;
}

/* Until what is to be sent again may be. */
static void wait_for_retry(struct subscription_set *set)
{
    if (set->retry_due)
        return;
    set->retry_due = true;
    loop_timer_set(set->retry, set->retry_ms);
    set->retry_ms = set->retry_ms < RETRY_MAX_MS / 2 ? set->retry_ms * 2 : RETRY_MAX_MS;
}

/* Batches of one slot follow one another; answers make room for others. */
static void send_lane(struct subscription_set *set, struct lane *lane)
{
    struct slot_queue *queue;

    while (lane->asked < BATCHES_MAX && (queue = TAILQ_FIRST(&lane->ready)) != NULL)
        if (!send_batch(set, lane, queue)) {
            wait_for_retry(set);
            break;
        }
}

static void on_send_due(void *ctx)
{
    struct subscription_set *set = ctx;

    set->send_due = false;
    for (struct lane *lane = set->lanes; lane < set->lanes + set->lane_count; lane++)
        if (lane->link != NULL)
            send_lane(set, lane);
}

static void send_soon(struct subscription_set *set)
{
    if (set->send_due || set->up == 0)
        return;
    set->send_due = true;
    loop_defer(set->loop, on_send_due, set);
}

static void enqueue_quietly(struct subscription_set *set, struct subscription *sub)
{
    struct slot_queue *queue = queue_of(set, sub);

    if (sub->queued)
        return;
    TAILQ_INSERT_TAIL(&queue->subs, sub, queue);
    sub->queued = true;
    sub->late = false;
    make_ready(set, queue);
}

/* All wishes of one turn of the loop go out together. */
static void enqueue(struct subscription_set *set, struct subscription *sub)
{
    enqueue_quietly(set, sub);
    send_soon(set);
}

/* One that is not wanted any more is left where it is held. If its slot is said to be elsewhere,
 * the next subscription_set_reroute() tells whether there is anything to be left. */
static void leave(struct subscription_set *set, struct subscription *sub)
{
    if (sub->lane == queue_of(set, sub)->lane)
        enqueue(set, sub);
}

static void enqueue_for_later(struct subscription_set *set, struct subscription *sub)
{
    if (sub->queued)
        return;
    TAILQ_INSERT_TAIL(&set->later, sub, queue);
    sub->queued = true;
    sub->late = true;
    wait_for_retry(set);
}

static void take_from_later(struct subscription_set *set)
{
    struct subscription *sub;

    while ((sub = TAILQ_FIRST(&set->later)) != NULL) {
        unqueue(set, sub);
        if (sub->state == HELD)
            leave(set, sub);
        else
            enqueue_quietly(set, sub);
    }
    send_soon(set);
}

static void on_retry(void *ctx)
{
    struct subscription_set *set = ctx;

    set->retry_due = false;
    take_from_later(set);
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
    sub = small_take(sizeof(*sub) + channel.len);
    if (sub == NULL)
        return NULL;
    memcpy(sub->channel, channel.ptr, channel.len);
    sub->len = (uint16_t)channel.len;
    sub->hash = hash_channel(set, channel);
    sub->owner = owner;
    hash_table_add(&set->table, &sub->node);
    set->wanted++;
    enqueue(set, sub);
    return sub;
}

void subscription_drop(struct subscription_set *set, struct subscription *sub)
{
    sub->owner = NULL;
    set->wanted--;
    if (sub->state == IDLE || sub->state == REFUSED)
        forget(set, sub);
    else if (sub->state == HELD)
        leave(set, sub);
}

void subscription_retry(struct subscription_set *set, struct subscription *sub)
{
    if (sub->state != REFUSED)
        return;
    sub->state = IDLE;
    enqueue(set, sub);
}

/* What Redis says. */

static bool is_somewhere(const struct subscription *sub)
{
    return sub->state == ASKED || sub->state == HELD || sub->state == LEAVING;
}

static void on_confirmed(struct subscription_set *set, unsigned lane, struct notify_str channel)
{
    struct subscription *sub = find(set, channel);

    if (sub == NULL || sub->state != ASKED || sub->lane != lane)
        return;
    LIST_REMOVE(sub, batch);
    sub->state = HELD;
    sub->alone = false;
    set->retry_ms = RETRY_MIN_MS;
    if (sub->owner == NULL)
        leave(set, sub);
    else
        set->handlers->on_held(sub->owner);
}

/* Redis has it no more. */
static void has_left(struct subscription_set *set, struct subscription *sub)
{
    sub->state = IDLE;
    if (sub->owner == NULL)
        forget(set, sub);
    else
        enqueue(set, sub);
}

/* What is held, or is about to be left, begins anew. */
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

/* Unasked: the slot is leaving this server. To ask it again leads to where the slot is. */
static void on_taken(struct subscription_set *set, struct subscription *sub)
{
    unsigned slot = slot_of(sub);

    start_over(set, sub);
    set->routes.on_taken(set->routes.ctx, slot);
}

/* What comes while it is ASKED is an older answer, or that of a move; the fence tells what holds.
 */
static void on_left(struct subscription_set *set, unsigned lane, struct notify_str channel)
{
    struct subscription *sub = find(set, channel);

    if (sub == NULL || sub->lane != lane)
        return;
    if (sub->state == LEAVING) {
        LIST_REMOVE(sub, batch);
        has_left(set, sub);
    } else if (sub->state == HELD && is_sharded(set)) {
        on_taken(set, sub);
    }
}

static void refuse(struct subscription_set *set, struct subscription *sub)
{
    sub->state = REFUSED;
    if (sub->owner == NULL)
        forget(set, sub);
    else
        set->handlers->on_refused(sub->owner);
}

static bool is_redirected(const struct subscription_set *set, const struct resp *reply)
{
    return is_sharded(set) && (resp_is_error(reply, "MOVED") || resp_is_error(reply, "ASK"));
}

/* A channel that was to be left, which was not confirmed. To subscribe what is held does no harm;
 * nobody hears what comes on one that we may not even leave. */
static void on_not_left(struct subscription_set *set, struct subscription *sub,
                        const struct resp *reply)
{
    if (sub->owner != NULL || !resp_is_passing_error(reply)) {
        has_left(set, sub);
        return;
    }
    sub->state = HELD;
    enqueue_for_later(set, sub);
}

/* A channel that was asked for and not confirmed. */
static void on_unconfirmed(struct batch *batch, struct subscription *sub, const struct resp *reply)
{
    struct subscription_set *set = batch->set;

    if (batch->len == 1 && resp_is_error(reply, "NOPERM")) {
        refuse(set, sub);
        return;
    }
    sub->state = IDLE;
    sub->alone = !resp_is_passing_error(reply) && !is_redirected(set, reply);
    if (sub->owner == NULL)
        forget(set, sub);
    else if (resp_is_error(reply, "NOPERM"))
        enqueue(set, sub);
    else
        enqueue_for_later(set, sub);
}

static void log_refusal(struct subscription_set *set, const struct batch *batch,
                        const struct resp *reply)
{
    struct notify_str first = subscription_channel(LIST_FIRST(&batch->subs));
    const char *text = "not confirmed";
    unsigned skipped;

    if (reply->kind == RESP_ERROR)
        text = log_bytes(reply->str.ptr, reply->str.len);
    if (log_once(&set->said, loop_now_ms(set->loop), text, &skipped))
        log_warn("subscription_refused", "channel", log_bytes(first.ptr, first.len), "channels",
                 log_int((int64_t)batch->len), "text", text, "times", log_int(skipped + 1));
}

/* All has come that a command led to; of what is left in its list Redis has said nothing. */
static void work_off_rest(struct batch *batch, const struct resp *reply)
{
    struct subscription_set *set = batch->set;
    struct subscription *sub = LIST_FIRST(&batch->subs);
    unsigned slot;

    if (sub == NULL)
        return;
    slot = is_sharded(set) ? slot_of(sub) : 0;
    if (!is_redirected(set, reply))
        log_refusal(set, batch, reply);
    while ((sub = LIST_FIRST(&batch->subs)) != NULL) {
        LIST_REMOVE(sub, batch);
        if (sub->state == LEAVING)
            on_not_left(set, sub, reply);
        else
            on_unconfirmed(batch, sub, reply);
    }
    if (!is_sharded(set))
        return;
    set->routes.on_refused(set->routes.ctx, slot, reply);
    if (set->queues[slot].lane != batch->lane)
        take_from_later(set);
}

static void on_batch_over(void *ctx, const struct resp *reply)
{
    struct batch *batch = ctx;
    struct subscription_set *set = batch->set;

    set->asked--;
    if (!set->freed) {
        set->lanes[batch->lane].asked--;
        if (reply != NULL) /* else all of them begin anew */
            work_off_rest(batch, reply);
        send_soon(set);
    }
    free(batch);
    free_when_idle(set);
}

/* A push of a message: its first words, then the channel, or the pattern and the channel. False: it
 * is none. */
static bool take_message(struct subscription_set *set, struct notify_str kind,
                         const struct resp *push)
{
    bool has_pattern = set->words == &pattern_words;
    void *owner;

    if (!notify_str_eq(kind, set->words->message) || (has_pattern && push->len < 4))
        return false;
    owner = subscription_find(set, resp_str(push->items[1]));
    if (owner != NULL && has_pattern)
        set->handlers->on_pattern_message(owner, resp_str(push->items[2]),
                                          resp_str(push->items[3]));
    else if (owner != NULL)
        set->handlers->on_message(owner, resp_str(push->items[2]));
    return true;
}

void subscription_set_lane_push(struct subscription_set *set, unsigned lane,
                                const struct resp *push)
{
    struct notify_str kind = push->len >= 3 ? resp_str(push->items[0]) : (struct notify_str){0};

    if (kind.len == 0 || take_message(set, kind, push))
        return;
    if (notify_str_eq(kind, set->words->confirmed))
        on_confirmed(set, lane, resp_str(push->items[1]));
    else if (notify_str_eq(kind, set->words->left))
        on_left(set, lane, resp_str(push->items[1]));
}

void subscription_set_push(struct subscription_set *set, const struct resp *push)
{
    subscription_set_lane_push(set, 0, push);
}

/* Lanes. */

void subscription_set_lane_up(struct subscription_set *set, unsigned lane, struct redis_link *link)
{
    set->up += set->lanes[lane].link == NULL;
    set->lanes[lane].link = link;
    send_soon(set);
}

/* Whoever is told may want others, but those are in no lane yet, nor is anybody dropped. */
static void lose_in_bucket(struct subscription_set *set, unsigned lane, size_t bucket)
{
    struct hash_node *node, *next;

    for (node = hash_table_chain(&set->table, bucket); node != NULL; node = next) {
        struct subscription *sub = (struct subscription *)node;
        next = node->next;
        if (is_somewhere(sub) && sub->lane == lane)
            start_over(set, sub);
    }
}

/* Of many lanes that go down at once each is only looked for where its channels are. */
static void lose_all(struct subscription_set *set, unsigned lane)
{
    bool sorted = !is_sharded(set) && set->table.mask >= CLASSES - 1;
    size_t classes = sorted ? CLASSES : 1, step = sorted ? set->queue_count : 1;

    for (size_t class = sorted ? lane : 0; class < classes; class += step)
        for (size_t bucket = class; bucket <= set->table.mask; bucket += classes)
            lose_in_bucket(set, lane, bucket);
}

void subscription_set_lane_down(struct subscription_set *set, unsigned lane)
{
    set->up -= set->lanes[lane].link != NULL;
    set->lanes[lane].link = NULL;
    lose_all(set, lane);
}

void subscription_set_up(struct subscription_set *set, struct redis_link *link)
{
    subscription_set_lane_up(set, 0, link);
}

void subscription_set_down(struct subscription_set *set)
{
    subscription_set_lane_down(set, 0);
}

/* Routes. */

static unsigned lane_of(const struct subscription_set *set, unsigned slot)
{
    return set->routes.of_slot(set->routes.ctx, slot);
}

/* Those that are to be left are not at the new server. */
static void keep_held(struct subscription_set *set, struct slot_queue *queue)
{
    struct subscription *sub = TAILQ_FIRST(&queue->subs), *next;

    for (; sub != NULL; sub = next) {
        next = TAILQ_NEXT(sub, queue);
        if (sub->state == HELD)
            unqueue(set, sub);
    }
}

void subscription_set_reroute_slot(struct subscription_set *set, unsigned slot)
{
    struct slot_queue *queue = &set->queues[slot];
    unsigned lane = lane_of(set, slot);

    if (queue->lane == lane)
        return;
    keep_held(set, queue);
    make_unready(set, queue);
    queue->lane = (uint16_t)lane;
    make_ready(set, queue);
    set->moved = true;
    send_soon(set);
}

/* What it has, or is about to have, it has at the old server of its slot. */
static void leave_old_lane(struct subscription_set *set, struct subscription *sub)
{
    if (!is_somewhere(sub))
        return;
    if (sub->lane == queue_of(set, sub)->lane) {
        if (sub->state == HELD && sub->owner == NULL)
            enqueue(set, sub);
        return;
    }
    if (sub->state != HELD)
        LIST_REMOVE(sub, batch);
    start_over(set, sub);
}

void subscription_set_reroute(struct subscription_set *set)
{
    struct hash_node *node, *next;

    for (unsigned slot = 0; slot < SLOTS; slot++)
        subscription_set_reroute_slot(set, slot);
    if (!set->moved)
        return;
    set->moved = false;
    HASH_TABLE_FOREACH(node, next, &set->table)
    {
        leave_old_lane(set, (struct subscription *)node);
    }
}
