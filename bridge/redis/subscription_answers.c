/* subscription_answers -- what becomes of subscriptions when Redis has said something. */
#include <stdlib.h>

#include "base/log.h"
#include "base/loop.h"
#include "redis/redis_link.h"
#include "redis/resp.h"
#include "redis/subscription_private.h"

static void on_confirmed(struct subscription_set *set, unsigned lane, struct notify_str channel)
{
    struct subscription *sub = subscription_lookup(set, channel);

    if (sub == NULL || sub->state != SUB_ASKED || sub->lane != lane)
        return;
    LIST_REMOVE(sub, batch);
    sub->state = SUB_HELD;
    sub->alone = false;
    set->retry_ms = SUBSCRIPTION_RETRY_MIN_MS;
    if (sub->owner == NULL)
        subscription_leave(set, sub);
    else
        set->handlers->on_held(sub->owner);
}

/* Redis has it no more. */
static void has_left(struct subscription_set *set, struct subscription *sub)
{
    sub->state = SUB_IDLE;
    if (sub->owner == NULL)
        subscription_forget(set, sub);
    else
        subscription_enqueue(set, sub);
}

void subscription_start_over(struct subscription_set *set, struct subscription *sub)
{
    void *owner = sub->owner;
    bool was_held = sub->state == SUB_HELD;

    subscription_unqueue(set, sub);
    sub->state = SUB_IDLE;
    if (owner == NULL) {
        subscription_forget(set, sub);
        return;
    }
    subscription_enqueue(set, sub);
    if (was_held)
        set->handlers->on_lost(owner);
}

/* Unasked: the slot is leaving this server. To ask it again leads to where the slot is. */
static void on_taken(struct subscription_set *set, struct subscription *sub)
{
    unsigned slot = subscription_slot(sub);

    subscription_start_over(set, sub);
    set->routes.on_taken(set->routes.ctx, slot);
}

/* What comes while it is ASKED is an older answer, or that of a move; the fence tells what holds.
 */
static void on_left(struct subscription_set *set, unsigned lane, struct notify_str channel)
{
    struct subscription *sub = subscription_lookup(set, channel);

    if (sub == NULL || sub->lane != lane)
        return;
    if (sub->state == SUB_LEAVING) {
        LIST_REMOVE(sub, batch);
        has_left(set, sub);
    } else if (sub->state == SUB_HELD && subscription_is_sharded(set)) {
        on_taken(set, sub);
    }
}

static void refuse(struct subscription_set *set, struct subscription *sub)
{
    sub->state = SUB_REFUSED;
    if (sub->owner == NULL)
        subscription_forget(set, sub);
    else
        set->handlers->on_refused(sub->owner);
}

static bool is_redirected(const struct subscription_set *set, const struct resp *reply)
{
    return subscription_is_sharded(set) &&
           (resp_is_error(reply, "MOVED") || resp_is_error(reply, "ASK"));
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
    sub->state = SUB_HELD;
    subscription_enqueue_for_later(set, sub);
}

/* A channel that was asked for and not confirmed. */
static void on_unconfirmed(struct subscription_batch *batch, struct subscription *sub,
                           const struct resp *reply)
{
    struct subscription_set *set = batch->set;

    if (batch->len == 1 && resp_is_error(reply, "NOPERM")) {
        refuse(set, sub);
        return;
    }
    sub->state = SUB_IDLE;
    sub->alone = !resp_is_passing_error(reply) && !is_redirected(set, reply);
    if (sub->owner == NULL)
        subscription_forget(set, sub);
    else if (resp_is_error(reply, "NOPERM"))
        subscription_enqueue(set, sub);
    else
        subscription_enqueue_for_later(set, sub);
}

static void log_refusal(struct subscription_set *set, const struct subscription_batch *batch,
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
static void work_off_rest(struct subscription_batch *batch, const struct resp *reply)
{
    struct subscription_set *set = batch->set;
    struct subscription *sub = LIST_FIRST(&batch->subs);
    unsigned slot;

    if (sub == NULL)
        return;
    slot = subscription_is_sharded(set) ? subscription_slot(sub) : 0;
    if (!is_redirected(set, reply))
        log_refusal(set, batch, reply);
    while ((sub = LIST_FIRST(&batch->subs)) != NULL) {
        LIST_REMOVE(sub, batch);
        if (sub->state == SUB_LEAVING)
            on_not_left(set, sub, reply);
        else
            on_unconfirmed(batch, sub, reply);
    }
    if (!subscription_is_sharded(set))
        return;
    set->routes.on_refused(set->routes.ctx, slot, reply);
    if (set->queues[slot].lane != batch->lane)
        subscription_take_from_later(set);
}

void subscription_on_batch_over(void *ctx, const struct resp *reply)
{
    struct subscription_batch *batch = ctx;
    struct subscription_set *set = batch->set;

    set->asked--;
    if (!set->freed) {
        set->lanes[batch->lane].asked--;
        if (reply != NULL) /* else all of them begin anew */
            work_off_rest(batch, reply);
        subscription_send_soon(set);
    }
    free(batch);
    subscription_free_when_idle(set);
}

/* A push of a message: its first words, then the channel, or the pattern and the channel. False: it
 * is none. */
static bool take_message(struct subscription_set *set, struct notify_str kind,
                         const struct resp *push)
{
    bool has_pattern = set->words->of_patterns;
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
