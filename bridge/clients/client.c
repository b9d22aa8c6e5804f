#include "clients/client.h"

#include <assert.h>
#include <errno.h>

#include "base/counters.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/small.h"
#include "channels/batch.h"
#include "channels/channel.h"
#include "channels/follow.h"
#include "channels/router.h"
#include "clients/inbox_start.h"
#include "clients/outcome.h"
#include "clients/progress.h"
#include "identity/key_names.h"
#include "identity/plain_channels.h"
#include "net/conn.h"
#include "wire/filter.h"
#include "wire/json_text.h"

struct notify_str client_user(const struct client *client)
{
    return client->identity == NULL ? (struct notify_str){NULL, 0}
                                    : identity_user(client->identity);
}

struct notify_str client_inbox(const struct client *client, struct key_buffer *buffer)
{
    return key_of(client->shared->keys, KEY_INBOX, client_user(client), buffer);
}

struct notify_str client_id(const struct client *client)
{
    return notify_str_of(client->id, client->id_len);
}

struct notify_str client_session(const struct client *client)
{
    return client_id(client);
}

bool client_is_closed(const struct client *client)
{
    return client->sender.state == SENDER_CLOSED;
}

/* Limits. */

/* Messages that are sent although it was told to wait, for long and at once. */
#define WARNINGS_PER_S 2
#define WARNINGS_BURST 20

void client_limit_met(struct client *client, enum counter limit)
{
    if (!client_is_closed(client))
        conn_limit_met(client->sender.conn, limit);
}

static const struct token_rate warning_rate = {WARNINGS_PER_S, WARNINGS_BURST};

static bool is_warned_enough(struct client *client, uint64_t now_us)
{
    return token_bucket_take(&client->warnings, &warning_rate, 1, now_us) != 0;
}

uint64_t client_take_message(struct client *client)
{
    struct client_shared *shared = client->shared;
    uint64_t now_us = loop_now_ms(shared->senders.loop) * 1000;
    uint64_t wait_us = token_bucket_take(&client->messages, &shared->message_rate, 1, now_us);

    if (wait_us == 0) {
        client->warned = false;
        return 0;
    }
    client_limit_met(client, COUNTER_MESSAGES_TOO_MANY);
    if (client->warned && is_warned_enough(client, now_us))
        sender_close(&client->sender, CONN_CLOSE_RATE_LIMITED, "too many messages");
    client->warned = true;
    return (wait_us + 999) / 1000;
}

static uint64_t left_ms(const struct token_bucket *bucket, uint64_t now_us)
{
    return token_bucket_is_full(bucket, now_us) ? 0 : (bucket->full_us - now_us + 999) / 1000;
}

struct client_rate client_rate(const struct client *client)
{
    uint64_t now_us = loop_now_ms(client->shared->senders.loop) * 1000;

    return (struct client_rate){.messages_ms = left_ms(&client->messages, now_us),
                                .warnings_ms = left_ms(&client->warnings, now_us)};
}

/* No fuller than it can be. */
static void fill_in(struct token_bucket *bucket, const struct token_rate *rate, uint64_t ms,
                    uint64_t now_us)
{
    uint64_t all_us = rate->per_s == 0 ? 0 : UINT64_C(1000000) * rate->burst / rate->per_s;

    bucket->full_us = now_us + (ms < all_us / 1000 ? ms * 1000 : all_us);
}

void client_set_rate(struct client *client, const struct client_rate *rate)
{
    uint64_t now_us = loop_now_ms(client->shared->senders.loop) * 1000;

    fill_in(&client->messages, &client->shared->message_rate, rate->messages_ms, now_us);
    fill_in(&client->warnings, &warning_rate, rate->warnings_ms, now_us);
    client->warned = rate->warnings_ms > 0;
}

/* Falling behind. */

static void leave_behind(struct client *client, struct follow *follow)
{
    if (follow->state == FOLLOW_BEHIND)
        return;
    channel_fall_behind(follow);
    if (follow->picks)
        inquiries_fell_behind(&client->inquiries);
    asks_fell_behind(&client->asks, follow);
}

static bool drop_item(void *ctx, const struct outbox_item *item)
{
    struct client *client = ctx;
    struct follow *follow = item->source;

    leave_behind(client, follow);
    counter_add(notify_id_is_zero(item->id) ? COUNTER_DROPPED_SLOW : COUNTER_DROPPED_BEHIND, 1);
    if (notify_id_is_zero(item->id))
        counter_add(COUNTER_EVENTS_LOST_VOLATILE, 1);
    else if (notify_id_cmp(item->id, OUTBOX_WHOLE_BOX) == 0)
        follow_lose(follow); /* it will not be said again */
    else
        follow_keep_before(follow, item->id);
    return true;
}

