#include "clients/poll_box.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/counters.h"
#include "base/loop.h"
#include "base/number.h"
#include "clients/poll_call.h"
#include "clients/poll_hold.h"
#include "redis/beacon.h"
#include "redis/redis_link.h"
#include "redis/resp.h"
#include "redis/subscription.h"
#include "redis/turns.h"
#include "socketio/engineio.h"

#define CHANNEL_BEGIN "eio:"
#define CHANNEL_OF_ALL "eio:bridges"
/* An upgrade, or a close, waits for whoever still holds the box and has been told so: most are
 * giving it back just now. */
#define RETRY_SOON_MS 3
#define SOON_TRIES 6
#define RETRY_MS 20
#define TRIES 100
#define LOOK_AGAIN_MS 500 /* after Redis did not answer a holder's look: nobody wakes him again */

#define FLAG(set) ((set) ? NOTIFY_STR("1") : NOTIFY_STR("0"))
#define NOTHING ((struct notify_str){NULL, 0})

struct poll_boxes {
    struct poll_boxes_config config;
    struct poll_caller caller;
    struct beacon *channel; /* owned: the one that holders are told on */
    struct beacon *all;     /* owned: that of all bridges, who are counted by it; NULL: we are about
                             * to end */
    struct poll_holds holds;
    STAILQ_HEAD(waiter_queue, waiter) waiters; /* for the holder */
    struct loop_timer *retry;
    struct loop_timer *again; /* for holders who could not look */
    bool looks_again;         /* it is set */
    bool settled;             /* Redis has said whether we may hear */
    bool stopped;             /* nobody is told anything any more */
    struct {
        char interval[NUMBER_TEXT_MAX + 1], timeout[NUMBER_TEXT_MAX + 1],
            upgrade[NUMBER_TEXT_MAX + 1], bytes[NUMBER_TEXT_MAX + 1], items[NUMBER_TEXT_MAX + 1];
    } texts; /* of what config has in numbers */
};

/* A call without a hold. */
struct ask {
    struct poll_boxes *boxes;
    poll_fn fn;
    void *ctx;
};

struct waiter {
    STAILQ_ENTRY(waiter) link;
    struct poll_boxes *boxes;
    void (*send)(struct waiter *waiter, struct notify_str sid);
    poll_call_fn on_reply;
    poll_fn fn; /* of an upgrade */
    void *ctx;
    struct poll_hold *hold; /* of who closes */
    unsigned tries;
    char sid[ENGINEIO_SID_LEN];
};

/* Calls. */

static struct poll_taken taken_of(const struct poll_reply *reply, struct poll_hold *hold)
{
    return (struct poll_taken){.hold = hold,
                               .state = reply->again ? NOTHING : reply->state,
                               .answer = reply->again ? reply->state : NOTHING,
                               .input = reply->input,
                               .again = reply->again,
                               .probed = reply->probed,
                               .ping_in_ms = reply->ping_in_ms,
                               .dead_in_ms = reply->dead_in_ms,
                               .known = reply->known,
                               .missed = reply->missed,
                               .waits = reply->waits,
                               .release = reply->release,
                               .set_back = reply->set_back};
}

static void tell(const struct poll_boxes *boxes, poll_fn fn, void *ctx,
                 const struct poll_reply *reply, struct poll_hold *hold)
{
    struct poll_taken taken = taken_of(reply, hold);

    bool has = reply->result == POLL_DONE || reply->result == POLL_SERVED;

    if (fn != NULL && !boxes->stopped)
        fn(ctx, reply->result, has ? &taken : NULL);
}

static void on_asked(void *ctx, const struct poll_reply *reply)
{
    struct ask ask = *(struct ask *)ctx;

    free(ctx);
    if (reply->result == POLL_FULL)
        counter_add(COUNTER_POLL_INPUT, 1);
    tell(ask.boxes, ask.fn, ask.ctx, reply, NULL);
}

static void ask(struct poll_boxes *boxes, enum poll_script script, struct notify_str sid,
                poll_fn fn, void *ctx, size_t argc, const struct notify_str *argv)
{
    struct ask *ask = malloc(sizeof(*ask));

    if (ask == NULL)
        abort(); /* as the loop does: whoever waits could not be told */
    *ask = (struct ask){boxes, fn, ctx};
    poll_call(&boxes->caller, script, sid, on_asked, ask, argc, argv);
}

