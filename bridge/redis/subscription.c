#include "redis/subscription.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/hash_table.h"
#include "base/log.h"
#include "base/log_once.h"
#include "base/loop.h"
#include "redis/redis_link.h"
#include "redis/resp.h"

#define BATCH_CHANNELS 256 /* in one SUBSCRIBE */
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
    uint8_t state;
    bool queued : 1;
    bool alone : 1; /* a command that it shared was refused: find out which channel is at fault */
    char channel[];
};

TAILQ_HEAD(subscription_queue, subscription);

/* The channels of one command of which Redis has said nothing yet. */
struct batch {
    struct subscription_set *set;
    LIST_HEAD(batch_list, subscription) subs;
    size_t len; /* in the beginning */
};

/* What is said to Redis, and what it says. */
struct words {
    struct notify_str subscribe, unsubscribe, confirmed, left;
};

static const struct words channel_words = {
    NOTIFY_STR_INIT("SUBSCRIBE"), NOTIFY_STR_INIT("UNSUBSCRIBE"), NOTIFY_STR_INIT("subscribe"),
    NOTIFY_STR_INIT("unsubscribe")};
static const struct words pattern_words = {
    NOTIFY_STR_INIT("PSUBSCRIBE"), NOTIFY_STR_INIT("PUNSUBSCRIBE"), NOTIFY_STR_INIT("psubscribe"),
    NOTIFY_STR_INIT("punsubscribe")};

struct subscription_set {
    struct loop *loop; /* borrowed */
    const struct words *words;
    const struct subscription_handlers *handlers;
    struct redis_link *link; /* borrowed; NULL while down */
    struct hash_table table; /* of all that are not forgotten */
    size_t wanted;
    struct subscription_queue queue;
    struct loop_timer *retry;
    uint64_t retry_ms;
    struct log_once said; /* of the log */
    size_t asked;         /* batches that are under way */
    bool send_due, retry_due, freed;
};

static void send_soon(struct subscription_set *set);
static void on_send_due(void *ctx);

static void on_retry(void *ctx)
{
    struct subscription_set *set = ctx;

    set->retry_due = false;
    send_soon(set);
}

static uint64_t hash_of(const struct hash_table *table, const struct hash_node *node)
{
    (void)table;
    return ((const struct subscription *)node)->hash;
}

struct subscription_set *subscription_set_new(struct loop *loop,
                                              const struct subscription_handlers *handlers)
{
    struct subscription_set *set = calloc(1, sizeof(*set));

    if (set == NULL)
        return NULL;
    set->retry = loop_timer_new(loop, on_retry, set);
    if (set->retry == NULL || hash_table_init(&set->table, hash_of) != 0) {
        loop_timer_free(set->retry);
        free(set);
        return NULL;
    }
    set->loop = loop;
    set->words = &channel_words;
    set->handlers = handlers;
    set->retry_ms = RETRY_MIN_MS;
    TAILQ_INIT(&set->queue);
    return set;
}

struct subscription_set *subscription_set_new_patterns(struct loop *loop,
                                                       const struct subscription_handlers *handlers)
{
    struct subscription_set *set = subscription_set_new(loop, handlers);

    if (set != NULL)
        set->words = &pattern_words;
    return set;
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
        free(node);
    }
    hash_table_release(&set->table);
    loop_timer_free(set->retry);
    loop_undefer(set->loop, on_send_due, set);
    set->link = NULL;
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