void client_drop_queue(struct client *client)
{
    outbox_drop(&client->sender.outbox, drop_item, client);
}

/* A live client's queue is dropped as a whole. Dropping only its oldest part would leave a hole in
 * the middle of what the client sees; like this everything after pos is missing and nothing else,
 * and that is exactly what one read brings back. While a follow is being served from a read, its
 * queue is such a whole already: it stays, and only the rest comes later. */
static void fall_behind(struct client *client, struct follow *follow)
{
    if (follow->state == FOLLOW_LIVE) {
        client_limit_met(client, COUNTER_CLIENTS_BEHIND);
        client_drop_queue(client);
        log_debug("client_behind", "client", log_int((int64_t)client->number));
    }
    leave_behind(client, follow);
}

/* Everything is out: those whose queue was dropped go on from where they were, until the socket is
 * full again. */
void client_refill(struct client *client)
{
    assert(client->shared->told == 0);
    if (!sender_is_idle(&client->sender))
        return;
    for (struct follow *f = client->follows; f != NULL && sender_is_idle(&client->sender);
         f = f->next) {
        if (f->state != FOLLOW_BEHIND)
            continue;
        channel_resume(f->channel, f);
    }
}

void client_on_drained(void *peer)
{
    struct client *client = peer;

    sender_on_drained(&client->sender);
    client_refill(client);
}

/* What channels tell. */

static void note_had(struct follow *follow, const struct event *event)
{
    if (follow->picks)
        inquiries_had(&follow->client->inquiries, event);
    if (event->kind != EVENT_ENTRY)
        return;
    follow->pos = event->id;
    follow->count += follow->state == FOLLOW_WAITING;
}

/* Is the epoch known that it has not been told? */
static bool lacks_epoch(const struct follow *follow)
{
    return follow->untold && follow_box_epoch(follow) != 0;
}

/* To who polls, each time at another bridge perhaps: one of them may still be with a server that is
 * the primary no more. So each entry says its epoch, and nothing else says one: what came last may
 * have come from there. */
static struct event *said_by_poll(const struct follow *follow, struct event *event)
{
    uint32_t epoch = follow_box_epoch(follow);

    if (event->kind != EVENT_ENTRY)
        return event_without_epoch(event);
    return epoch == 0 ? event : event_with_epoch(event, epoch);
}

/* What goes out in place of it. NULL: out of memory. */
static struct event *said_to(const struct follow *follow, struct event *event)
{
    if (follow->client->polls)
        return said_by_poll(follow, event);
    return event->kind == EVENT_ENTRY && lacks_epoch(follow)
               ? event_with_epoch(event, follow_box_epoch(follow))
               : event;
}

static bool enqueue(struct client *client, struct follow *follow, struct event *event,
                    struct outcome *outcome)
{
    struct event *said = said_to(follow, event);

    if (said == NULL || !sender_enqueue(&client->sender, follow, said))
        return false;
    follow->untold = follow->untold && said->epoch == 0;
    outcome_queued(outcome, event);
    note_had(follow, event);
    return true;
}

/* Is it to be sent? Its session has had what excludes it; what an agent says in a session's log is
 * the answer to a inquiry, and nobody else's; and what it was sent of its inbox before it followed
 * that is not sent again. */
static bool is_for(const struct follow *follow, const struct event *event)
{
    const struct client *client = follow->client;

    if (follow->picks)
        return !follow->gap && inquiries_take(&client->inquiries, event);
    if (event_excludes(event, client_session(client)) ||
        (follow->session && event->request.len > 0))
        return false;
    return !follow->whole || client->inbox_start == NULL || event->kind != EVENT_ENTRY ||
           !inbox_start_has(client->inbox_start, event->id);
}

/* What is not for the client is passed over. False: it does not fit. */
static bool enqueue_if_for(struct client *client, struct follow *follow, struct event *event,
                           struct outcome *outcome)
{
    if (follow->picks)
        inquiries_hear_one(&client->inquiries, event);
    if (is_for(follow, event))
        return enqueue(client, follow, event, outcome);
    follow->untold |= event->epoch != 0 && !follow->picks;
    if (event->kind == EVENT_ENTRY)
        follow->pos = event->id;
    return true;
}

