/* subscription_queue -- what is to be said to Redis, and when: what is queued differs from what
 * Redis has. IDLE ones are to be subscribed, HELD ones without an owner to be left. */
#include <errno.h>
#include <stdlib.h>

#include "base/loop.h"
#include "redis/redis_link.h"
#include "redis/subscription_private.h"

#define BATCH_CHANNELS 256 /* in one SUBSCRIBE */
#define BATCHES_MAX 512    /* of one lane under way */
#define RETRY_MAX_MS 4000  /* each pause is twice as long, until something is confirmed */

struct subscription_slot_queue *subscription_queue_of(const struct subscription_set *set,
                                                      const struct subscription *sub)
{
    return &set->queues[subscription_is_sharded(set)
                            ? subscription_slot(sub)
                            : sub->hash % SUBSCRIPTION_CLASSES % set->queue_count];
}

void subscription_make_ready(struct subscription_set *set, struct subscription_slot_queue *queue)
{
    if (queue->ready || TAILQ_EMPTY(&queue->subs) || queue->lane == SUBSCRIPTION_NO_LANE)
        return;
    TAILQ_INSERT_TAIL(&set->lanes[queue->lane].ready, queue, ready_link);
    queue->ready = true;
}

void subscription_make_unready(struct subscription_set *set, struct subscription_slot_queue *queue)
{
    if (queue->ready)
        TAILQ_REMOVE(&set->lanes[queue->lane].ready, queue, ready_link);
    queue->ready = false;
}

void subscription_unqueue(struct subscription_set *set, struct subscription *sub)
{
    struct subscription_slot_queue *queue;

    if (!sub->queued)
        return;
    sub->queued = false;
    if (sub->late) {
        TAILQ_REMOVE(&set->later, sub, queue);
        return;
    }
    queue = subscription_queue_of(set, sub);
    TAILQ_REMOVE(&queue->subs, sub, queue);
    if (TAILQ_EMPTY(&queue->subs))
        subscription_make_unready(set, queue);
}

/* Batches. */

static bool needs_subscribe(const struct subscription *sub)
{
    return sub->state == SUB_IDLE;
}

/* How many of the queue's first go into one command, and their channels. */
static size_t choose_batch(const struct subscription_slot_queue *queue, bool subscribe,
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
static void take_batch(struct subscription_slot_queue *queue, struct subscription_batch *batch,
                       size_t n, bool subscribe)
{
    for (; n > 0; n--) {
        struct subscription *sub = TAILQ_FIRST(&queue->subs);
        TAILQ_REMOVE(&queue->subs, sub, queue);
        sub->queued = false;
        sub->state = subscribe ? SUB_ASKED : SUB_LEAVING;
        sub->lane = batch->lane;
        LIST_INSERT_HEAD(&batch->subs, sub, batch);
    }
}

static bool send_batch(struct subscription_set *set, struct subscription_lane *lane,
                       struct subscription_slot_queue *queue)
{
    bool subscribe = needs_subscribe(TAILQ_FIRST(&queue->subs));
    struct notify_str argv[BATCH_CHANNELS + 1];
    struct subscription_batch *batch = malloc(sizeof(*batch));
    size_t n = choose_batch(queue, subscribe, argv + 1);

    if (batch == NULL)
        return false;
    *batch =
        (struct subscription_batch){.set = set, .len = n, .lane = (unsigned)(lane - set->lanes)};
    argv[0] = subscribe ? set->words->subscribe : set->words->unsubscribe;
    if (redis_link_push_command(lane->link, subscription_on_batch_over, batch, n + 1, argv) != 0) {
        free(batch);
        return false;
    }
    set->asked++;
    lane->asked++;
    take_batch(queue, batch, n, subscribe);
    if (TAILQ_EMPTY(&queue->subs))
        subscription_make_unready(set, queue);
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
static void send_lane(struct subscription_set *set, struct subscription_lane *lane)
{
    struct subscription_slot_queue *queue;

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
    for (struct subscription_lane *lane = set->lanes; lane < set->lanes + set->lane_count; lane++)
        if (lane->link != NULL)
            send_lane(set, lane);
}

void subscription_send_soon(struct subscription_set *set)
{
    if (set->send_due || set->up == 0)
        return;
    set->send_due = true;
    loop_defer(set->loop, on_send_due, set);
}

static void enqueue_quietly(struct subscription_set *set, struct subscription *sub)
{
    struct subscription_slot_queue *queue = subscription_queue_of(set, sub);

    if (sub->queued)
        return;
    TAILQ_INSERT_TAIL(&queue->subs, sub, queue);
    sub->queued = true;
    sub->late = false;
    subscription_make_ready(set, queue);
}

void subscription_enqueue(struct subscription_set *set, struct subscription *sub)
{
    enqueue_quietly(set, sub);
    subscription_send_soon(set);
}

void subscription_leave(struct subscription_set *set, struct subscription *sub)
{
    if (sub->lane == subscription_queue_of(set, sub)->lane)
        subscription_enqueue(set, sub);
}

void subscription_enqueue_for_later(struct subscription_set *set, struct subscription *sub)
{
    if (sub->queued)
        return;
    TAILQ_INSERT_TAIL(&set->later, sub, queue);
    sub->queued = true;
    sub->late = true;
    wait_for_retry(set);
}

void subscription_take_from_later(struct subscription_set *set)
{
    struct subscription *sub;

    while ((sub = TAILQ_FIRST(&set->later)) != NULL) {
        subscription_unqueue(set, sub);
        if (sub->state == SUB_HELD)
            subscription_leave(set, sub);
        else
            enqueue_quietly(set, sub);
    }
    subscription_send_soon(set);
}

static void on_retry(void *ctx)
{
    struct subscription_set *set = ctx;

    set->retry_due = false;
    subscription_take_from_later(set);
}

/* Life. */

int subscription_init_sending(struct subscription_set *set)
{
    TAILQ_INIT(&set->later);
    set->retry_ms = SUBSCRIPTION_RETRY_MIN_MS;
    set->retry = loop_timer_new(set->loop, on_retry, set);
    return set->retry == NULL ? -ENOMEM : 0;
}

void subscription_stop_sending(struct subscription_set *set)
{
    loop_timer_free(set->retry);
    set->retry = NULL;
    loop_undefer(set->loop, on_send_due, set);
}