static struct poll_boxes *boxes_of(const struct poll_hold *hold)
{
    return hold->boxes;
}

static void call_for(struct poll_hold *hold, enum poll_script script, poll_call_fn on_reply,
                     size_t argc, const struct notify_str *argv)
{
    hold->under_way++;
    poll_call(&boxes_of(hold)->caller, script, poll_hold_sid(hold), on_reply, hold, argc, argv);
}

/* Without our channel nobody could tell our holders anything: they would be taken for gone. */
static bool is_heard(struct poll_boxes *boxes, struct notify_str sid)
{
    return beacon_is_held(boxes->channel, sid); /* which alone counts of its box's key */
}

static void box_open(void *store, struct notify_str sid, poll_fn fn, void *ctx)
{
    struct poll_boxes *boxes = store;
    const struct notify_str args[] = {notify_str_z(boxes->texts.interval),
                                      notify_str_z(boxes->texts.timeout), NOTHING};

    ask(boxes, POLL_OPEN, sid, fn, ctx, 3, args);
}

/* Taking, for a GET. */

/* A box whose holder asks for it in vain is not his. */
static enum poll_result result_for(const struct poll_hold *hold, enum poll_result result)
{
    return result == POLL_LOST || result == POLL_UNKNOWN ? hold->why : result;
}

/* Does it say with what to go on, which whoever asks has not in his memory? */
static bool is_news(const struct poll_reply *reply)
{
    return reply->result == POLL_DONE && !reply->again && !reply->known;
}

/* Is the hold still there when that has been told? Who keeps a session stays its keeper when a GET
 * is not to be served by it. */
static bool stays_after(const struct poll_hold *hold, const struct poll_reply *reply)
{
    if (reply->again || reply->result == POLL_PROBED)
        return hold->keeps;
    return reply->result == POLL_DONE || reply->result == POLL_SERVED ||
           (reply->result == POLL_AWAY && hold->taken);
}

static void on_taken(void *ctx, const struct poll_reply *reply)
{
    struct poll_hold *hold = ctx;
    struct poll_reply said = *reply;
    struct poll_holds *holds = hold->all;
    const struct poll_boxes *boxes = hold->boxes;
    uint64_t number = hold->number;
    poll_fn fn = hold->fn;
    void *fn_ctx = hold->ctx;
    bool stays;

    hold->under_way--;
    hold->looking = false;
    if (hold->over) {
        poll_hold_end(hold);
        return;
    }
    if (hold->taken)
        said.result = result_for(hold, reply->result);
    stays = stays_after(hold, &said);
    hold->taken = stays;
    hold->asks = said.result == POLL_DONE && !said.again;
    hold->keeps = hold->keeps && stays && !(said.result == POLL_SERVED || is_news(&said));
    if (hold->asks) {
        hold->seen = said.last;
        hold->given = said.given;
        hold->said = said.known ? hold->said : said.given;
    }
    if (said.result == POLL_FULL)
        counter_add(COUNTER_POLL_INPUT, 1);
    if (!stays)
        poll_hold_end(hold);
    tell(boxes, fn, fn_ctx, &said, stays ? hold : NULL);
    poll_hold_wake_if_told(holds, number);
}

static struct poll_hold *hold_new(struct poll_boxes *boxes, const struct poll_taking *taking,
                                  poll_fn fn)
{
    struct poll_hold *hold =
        taking->kept != NULL ? taking->kept : poll_hold_new(&boxes->holds, taking);

    poll_hold_set_t(hold, taking->t);
    hold->boxes = boxes;
    hold->fn = fn;
    hold->ctx = taking->ctx;
    return hold;
}

static void send_take(struct poll_hold *hold, enum poll_script script, size_t argc,
                      const struct notify_str *argv, struct notify_str sid)
{
    struct poll_boxes *boxes = hold->boxes;

    hold->looking = true;
    hold->under_way++;
    if (is_heard(boxes, sid))
        poll_call(&boxes->caller, script, sid, on_taken, hold, argc, argv);
    else
        poll_call_nobody(&boxes->caller, on_taken, hold);
}