/* What is not delivered of the batch may have smaller ids than what was, where a box has begun
 * anew. */
static void keep_before_rest(struct follow *follow, const struct batch *batch, size_t i)
{
    for (; i < batch->len; i++) {
        if (!follow->picks && is_for(follow, batch->events[i]))
            outcome_missed(batch->events[i]);
        if (batch->events[i]->whole_box != WHOLE_BOX_STAYS)
            follow_lose(follow);
        if (batch->events[i]->kind == EVENT_ENTRY)
            follow_keep_before(follow, batch->events[i]->id);
    }
}

static void enqueue_all(struct client *client, struct follow *follow, const struct batch *batch,
                        struct outcome *outcome)
{
    for (size_t i = 0; i < batch->len; i++) {
        if (enqueue_if_for(client, follow, batch->events[i], outcome))
            continue;
        sender_drain(&client->sender);
        if (enqueue_if_for(client, follow, batch->events[i], outcome))
            continue;
        outcome_drop(outcome, &client->sender);
        fall_behind(client, follow);
        keep_before_rest(follow, batch, i);
        return;
    }
}

static bool is_whole_for(const struct batch *batch, const struct follow *follow)
{
    if (follow->picks || lacks_epoch(follow) || follow->client->polls) /* each is told its own */
        return false;
    if (!batch->excludes && (!follow->whole || follow->client->inbox_start == NULL))
        return true;
    for (size_t i = 0; i < batch->len; i++)
        if (!is_for(follow, batch->events[i]))
            return false;
    return true;
}

static void send_batch(struct follow *follow, struct batch *batch)
{
    struct client *client = follow->client;
    struct outcome outcome;

    if (is_whole_for(batch, follow) && sender_deliver(&client->sender, follow, batch)) {
        for (size_t i = 0; follow->state == FOLLOW_WAITING && i < batch->len; i++)
            note_had(follow, batch->events[i]);
        return;
    }
    outcome_begin(&outcome, ++client->shared->turns);
    enqueue_all(client, follow, batch, &outcome);
    sender_drain(&client->sender);
    outcome_end(&outcome, batch, &client->sender);
}

/* What of it the client may be sent. Most have no filter: then nothing of the client is looked at
 * here that is not in the cache. */
static struct batch *choose(const struct follow *follow, struct batch *batch)
{
    if (follow->filtered)
        return batch_for(batch, follow->client->filter);
    if (batch->counts_log && follow->whole && !identity_sees_all(follow->client->identity))
        return batch_uncounted(batch);
    return batch;
}

/* An agent answers where it was asked. */
static bool is_of_own_session(const struct follow *follow)
{
    const struct client *client = follow->client;
    struct notify_str name;

    return key_is(client->shared->keys, KEY_SESSION, follow_key(follow), &name) &&
           notify_str_eq(name, client_session(client));
}

static void deliver(struct follow *follow, struct batch *batch, struct notify_id newest)
{
    struct batch *chosen = choose(follow, batch);

    if (chosen == NULL) {
        batch->reach.of[REACH_NO_MEMORY]++;
        sender_close(&follow->client->sender, CONN_CLOSE_INTERNAL, "out of memory");
        return;
    }
    if (batch->ends_box && follow->whole)
        follow->client->shared->on_box_ended(follow->client);
    if (follow->session && !follow->picks && batch->excludes && is_of_own_session(follow))
        inquiries_hear(&follow->client->inquiries, batch);
    if (chosen->len > 0)
        send_batch(follow, chosen);
    follow->untold |= chosen->epoch != batch->epoch; /* it was said by what the filter keeps back */
    if (follow->state != FOLLOW_BEHIND && !notify_id_is_zero(newest))
        follow->pos = newest; /* past what the filter keeps back, too */
}

static void look_ahead(const struct follow *follow)
{
    const struct client *client = follow->client;

    __builtin_prefetch(client);
    __builtin_prefetch((const char *)client + 63); /* it need not begin at a cache line */
}

static void look_ahead_more(const struct follow *follow)
{
    conn_prefetch(follow->client->sender.conn);
}

/* The keys of which not all could be had. */
static json_t *keys_with_gaps(json_t *results)
{
    json_t *keys = json_array(), *result;
    const char *key;

    json_object_foreach(results, key, result)
    {
        if (!json_is_true(json_object_get(result, "recovered")))
            (void)json_array_append_new(keys, json_string(key));
    }
    return keys;
}