static void forget(struct subscription_set *set, struct subscription *sub)
{
    hash_table_remove(&set->table, &sub->node);
    if (sub->queued)
        TAILQ_REMOVE(&set->queue, sub, queue);
    free(sub);
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
static size_t choose_batch(const struct subscription_set *set, bool subscribe,
                           struct notify_str channels[BATCH_CHANNELS])
{
    const struct subscription *sub;
    size_t n = 0;

    TAILQ_FOREACH(sub, &set->queue, queue)
    {
        if (n == BATCH_CHANNELS || needs_subscribe(sub) != subscribe || (n > 0 && sub->alone))
            break;
        channels[n++] = subscription_channel(sub);
        if (sub->alone)
            break;
    }
    return n;
}

static bool send_batch(struct subscription_set *set)
{
    bool subscribe = needs_subscribe(TAILQ_FIRST(&set->queue));
    struct notify_str argv[BATCH_CHANNELS + 1];
    struct batch *batch = malloc(sizeof(*batch));
    size_t n = choose_batch(set, subscribe, argv + 1);

    if (batch == NULL)
        return false;
    *batch = (struct batch){.set = set, .len = n};
    argv[0] = subscribe ? set->words->subscribe : set->words->unsubscribe;
    if (redis_link_push_command(set->link, on_batch_over, batch, n + 1, argv) != 0) {
        free(batch);
        return false;
    }
    set->asked++;
    for (; n > 0; n--) {
        struct subscription *sub = TAILQ_FIRST(&set->queue);
        TAILQ_REMOVE(&set->queue, sub, queue);
        sub->queued = false;
        sub->state = subscribe ? ASKED : LEAVING;
        LIST_INSERT_HEAD(&batch->subs, sub, batch);
    }
    return true;
}

static void retry_later(struct subscription_set *set)
{
    if (set->retry_due || TAILQ_EMPTY(&set->queue))
        return;
    set->retry_due = true;
    loop_timer_set(set->retry, set->retry_ms);
    set->retry_ms = set->retry_ms < RETRY_MAX_MS / 2 ? set->retry_ms * 2 : RETRY_MAX_MS;
}

static void on_send_due(void *ctx)
{
    struct subscription_set *set = ctx;

    set->send_due = false;
    while (set->link != NULL && !TAILQ_EMPTY(&set->queue))
        if (!send_batch(set)) {
            retry_later(set);
            break;
        }
}

static void send_soon(struct subscription_set *set)
{
    if (set->send_due || set->link == NULL || TAILQ_EMPTY(&set->queue))
        return;
    set->send_due = true;
    loop_defer(set->loop, on_send_due, set);
}

static void enqueue_quietly(struct subscription_set *set, struct subscription *sub)
{
    if (sub->queued)
        return;
    TAILQ_INSERT_TAIL(&set->queue, sub, queue);
    sub->queued = true;
}

/* All wishes of one turn of the loop go out together. */
static void enqueue(struct subscription_set *set, struct subscription *sub)
{
    enqueue_quietly(set, sub);
    send_soon(set);
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
        enqueue(set, sub);
}

void subscription_retry(struct subscription_set *set, struct subscription *sub)
{
    if (sub->state != REFUSED)
        return;
    sub->state = IDLE;
    enqueue(set, sub);
}

/* What Redis says. */

static void on_confirmed(struct subscription_set *set, struct notify_str channel)
{
    struct subscription *sub = find(set, channel);

    if (sub == NULL || sub->state != ASKED)
        return;
    LIST_REMOVE(sub, batch);
    sub->state = HELD;
    sub->alone = false;
    set->retry_ms = RETRY_MIN_MS;
    if (sub->owner == NULL)
        enqueue(set, sub);
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

static void on_left(struct subscription_set *set, struct notify_str channel)
{
    struct subscription *sub = find(set, channel);

    if (sub == NULL || sub->state != LEAVING)
        return;
    LIST_REMOVE(sub, batch);
    has_left(set, sub);
}

static void refuse(struct subscription_set *set, struct subscription *sub)
{
    sub->state = REFUSED;
    if (sub->owner == NULL)
        forget(set, sub);
    else
        set->handlers->on_refused(sub->owner);
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
    enqueue_quietly(set, sub);
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
    sub->alone = !resp_is_passing_error(reply);
    if (sub->owner == NULL)
        forget(set, sub);
    else
        enqueue_quietly(set, sub);
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
    struct subscription *sub;

    if (LIST_EMPTY(&batch->subs))
        return;
    log_refusal(set, batch, reply);
    while ((sub = LIST_FIRST(&batch->subs)) != NULL) {
        LIST_REMOVE(sub, batch);
        if (sub->state == LEAVING)
            on_not_left(set, sub, reply);
        else
            on_unconfirmed(batch, sub, reply);
    }
    if (resp_is_error(reply, "NOPERM"))
        send_soon(set);
    else
        retry_later(set);
}

static void on_batch_over(void *ctx, const struct resp *reply)
{
    struct batch *batch = ctx;
    struct subscription_set *set = batch->set;

    set->asked--;
    if (!set->freed && reply != NULL) /* else all of them begin anew, or are gone */
        work_off_rest(batch, reply);
    free(batch);
    free_when_idle(set);
}

/* A push of a message: its first words, then the channel, or the pattern and the channel. False: it
 * is none. */
static bool take_message(struct subscription_set *set, struct notify_str kind,
                         const struct resp *push)
{
    bool fits = set->words == &pattern_words;
    void *owner;

    if (!notify_str_eq(kind, fits ? NOTIFY_STR("pmessage") : NOTIFY_STR("message")) ||
        (fits && push->len < 4))
        return false;
    owner = subscription_find(set, resp_str(push->items[1]));
    if (owner != NULL && fits)
        set->handlers->on_pattern_message(owner, resp_str(push->items[2]),
                                          resp_str(push->items[3]));
    else if (owner != NULL)
        set->handlers->on_message(owner, resp_str(push->items[2]));
    return true;
}

void subscription_set_push(struct subscription_set *set, const struct resp *push)
{
    struct notify_str kind = push->len >= 3 ? resp_str(push->items[0]) : (struct notify_str){0};

    if (kind.len == 0 || take_message(set, kind, push))
        return;
    if (notify_str_eq(kind, set->words->confirmed))
        on_confirmed(set, resp_str(push->items[1]));
    else if (notify_str_eq(kind, set->words->left))
        on_left(set, resp_str(push->items[1]));
}

/* Calls fn for each subscription; fn may forget the one that it is given. */
static void for_each(struct subscription_set *set,
                     void (*fn)(struct subscription_set *set, struct subscription *sub))
{
    struct hash_node *node, *next;

    HASH_TABLE_FOREACH(node, next, &set->table)
    {
        fn(set, (struct subscription *)node);
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