static void take_for_get(struct poll_boxes *boxes, const struct poll_taking *taking, poll_fn fn)
{
    struct poll_hold *hold = hold_new(boxes, taking, fn);
    char token[POLL_TOKEN_MAX], given[NUMBER_TEXT_MAX + 1], said[NUMBER_TEXT_MAX + 1];
    const struct notify_str args[] = {poll_hold_token(hold, token), poll_hold_t(hold),
                                      number_text(given, (int64_t)hold->given),
                                      number_text(said, (int64_t)hold->said)};

    send_take(hold, POLL_TAKE, 4, args, taking->sid);
}

static void box_ask(void *store, struct poll_hold *hold, bool leaves, poll_fn fn, void *ctx)
{
    char token[POLL_TOKEN_MAX];
    const struct notify_str args[] = {poll_hold_token(hold, token), poll_hold_t(hold),
                                      FLAG(leaves)};

    (void)store;
    hold->woken = false;
    hold->fn = fn;
    hold->ctx = ctx;
    send_take(hold, POLL_ASK, 3, args, poll_hold_sid(hold));
}

/* Waiting. */

static struct waiter *waiter_new(struct poll_boxes *boxes, const struct poll_taking *taking)
{
    struct waiter *waiter = calloc(1, sizeof(*waiter));

    if (waiter == NULL)
        abort(); /* as the loop does: whoever waits could not be told */
    waiter->boxes = boxes;
    waiter->ctx = taking->ctx;
    if (taking->sid.len == sizeof(waiter->sid))
        memcpy(waiter->sid, taking->sid.ptr, taking->sid.len);
    return waiter;
}

/* Somebody holds it, who has been told? Then it is asked for again. */
static bool waits(struct waiter *waiter, const struct poll_reply *reply)
{
    struct poll_boxes *boxes = waiter->boxes;
    bool soon;

    if (!reply->held || ++waiter->tries >= TRIES)
        return false;
    soon = waiter->tries <= SOON_TRIES;
    if (soon || STAILQ_EMPTY(&boxes->waiters)) /* others with it, which does no harm */
        loop_timer_set(boxes->retry, soon ? RETRY_SOON_MS : RETRY_MS);
    STAILQ_INSERT_TAIL(&boxes->waiters, waiter, link);
    return true;
}

static void retry(void *ctx)
{
    struct poll_boxes *boxes = ctx;
    struct waiter_queue all = STAILQ_HEAD_INITIALIZER(all);
    struct waiter *waiter;

    STAILQ_CONCAT(&all, &boxes->waiters);
    while ((waiter = STAILQ_FIRST(&all)) != NULL) {
        STAILQ_REMOVE_HEAD(&all, link);
        waiter->send(waiter, notify_str_of(waiter->sid, sizeof(waiter->sid)));
    }
}

/* Taking, for a WebSocket. */

static void on_upgraded(void *ctx, const struct poll_reply *reply)
{
    struct waiter *upgrade = ctx;
    struct poll_boxes *boxes = upgrade->boxes;
    poll_fn fn = upgrade->fn;
    void *fn_ctx = upgrade->ctx;

    if (waits(upgrade, reply))
        return;
    free(upgrade);
    tell(boxes, fn, fn_ctx, reply, NULL);
}

static void send_upgrade(struct waiter *upgrade, struct notify_str sid)
{
    struct poll_boxes *boxes = upgrade->boxes;
    const struct notify_str args[] = {notify_str_z(boxes->holds.node)};

    poll_call(&boxes->caller, POLL_UPGRADE, sid, on_upgraded, upgrade, 1, args);
}

static void take_for_upgrade(struct poll_boxes *boxes, const struct poll_taking *taking, poll_fn fn)
{
    struct waiter *upgrade = waiter_new(boxes, taking);

    upgrade->send = send_upgrade;
    upgrade->on_reply = on_upgraded;
    upgrade->fn = fn;
    send_upgrade(upgrade, taking->sid);
}

/* Taking, for who closes. The holder may be giving it back just now, and never read that it is
 * closed: so he is waited for. */

static void on_closed(void *ctx, const struct poll_reply *reply)
{
    struct waiter *close = ctx;
    struct poll_hold *hold = close->hold;
    struct poll_reply said = *reply;

    if (waits(close, reply))
        return;
    if (reply->held || (close->tries > 0 && reply->result == POLL_UNKNOWN)) {
        said.result = POLL_DONE; /* he has read it */
        said.again = true;
    }
    free(close);
    on_taken(hold, &said);
}