void client_tell_gap(struct client *client, json_t *keys, const char *reason)
{
    sender_send_json(&client->sender,
                     json_pack("{s:s, s:s, s:o}", "type", "gap", "reason", reason, "keys", keys));
}

/* That of its position, if it is known; epochs may be NULL. */
static json_t *add_epoch(json_t *epochs, const struct follow *follow)
{
    struct notify_str key = follow_key(follow);
    uint32_t epoch = follow_epoch(follow);

    if (epoch == 0)
        return epochs;
    if (epochs == NULL)
        epochs = json_object();
    (void)json_object_setn_new(epochs, key.ptr, key.len, json_integer(epoch));
    return epochs;
}

/* Of the positions that its follows have now: since one was live, entries of another epoch may have
 * been sent. NULL: none is known. */
static json_t *epochs_of(const struct client *client, const json_t *results)
{
    json_t *epochs = NULL;

    for (const struct follow *follow = client->follows; follow != NULL; follow = follow->next) {
        struct notify_str key = follow_key(follow);
        if (json_object_getn(results, key.ptr, key.len) != NULL)
            epochs = add_epoch(epochs, follow);
    }
    return epochs;
}

/* Takes epochs over, and a reference to results. */
static json_t *resumed(json_t *results, json_t *epochs)
{
    return json_pack("{s:s, s:O, s:o*}", "type", "resumed", "results", results, "epochs", epochs);
}

json_t *client_resumed(const struct client *client, json_t *results)
{
    return resumed(results, epochs_of(client, results));
}

static void tell(struct client *client, json_t *results, json_t *epochs)
{
    json_t *gaps, *key;
    size_t i;

    sender_send_json(&client->sender, resumed(results, epochs));
    if (!client->sender.marked)
        return;
    gaps = keys_with_gaps(results);
    json_array_foreach(gaps, i, key)
    {
        struct follow *follow = client_find_follow(client, json_text_of(key));
        if (follow != NULL)
            follow->gap_said = true; /* so the id that goes with it may pass that by */
    }
    if (json_array_size(gaps) > 0)
        client_tell_gap(client, gaps, "gone");
    else
        json_decref(gaps);
}

void client_tell_resumed(struct client *client, json_t *results)
{
    tell(client, results, epochs_of(client, results));
}

/* Of one alone: of a client that follows very many each is told so when a link was lost. */
static void tell_resumed(struct follow *follow, bool recovered)
{
    json_t *results;

    if (follow->picks) {
        if (!recovered)
            inquiries_lost(&follow->client->inquiries);
        return;
    }
    results = json_object();
    ask_put_result(results, follow_key(follow), follow, recovered);
    tell(follow->client, results, add_epoch(NULL, follow));
    json_decref(results);
}

/* That is no answer: it says neither how much will come nor how far the client is with it. Who
 * picks gets nothing more. */
static void say_gone(const struct follow *follow)
{
    struct notify_str key = follow_key(follow);

    if (!follow->picks)
        client_tell_gap(follow->client, json_pack("[o*]", json_stringn(key.ptr, key.len)), "gone");
}

/* Whoever has asked is told how it went. An answer that waits for other keys must not leave unsaid
 * until then what is gone of this one: what comes of it from now on stands behind that. */
static void tell_live(struct follow *follow)
{
    const struct client *client = follow->client;

    if (!asks_resolve(&follow->client->asks, follow)) {
        if (follow->refilled)
            tell_resumed(follow, !follow->gap);
    } else if (follow_owes_gap(follow) && asks_tell_gap(&client->asks, follow_key(follow))) {
        say_gone(follow);
    }
}

static void on_live(struct follow *follow)
{
    struct client_shared *shared = follow->client->shared;
    struct sender *sender = &follow->client->sender;

    shared->told++;
    if (sender->marked)
        progress_on_live(sender->progress, follow);
    counter_add(COUNTER_REFILLS, follow->refilled);
    tell_live(follow);
    follow->refilled = follow->gap = follow->gap_said = false;
    follow->count = 0;
    shared->told--;
}

/* A client that does not read is told once it does: however often this comes, it holds no more. */
static void on_gap(struct follow *follow)
{
    struct client *client = follow->client;

    if (follow->whole) /* of the box, that is now, it is not known what it follows */
        client->shared->on_box_ended(client);
    if (!sender_is_full(&client->sender)) {
        tell_resumed(follow, false);
        return;
    }
    follow_lose(follow);
    fall_behind(client, follow);
}