static void send_close(struct waiter *close, struct notify_str payload, struct notify_str sid)
{
    struct poll_boxes *boxes = close->boxes;
    char token[POLL_TOKEN_MAX];
    const struct notify_str args[] = {payload, notify_str_z(boxes->texts.bytes),
                                      notify_str_z(boxes->texts.items),
                                      poll_hold_token(close->hold, token)};

    if (is_heard(boxes, sid))
        poll_call(&boxes->caller, POLL_CLOSE, sid, on_closed, close, 4, args);
    else
        poll_call_nobody(&boxes->caller, on_closed, close);
}

static void send_close_again(struct waiter *close, struct notify_str sid)
{
    send_close(close, NOTHING, sid);
}

static void box_close(void *store, const struct poll_taking *taking, struct notify_str payload,
                      poll_fn fn)
{
    struct waiter *close = waiter_new(store, taking);

    close->hold = hold_new(store, taking, fn);
    close->hold->under_way++;
    close->send = send_close_again;
    close->on_reply = on_closed;
    send_close(close, payload, taking->sid);
}

static void box_take(void *store, const struct poll_taking *taking, poll_fn fn)
{
    if (taking->taker == POLL_FOR_GET)
        take_for_get(store, taking, fn);
    else
        take_for_upgrade(store, taking, fn);
}

/* What a holder does. */

static void wake_blind(void *ctx)
{
    struct poll_boxes *boxes = ctx;

    boxes->looks_again = false;
    poll_holds_wake_blind(&boxes->holds);
}

/* What he was woken for is still there. */
static void look_again(struct poll_hold *hold)
{
    struct poll_boxes *boxes = hold->boxes;

    hold->blind = true;
    if (!boxes->looks_again)
        loop_timer_set(boxes->again, LOOK_AGAIN_MS);
    boxes->looks_again = true;
}

static void on_looked(void *ctx, const struct poll_reply *reply)
{
    struct poll_hold *hold = ctx;
    struct poll_holds *holds = hold->all;
    const struct poll_boxes *boxes = hold->boxes;
    struct poll_reply said = *reply;
    uint64_t number = hold->number;
    poll_fn fn = hold->fn;
    void *fn_ctx = hold->ctx;

    hold->under_way--;
    hold->looking = false;
    if (hold->over) {
        if (!hold->giving)
            poll_hold_end(hold);
        return;
    }
    said.result = result_for(hold, reply->result);
    if (said.result == POLL_DONE)
        hold->seen = said.last;
    else if (said.result == POLL_AWAY)
        look_again(hold);
    else
        poll_hold_end(hold);
    tell(boxes, fn, fn_ctx, &said, said.result == POLL_DONE ? hold : NULL);
    poll_hold_wake_if_told(holds, number);
}

/* What names its own GET, as it does in the box. Empty: it has none. */
static struct notify_str own_get(const struct poll_hold *hold, struct notify_str token)
{
    if (!hold->asks)
        return NOTHING;
    return hold->t_len > 0 ? poll_hold_t(hold) : token;
}

static void box_look(void *store, struct poll_hold *hold, poll_fn fn, void *ctx)
{
    char token[POLL_TOKEN_MAX], given[NUMBER_TEXT_MAX + 1], said[NUMBER_TEXT_MAX + 1];
    const struct notify_str who = poll_hold_token(hold, token);
    const struct notify_str args[] = {who, number_text(given, (int64_t)hold->given),
                                      own_get(hold, who), number_text(said, (int64_t)hold->said)};

    (void)store;
    assert(!hold->looking && !hold->over);
    hold->looking = true;
    hold->woken = hold->blind = false;
    hold->fn = fn;
    hold->ctx = ctx;
    call_for(hold, POLL_LOOK, on_looked, 4, args);
}

static struct poll_hold *hold_kept(const struct poll_holds *holds, uint64_t number)
{
    struct poll_hold *hold = poll_hold_find(holds, number);

    return hold != NULL && !hold->over ? hold : NULL;
}

static void on_given(void *ctx, const struct poll_reply *reply)
{
    struct poll_hold *hold = ctx;
    struct poll_holds *holds = hold->all;
    uint64_t number = hold->number;
    const struct poll_boxes *boxes = hold->boxes;
    struct poll_reply said = *reply;
    poll_fn fn = hold->fn;
    void *fn_ctx = hold->ctx;

    said.result = result_for(hold, reply->result);
    hold->under_way--;
    hold->giving = false;
    if (said.result == POLL_DONE) {
        hold->given = said.given;
        hold->said = hold->says ? said.given : hold->said;
    }
    hold->keeps = hold->keeps && (said.result == POLL_DONE || said.result == POLL_UNHEARD);
    if (!hold->keeps || hold->over)
        poll_hold_end(hold);
    tell(boxes, fn, fn_ctx, &said, hold_kept(holds, number));
    poll_hold_wake_if_told(holds, number);
}

static void on_dropped(void *ctx, const struct poll_reply *reply)
{
    struct poll_hold *hold = ctx;

    (void)reply;
    hold->under_way--;
    if (hold->giving) { /* it was too much to be given back */
        hold->giving = false;
        tell(hold->boxes, hold->fn, hold->ctx, &(struct poll_reply){.result = POLL_FULL}, NULL);
    }
    poll_hold_end(hold);
}

static void send_drop(struct poll_hold *hold)
{
    char token[POLL_TOKEN_MAX];
    const struct notify_str args[] = {poll_hold_token(hold, token)};

    call_for(hold, POLL_DROP, on_dropped, 1, args);
}

/* Does it say anything that is lost if Redis loses it? */
static bool says_more_than_a_ping(const struct poll_giving *giving)
{
    return giving->answers && !notify_str_eq(giving->answer, NOTIFY_STR("2")) &&
           !notify_str_eq(giving->answer, NOTIFY_STR("6"));
}

static void box_give_back(void *store, struct poll_hold *hold, const struct poll_giving *giving,
                          poll_fn fn, void *ctx)
{
    char token[POLL_TOKEN_MAX], seen[NUMBER_TEXT_MAX + 1], given[NUMBER_TEXT_MAX + 1],
        said[NUMBER_TEXT_MAX + 1];
    const struct notify_str who = poll_hold_token(hold, token);
    const struct notify_str args[] = {who,
                                      giving->state,
                                      FLAG(giving->answers),
                                      giving->answer,
                                      FLAG(giving->pinged),
                                      number_text(seen, (int64_t)hold->seen),
                                      FLAG(giving->keeps),
                                      number_text(given, (int64_t)hold->given),
                                      own_get(hold, who),
                                      number_text(said, (int64_t)hold->said)};

    (void)store;
    hold->fn = fn;
    hold->ctx = ctx;
    hold->asks = false;
    hold->says = says_more_than_a_ping(giving);
    hold->giving = true;
    hold->keeps = giving->keeps && giving->state.len <= boxes_of(hold)->config.state_max;
    if (giving->state.len <= boxes_of(hold)->config.state_max) {
        call_for(hold, POLL_GIVE, on_given, POLL_CALL_ARGS, args);
    } else {
        counter_add(COUNTER_POLL_STATE, 1);
        send_drop(hold);
    }
    if (!hold->keeps)
        poll_hold_end(hold); /* once that is answered */
}

static void box_finish(void *store, struct poll_hold *hold, struct notify_str answer)
{
    char token[POLL_TOKEN_MAX];
    const struct notify_str args[] = {poll_hold_token(hold, token), answer};

    (void)store;
    call_for(hold, POLL_FINISH, on_dropped, 2, args);
    poll_hold_end(hold);
}

static void box_forget(void *store, struct poll_hold *hold)
{
    (void)store;
    poll_hold_end(hold);
}

static void box_drop(void *store, struct notify_str sid, struct poll_hold *hold)
{
    const struct notify_str nobody = NOTHING;

    if (hold == NULL) {
        ask(store, POLL_DROP, sid, NULL, NULL, 1, &nobody);
        return;
    }
    send_drop(hold);
    poll_hold_end(hold);
}

/* What others do. */

static void box_push(void *store, struct notify_str sid, struct notify_str payload, unsigned flags,
                     poll_fn fn, void *ctx)
{
    struct poll_boxes *boxes = store;
    const struct notify_str args[] = {payload, FLAG(flags & POLL_PONG),
                                      notify_str_z(boxes->texts.bytes),
                                      notify_str_z(boxes->texts.items)};

    ask(boxes, POLL_PUSH, sid, fn, ctx, 4, args);
}

static void box_check(void *store, struct notify_str sid, poll_fn fn, void *ctx)
{
    ask(store, POLL_CHECK, sid, fn, ctx, 0, NULL);
}