static bool on_gap_ahead(struct follow *follow)
{
    struct client *client = follow->client;

    if (!follow->picks && sender_is_full(&client->sender)) {
        fall_behind(client, follow);
        return false;
    }
    say_gone(follow);
    return true;
}

void client_tell_error(struct client *client, struct notify_str key, const char *code,
                       const char *why)
{
    json_t *name = json_stringn(key.ptr, key.len); /* NULL, and left out, if it is no UTF-8 */

    sender_send_json(&client->sender,
                     json_pack("{s:s, s:{s:s, s:s, s:{s:o*}}}", "type", "error", "error", "code",
                               code, "message", why, "details", "key", name));
}

/* Following. */

struct follow *client_find_follow(const struct client *client, struct notify_str key)
{
    for (struct follow *f = client->follows; f != NULL; f = f->next)
        if (notify_str_eq(follow_key(f), key))
            return f;
    return NULL;
}

static void stand_at(struct follow *follow, const struct position *position)
{
    follow->pos = position->id;
    follow->epoch = position->epoch;
}

static bool is_filtered(const struct client *client, const struct follow *follow)
{
    return client->filter != NULL && !follow->whole && !follow->plain;
}

/* Where it has been sent that to, if somebody is to know. What it gets of its inbox before it
 * follows that counts as from there. False: a stream of events may not follow so many. */
static bool count_progress(struct client *client, struct follow *follow, struct notify_str key)
{
    const struct inbox_start *start = follow->whole ? client->inbox_start : NULL;
    struct position from = {.id = follow->pos, .epoch = follow->epoch};

    if (!client->sender.marked || follow->plain)
        return true;
    if (start != NULL && start->len > 0)
        from = (struct position){.id = notify_id_before(start->had[start->len - 1])};
    return progress_add(client->sender.progress, follow, key, follow->from_now ? NULL : &from);
}

static void forget_progress(struct client *client, const struct follow *follow)
{
    if (client->sender.marked)
        progress_remove(client->sender.progress, follow);
}

static void count_follows(struct client *client, int more)
{
    client->follow_count += (uint32_t)more;
    client->shared->kinds.follows += (size_t)more;
}

/* The one that was begun last: it cannot be followed. */
static void take_back(struct client *client, struct follow *follow, struct ask *ask)
{
    if (ask != NULL)
        ask_forget(ask, follow);
    forget_progress(client, follow);
    client->follows = follow->next;
    count_follows(client, -1);
    small_give(follow, sizeof(*follow));
}

int client_follow(struct client *client, struct notify_str key, const struct position *from,
                  struct ask *ask)
{
    struct key_buffer buffer;
    struct follow *follow;
    struct notify_str name;
    int error;

    assert(client->shared->told == 0);
    if (client->follow_count >= client->shared->max_subscriptions)
        return -E2BIG;
    follow = small_take(sizeof(*follow));
    if (follow == NULL)
        return -ENOMEM;
    follow->client = client;
    follow->from_now = from == NULL;
    follow->whole = notify_str_eq(key, client_inbox(client, &buffer)); /* with true counts */
    follow->plain = plain_channels_have(client->shared->channels, key);
    follow->session = key_is(client->shared->keys, KEY_SESSION, key, &name);
    follow->picks = client->streams;
    follow->filtered = is_filtered(client, follow);
    if (from != NULL)
        stand_at(follow, from);
    if (!count_progress(client, follow, key)) {
        small_give(follow, sizeof(*follow));
        return -E2BIG;
    }
    follow->next = client->follows;
    client->follows = follow;
    count_follows(client, 1);
    if (ask != NULL)
        ask_await(ask, follow);
    error = router_add(client->shared->router, follow, key, client->left);
    if (error == -EUSERS)
        client_limit_met(client, COUNTER_CHANNEL_PATTERNS);
    if (error != 0)
        take_back(client, follow, ask);
    return error;
}

static bool is_from(void *ctx, const struct outbox_item *item)
{
    return item->source == ctx;
}

static void drop_follow_items(struct client *client, struct follow *follow)
{
    outbox_drop(&client->sender.outbox, is_from, follow);
}

void client_unfollow(struct client *client, struct follow *follow)
{
    struct follow **at = &client->follows;

    assert(client->shared->told == 0);
    while (*at != follow)
        at = &(*at)->next;
    *at = follow->next;
    count_follows(client, -1);
    drop_follow_items(client, follow);
    (void)asks_resolve(&client->asks, follow);
    forget_progress(client, follow);
    router_remove(client->shared->router, follow, &client->left);
    small_give(follow, sizeof(*follow));
}