static void box_probe(void *store, struct notify_str sid, poll_fn fn, void *ctx)
{
    struct poll_boxes *boxes = store;
    const struct notify_str args[] = {notify_str_z(boxes->holds.node),
                                      notify_str_z(boxes->texts.upgrade)};

    ask(boxes, POLL_PROBE, sid, fn, ctx, 2, args);
}

static void box_unprobe(void *store, struct notify_str sid)
{
    const struct notify_str node = notify_str_z(((struct poll_boxes *)store)->holds.node);

    ask(store, POLL_UNPROBE, sid, NULL, NULL, 1, &node);
}

/* Who else is there. */

static void on_counted(void *ctx, const struct resp *reply)
{
    struct ask *ask = ctx;
    struct poll_boxes *boxes = ask->boxes;
    int64_t we = boxes->all != NULL && beacon_is_held_everywhere(boxes->all) ? 1 : 0;
    int64_t listeners = reply == NULL ? -1 : resp_integer(reply, -1);
    struct poll_reply said = {.result = listeners > we ? POLL_DONE : POLL_UNKNOWN};

    if (listeners < 0)
        said.result = POLL_AWAY;
    if (boxes->all != NULL)
        beacon_end(boxes->all);
    on_asked(ask, &said);
}

static void box_others(void *store, poll_fn fn, void *ctx)
{
    struct poll_boxes *boxes = store;
    const struct notify_str words[] = {NOTIFY_STR("PUBLISH"), NOTIFY_STR(CHANNEL_OF_ALL),
                                       NOTIFY_STR("ends")};
    struct ask *ask = malloc(sizeof(*ask));
    const struct turn turn = {
        .argc = 3, .argv = words, .reply_bytes = 64, .fn = on_counted, .ctx = ask};

    if (ask == NULL)
        abort(); /* as the loop does: whoever waits could not be told */
    *ask = (struct ask){boxes, fn, ctx};
    if (turns_command(boxes->config.commands, &turn) < 0)
        poll_call_nobody(&boxes->caller, on_asked, ask);
}

static const struct poll_store_ops ops = {
    .open = box_open,
    .take = box_take,
    .look = box_look,
    .ask = box_ask,
    .finish = box_finish,
    .give_back = box_give_back,
    .push = box_push,
    .close = box_close,
    .check = box_check,
    .probe = box_probe,
    .unprobe = box_unprobe,
    .drop = box_drop,
    .others = box_others,
    .forget = box_forget,
};

struct poll_store poll_boxes_store(struct poll_boxes *boxes)
{
    return (struct poll_store){.ops = &ops, .store = boxes};
}

/* The link that hears. Nothing has to be heard on the channel that bridges are counted by. */

static char nobody; /* as whose it is wanted */

static void settle(struct poll_boxes *boxes)
{
    if (boxes->settled && boxes->config.ears == NULL) /* else there are other servers */
        return;
    boxes->settled = true;
    if (boxes->config.on_settled != NULL)
        boxes->config.on_settled(boxes->config.ctx);
}

/* Whatever was said while nobody listened is looked for. */
static void on_held(void *owner)
{
    if (owner == &nobody)
        return;
    settle(owner);
    poll_holds_wake_all(&((struct poll_boxes *)owner)->holds);
}

static void on_refused(void *owner)
{
    if (owner != &nobody)
        settle(owner);
}

/* A box still names somebody who was here: Redis did not take what he gave back, say, and he could
 * not wait for that. As long as this process hears, he would be taken for alive. */
static void disown(struct poll_boxes *boxes, const struct poll_wake *wake)
{
    char token[POLL_TOKEN_MAX];
    const struct notify_str who = poll_holds_token(&boxes->holds, wake->number, token);

    ask(boxes, POLL_DISOWN, wake->sid, NULL, NULL, 1, &who);
}

static void on_message(void *owner, struct notify_str payload)
{
    struct poll_boxes *boxes = owner;
    struct poll_wake wake;

    if (owner != &nobody && poll_wake_read(&wake, payload) &&
        !poll_holds_wake(&boxes->holds, &wake) && wake.sid.len > 0)
        disown(boxes, &wake);
}

static void on_lost(void *owner)
{
    (void)owner; /* on_held will come */
}

static const struct subscription_handlers subscription_handlers = {
    .on_held = on_held, .on_lost = on_lost, .on_refused = on_refused, .on_message = on_message};

static void on_up(void *ctx, struct redis_link *link)
{
    struct poll_boxes *boxes = ctx;

    beacon_up(boxes->channel, link);
    if (boxes->all != NULL)
        beacon_up(boxes->all, link);
}

static void on_down(void *ctx)
{
    struct poll_boxes *boxes = ctx;

    boxes->settled = false;
    beacon_down(boxes->channel);
    if (boxes->all != NULL)
        beacon_down(boxes->all);
}

static void on_push(void *ctx, const struct resp *push)
{
    struct poll_boxes *boxes = ctx;

    beacon_push(boxes->channel, push);
    if (boxes->all != NULL)
        beacon_push(boxes->all, push);
}

const struct redis_link_handlers poll_boxes_subscriber_handlers = {
    .on_up = on_up, .on_down = on_down, .on_push = on_push};

/* Life. */

static void write_texts(struct poll_boxes *boxes)
{
    const struct poll_boxes_config *config = &boxes->config;

    (void)number_text(boxes->texts.interval, (int64_t)config->ping_interval_ms);
    (void)number_text(boxes->texts.timeout, (int64_t)config->ping_timeout_ms);
    (void)number_text(boxes->texts.upgrade, (int64_t)config->upgrade_timeout_ms);
    (void)number_text(boxes->texts.bytes, (int64_t)config->input_max);
    (void)number_text(boxes->texts.items, POLL_INPUT_ITEMS);
}

static int init(struct poll_boxes *boxes)
{
    const struct poll_boxes_config *config = &boxes->config;
    char channel[sizeof(CHANNEL_BEGIN) + POLL_NODE_MAX] = CHANNEL_BEGIN;

    if (poll_holds_init(&boxes->holds, config->loop) != 0)
        return -ENOMEM;
    memcpy(channel + sizeof(CHANNEL_BEGIN) - 1, boxes->holds.node, POLL_NODE_MAX);
    boxes->retry = loop_timer_new(config->loop, retry, boxes);
    boxes->again = loop_timer_new(config->loop, wake_blind, boxes);
    boxes->channel = beacon_new(config->loop, config->ears, notify_str_z(channel),
                                &subscription_handlers, boxes);
    boxes->all = beacon_new(config->loop, config->ears, NOTIFY_STR(CHANNEL_OF_ALL),
                            &subscription_handlers, &nobody);
    return boxes->retry == NULL || boxes->again == NULL || boxes->channel == NULL ||
                   boxes->all == NULL
               ? -ENOMEM
               : 0;
}

struct poll_boxes *poll_boxes_new(const struct poll_boxes_config *config)
{
    struct poll_boxes *boxes = calloc(1, sizeof(*boxes));

    if (boxes == NULL)
        return NULL;
    boxes->config = *config;
    STAILQ_INIT(&boxes->waiters);
    poll_caller_init(&boxes->caller, config->loop, config->commands, config->input_max,
                     config->state_max);
    write_texts(boxes);
    if (init(boxes) == 0)
        return boxes;
    poll_boxes_free(boxes);
    return NULL;
}

/* Those that wait are told that it is in vain. */
static void forget_waiters(struct poll_boxes *boxes)
{
    struct waiter *waiter;

    while ((waiter = STAILQ_FIRST(&boxes->waiters)) != NULL) {
        STAILQ_REMOVE_HEAD(&boxes->waiters, link);
        waiter->on_reply(waiter, &(struct poll_reply){.result = POLL_AWAY});
    }
}

void poll_boxes_stop(struct poll_boxes *boxes)
{
    boxes->stopped = true;
}

void poll_boxes_free(struct poll_boxes *boxes)
{
    if (boxes == NULL)
        return;
    forget_waiters(boxes);
    poll_caller_release(&boxes->caller);
    beacon_free(boxes->channel);
    beacon_free(boxes->all);
    loop_timer_free(boxes->retry);
    loop_timer_free(boxes->again);
    poll_holds_release(&boxes->holds);
    free(boxes);
}

bool poll_boxes_settled(const struct poll_boxes *boxes)
{
    return boxes->config.ears == NULL ? boxes->settled : beacon_is_settled(boxes->channel);
}

size_t poll_boxes_held(const struct poll_boxes *boxes)
{
    return boxes->holds.table.count;
}