void client_resume(struct client *client, struct follow *follow, const struct position *pos,
                   struct ask *ask)
{
    assert(client->shared->told == 0);
    drop_follow_items(client, follow);
    ask_await(ask, follow);
    stand_at(follow, pos);
    follow->from_now = follow->gap = follow->gap_said = follow->refilled = false;
    follow->count = 0;
    channel_resume(follow->channel, follow);
}

static bool drop_chosen(void *ctx, const struct outbox_item *item)
{
    const struct follow *follow = item->source;

    return follow->filtered && drop_item(ctx, item);
}

void client_set_filter(struct client *client, struct filter *filter)
{
    struct filter *before = client->filter;

    client->filter = filter_ref(filter);
    filter_unref(before);
    for (struct follow *f = client->follows; f != NULL; f = f->next)
        f->filtered = is_filtered(client, f);
    outbox_drop(&client->sender.outbox, drop_chosen, client);
}

static void on_refused(struct follow *follow)
{
    struct client *client = follow->client;

    follow_lose(follow);
    if (!asks_refuse(&client->asks, follow))
        client_tell_error(client, follow_key(follow), "FORBIDDEN", CLIENT_FORBIDDEN_TEXT);
    client_unfollow(client, follow);
}

const struct follow_handlers client_follow_handlers = {
    .deliver = deliver,
    .look_ahead = look_ahead,
    .look_ahead_more = look_ahead_more,
    .on_live = on_live,
    .on_gap = on_gap,
    .on_gap_ahead = on_gap_ahead,
    .on_refused = on_refused,
};

/* Its life. */

struct client *client_new(struct client_shared *shared, struct conn *conn, struct notify_str id)
{
    struct client *client = small_take(sizeof(*client) + id.len);

    if (client == NULL)
        return NULL;
    client->sender.conn = conn;
    client->sender.deflates = conn_deflates(conn);
    client->sender.shared = &shared->senders;
    client->shared = shared;
    client->id_len = (uint8_t)id.len;
    memcpy(client->id, id.ptr, id.len);
    client->number = ++shared->next_number;
    TAILQ_INSERT_TAIL(&shared->all, client, all_link);
    client_kinds_add(&shared->kinds, client->sender.dialect);
    counter_add(COUNTER_CLIENTS_OPENED, 1);
    return client;
}

void client_speak(struct client *client, enum dialect dialect)
{
    client_kinds_remove(&client->shared->kinds, client->sender.dialect);
    client->sender.dialect = (uint8_t)dialect & 15;
    client_kinds_add(&client->shared->kinds, dialect);
}

void client_open_call(struct client *client, struct open_call *call)
{
    LIST_INSERT_HEAD(&client->calls, call, link);
    call->open = true;
}

void client_end_call(struct open_call *call)
{
    if (!call->open)
        return;
    LIST_REMOVE(call, link);
    call->open = false;
}

/* Whoever asked is not there any more. */
static void forget_calls(struct client *client)
{
    while (!LIST_EMPTY(&client->calls))
        client_end_call(LIST_FIRST(&client->calls));
}

void client_call_end(struct client *client, size_t bytes)
{
    sender_call_end(&client->sender, bytes);
    if (!client_is_closed(client) || client->sender.calls > 0)
        return;
    identity_unref(client->identity);
    small_give(client, sizeof(*client) + client->id_len);
}

void client_on_beat(void *peer)
{
    sender_beat(&((struct client *)peer)->sender);
}

void client_on_closed(void *peer, int code)
{
    struct client *client = peer;
    struct client_shared *shared = client->shared;

    log_debug("client_closed", "client", log_int((int64_t)client->number), "code", log_int(code));
    sender_call_begin(&client->sender, 0); /* it is needed until the end of this */
    forget_calls(client);
    shared->on_leaving(client, code);
    sender_on_closed(&client->sender);
    asks_free(&client->asks);
    while (client->follows != NULL)
        client_unfollow(client, client->follows);
    linger_account_release(client->left);
    client->filter = filter_unref(client->filter);
    TAILQ_REMOVE(&shared->all, client, all_link);
    client_kinds_remove(&shared->kinds, client->sender.dialect);
    client_call_end(client, 0);
    shared->on_closed(shared->ctx);
}

int client_shared_init(struct client_shared *shared)
{
    TAILQ_INIT(&shared->all);
    return senders_init(&shared->senders);
}

void client_shared_release(struct client_shared *shared)
{
    senders_release(&shared->senders);
}
