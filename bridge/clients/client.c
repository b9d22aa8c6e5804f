#include "clients/client.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include <event2/util.h>

#include "clients/ask.h"
#include "channels/batch.h"
#include "channels/channel.h"
#include "channels/follow.h"
#include "wire/frame.h"
#include "base/counters.h"
#include "base/iso_time.h"
#include "identity/key_names.h"
#include "base/log.h"
#include "base/loop.h"
#include "clients/opening.h"
#include "channels/router.h"
#include "net/conn.h"

/* At most this much goes to a socket at once: what it does not take is copied by the transport, and
 * ten thousand slow clients must not hold ten thousand backlogs. */
#define WRITE_MAX_BYTES 65536
#define STUCK_CHECK_MS 1000
#define MADE_ID_BYTES 12

struct notify_str client_user(const struct client *client)
{
    return notify_str_of(client->names, client->user_len);
}

struct notify_str client_id(const struct client *client)
{
    return notify_str_of(client->names + client->user_len, client->id_len);
}

/* Sending. */

static bool may_write(const struct client *client)
{
    return client->state == CLIENT_READY && client->outbox.len == 0 && !conn_is_busy(client->conn);
}

/* What the client has us hold, beside what is queued for it. */
static size_t held_elsewhere(const struct client *client)
{
    return client->call_bytes + conn_unsent(client->conn);
}

static bool holds_enough(const struct client *client)
{
    return client->outbox.bytes + held_elsewhere(client) > client->shared->limits.outbox_bytes;
}

static void pause_input(struct client *client)
{
    bool pause;

    if (client->state == CLIENT_CLOSED)
        return;
    pause = client->calls >= CLIENT_MAX_CALLS || client->in_line > 0 || holds_enough(client);
    if (pause == client->input_paused)
        return;
    client->input_paused = pause;
    if (pause)
        counter_add(COUNTER_REQUESTS_HELD_BACK, 1);
    conn_pause_input(client->conn, pause);
}

/* From now on the socket must take something within slow_timeout_ms. */
static void note_stuck(struct client *client)
{
    struct client_shared *shared = client->shared;

    if (client->stuck_since_ms != 0)
        return;
    client->stuck_since_ms = loop_now_ms(shared->loop);
    if (TAILQ_EMPTY(&shared->stuck))
        loop_timer_set(shared->stuck_timer, STUCK_CHECK_MS);
    TAILQ_INSERT_TAIL(&shared->stuck, client, stuck_link);
}

static void forget_stuck(struct client *client)
{
    if (client->stuck_since_ms == 0)
        return;
    client->stuck_since_ms = 0;
    TAILQ_REMOVE(&client->shared->stuck, client, stuck_link);
}

/* After something was written or queued. */
static void look_after(struct client *client)
{
    if (client->state != CLIENT_CLOSED && conn_is_busy(client->conn))
        note_stuck(client);
    pause_input(client);
}

static void send_answer(struct client *client, struct frame *frame)
{
    if (frame == NULL || client->state == CLIENT_CLOSED)
        return;
    if (may_write(client))
        (void)conn_write(client->conn, frame->data, frame->len); /* a dead one reports itself */
    else if (outbox_push(&client->outbox, frame, NULL, (struct notify_id){0, 0}) != 0)
        conn_close(client->conn, CONN_CLOSE_INTERNAL, "out of memory");
    look_after(client);
}

void client_send(struct client *client, size_t count, const struct notify_str *parts)
{
    struct frame *frame = frame_new_ws(count, parts);

    send_answer(client, frame);
    frame_unref(frame);
}

/* The frame of a message, which is taken over. NULL: out of memory. */
static struct frame *frame_of_json(json_t *message, const json_t *request_id)
{
    char *text = message == NULL ? NULL : json_dumps(message, JSON_COMPACT);
    struct notify_str all = notify_str_z(text);
    struct notify_str parts[] = {
        all, NOTIFY_STR(",\"request_id\":"),
        notify_str_of(json_string_value(request_id), json_string_length(request_id)),
        NOTIFY_STR("}")};
    struct frame *frame = NULL;

    if (text != NULL && request_id != NULL) {
        parts[0].len--; /* the brace, which comes last now */
        frame = frame_new_ws(4, parts);
    } else if (text != NULL) {
        frame = frame_new_ws(1, &all);
    }
    free(text);
    json_decref(message);
    return frame;
}

void client_send_json(struct client *client, json_t *message, const json_t *request_id)
{
    struct frame *frame = frame_of_json(message, request_id);

    if (frame == NULL)
        log_error("out_of_memory", "at", "answer");
    send_answer(client, frame);
    frame_unref(frame);
}

/* As many whole frames as fit into one piece; 0 when the first alone is too large for it. */
static size_t fill_piece(struct outbox *outbox, char piece[WRITE_MAX_BYTES])
{
    size_t len = 0;

    while (outbox->len > 0 && len + outbox_first_bytes(outbox) <= WRITE_MAX_BYTES) {
        struct frame *frame = outbox_pop(outbox);
        memcpy(piece + len, frame->data, frame->len);
        len += frame->len;
        frame_unref(frame);
    }
    return len;
}

/* Hands the queue to the socket in pieces of many frames, until the socket is full. */
static void drain(struct client *client)
{
    static char piece[WRITE_MAX_BYTES]; /* one thread; nothing in it outlives the call */
    enum conn_write written = CONN_SENT;

    while (written != CONN_DEAD && client->outbox.len > 0 && client->state == CLIENT_READY &&
           !conn_is_busy(client->conn)) {
        size_t len = fill_piece(&client->outbox, piece);
        if (len > 0) {
            written = conn_write(client->conn, piece, len);
        } else {
            struct frame *frame = outbox_pop(&client->outbox);
            written = conn_write(client->conn, frame->data, frame->len);
            frame_unref(frame);
        }
    }
    look_after(client);
}

/* Falling behind. */

static void stop_greeting_from_waiting(struct client *client, const struct follow *follow);

static void leave_behind(struct client *client, struct follow *follow)
{
    if (follow->state == FOLLOW_BEHIND)
        return;
    channel_fall_behind(follow);
    stop_greeting_from_waiting(client, follow);
}

static bool drop_item(void *ctx, const struct outbox_item *item)
{
    struct client *client = ctx;
    struct follow *follow = item->source;

    leave_behind(client, follow);
    if (notify_id_is_zero(item->id)) {
        counter_add(COUNTER_EVENTS_LOST_VOLATILE, 1);
    } else if (!follow->lowered) {
        follow->pos = notify_id_before(item->id);
        follow->lowered = true;
    }
    return true;
}

/* A live client's queue is dropped as a whole. Dropping only its oldest part would leave a hole in
 * the middle of what the client sees; like this everything after pos is missing and nothing else,
 * and that is exactly what one read brings back. While a follow is being served from a read, its
 * queue is such a whole already: it stays, and only the rest comes later. */
static void fall_behind(struct client *client, struct follow *follow)
{
    if (follow->state == FOLLOW_LIVE) {
        counter_add(COUNTER_CLIENTS_BEHIND, 1);
        outbox_drop(&client->outbox, drop_item, client);
        log_debug("client_behind", "client", log_int((int64_t)client->number));
    }
    leave_behind(client, follow);
}

static bool enqueue(struct client *client, struct follow *follow, struct event *event)
{
    struct frame *frame = event_frame(event, client->dialect);

    if (frame == NULL ||
        !outbox_fits(&client->outbox, frame->len, held_elsewhere(client),
                     client->shared->limits.outbox_bytes) ||
        outbox_push(&client->outbox, frame, follow, event->id) != 0)
        return false;
    if (event->kind == EVENT_ENTRY)
        follow->pos = event->id;
    return true;
}

void client_prefetch(const struct client *client)
{
    __builtin_prefetch(client);
    __builtin_prefetch((const char *)client + 63); /* it need not begin at a cache line */
}

void client_prefetch_conn(const struct client *client)
{
    conn_prefetch(client->conn);
}

void client_deliver(struct client *client, struct follow *follow, struct batch *batch,
                    struct notify_id newest)
{
    struct frame *frame = batch_frame(batch, client->dialect);

    if (frame != NULL && frame->len <= WRITE_MAX_BYTES && may_write(client)) {
        if (conn_write(client->conn, frame->data, frame->len) ==
            CONN_BUSY) /* a dead one reports itself */
            look_after(client);
        if (!notify_id_is_zero(newest))
            follow->pos = newest;
        return;
    }
    for (size_t i = 0; i < batch->len; i++) {
        if (enqueue(client, follow, batch->events[i]))
            continue;
        drain(client);
        if (!enqueue(client, follow, batch->events[i])) {
            fall_behind(client, follow);
            break;
        }
    }
    drain(client);
}

/* Everything is out: those whose queue was dropped go on from where they were, until the socket is
 * full again. */
static void refill(struct client *client)
{
    assert(client->shared->told == 0);
    if (client->state != CLIENT_READY || client->outbox.len > 0 || conn_is_busy(client->conn))
        return;
    for (struct follow *f = client->follows; f != NULL && !conn_is_busy(client->conn);
         f = f->next) {
        if (f->state != FOLLOW_BEHIND)
            continue;
        f->lowered = false;
        channel_resume(f->channel, f);
    }
}

void client_on_drained(struct client *client)
{
    forget_stuck(client);
    drain(client);
    refill(client);
}

static void on_stuck_check(void *ctx)
{
    struct client_shared *shared = ctx;
    uint64_t now = loop_now_ms(shared->loop);
    struct client *client;

    while ((client = TAILQ_FIRST(&shared->stuck)) != NULL) {
        if (now - client->stuck_since_ms < shared->limits.slow_timeout_ms)
            break;
        forget_stuck(client);
        counter_add(COUNTER_CLIENTS_TOO_SLOW, 1);
        log_info("client_too_slow", "client", log_int((int64_t)client->number));
        conn_close(client->conn, CONN_CLOSE_TOO_SLOW, "too slow for too long");
    }
    if (!TAILQ_EMPTY(&shared->stuck))
        loop_timer_set(shared->stuck_timer, STUCK_CHECK_MS);
}

/* What the client is told about its follows. */

static void drop_ask(struct client *client, struct ask *ask)
{
    client_call_end(client, ask->bytes);
    ask_free(ask);
}

static struct ask *take_done_ask(struct client *client)
{
    for (struct ask **at = &client->asks; *at != NULL; at = &(*at)->next) {
        struct ask *ask = *at;
        if (ask->pending > 0)
            continue;
        *at = ask->next;
        return ask;
    }
    return NULL;
}

static void finish_asks(struct client *client)
{
    struct ask *ask;

    while ((ask = take_done_ask(client)) != NULL) {
        ask->done(client, ask);
        drop_ask(client, ask);
    }
}

static void resolve_asks(struct client *client, const struct follow *follow)
{
    for (struct ask *ask = client->asks; ask != NULL; ask = ask->next)
        ask_resolve(ask, follow);
    finish_asks(client);
}

void client_ask_open(struct client *client, struct ask *ask)
{
    ask->next = client->asks;
    client->asks = ask;
    client_call_begin(client, ask->bytes);
}

void client_ask_close(struct client *client, struct ask *ask)
{
    ask->pending--;
    finish_asks(client);
}

void client_ask_cancel(struct client *client, struct ask *ask)
{
    struct ask **at = &client->asks;

    while (*at != ask)
        at = &(*at)->next;
    *at = ask->next;
    drop_ask(client, ask);
}

/* {"type":"resumed"} without a request: what the bridge did by itself. */
static void tell_resumed(struct follow *follow, bool recovered)
{
    json_t *results = json_object();

    ask_put_result(results, follow, recovered);
    client_send_json(follow->client, json_pack("{s:s, s:o}", "type", "resumed", "results", results),
                     NULL);
}

void client_on_live(struct follow *follow)
{
    struct client_shared *shared = follow->client->shared;

    shared->told++;
    if (follow->refilled)
        tell_resumed(follow, !follow->gap);
    resolve_asks(follow->client, follow);
    follow->refilled = follow->gap = false;
    follow->count = 0;
    shared->told--;
}

/* A client that does not read is told once it does: however often this comes, it holds no more. */
void client_on_gap(struct follow *follow)
{
    struct client *client = follow->client;

    if (client->outbox.bytes <= client->shared->limits.outbox_bytes) {
        tell_resumed(follow, false);
        return;
    }
    follow->gap = true;
    fall_behind(client, follow);
}

static bool refuse_asks(struct client *client, const struct follow *follow)
{
    bool told = false;

    for (struct ask *ask = client->asks; ask != NULL; ask = ask->next)
        told |= ask_refuse(ask, follow);
    return told;
}

/* Without a request: of a key that the client follows by itself, or that is forbidden since. */
static void tell_forbidden(struct client *client, struct notify_str key)
{
    json_t *name = json_stringn(key.ptr, key.len); /* NULL, and left out, if it is no UTF-8 */

    client_send_json(client,
                     json_pack("{s:s, s:{s:s, s:s, s:{s:o*}}}", "type", "error", "error", "code",
                               "FORBIDDEN", "message", CLIENT_FORBIDDEN_TEXT, "details", "key",
                               name),
                     NULL);
}

void client_on_refused(struct follow *follow)
{
    struct client *client = follow->client;

    follow->gap = true;
    if (!refuse_asks(client, follow))
        tell_forbidden(client, follow_key(follow));
    client_unfollow(client, follow);
}

/* Following. */

struct follow *client_find_follow(const struct client *client, struct notify_str key)
{
    for (struct follow *f = client->follows; f != NULL; f = f->next)
        if (notify_str_eq(follow_key(f), key))
            return f;
    return NULL;
}

int client_follow(struct client *client, struct notify_str key, const struct notify_id *from,
                  struct ask *ask)
{
    struct follow *follow;
    int error;

    assert(client->shared->told == 0);
    if (client->follow_count >= client->shared->limits.subscriptions)
        return -E2BIG;
    follow = calloc(1, sizeof(*follow));
    if (follow == NULL)
        return -ENOMEM;
    follow->client = client;
    follow->from_now = from == NULL;
    if (from != NULL)
        follow->pos = *from;
    follow->next = client->follows;
    client->follows = follow;
    client->follow_count++;
    if (ask != NULL)
        ask_await(ask, follow);
    error = router_add(client->shared->router, follow, key, client->left);
    if (error == 0)
        return 0;
    client->follows = follow->next;
    client->follow_count--;
    free(follow);
    return error;
}

static bool is_from(void *ctx, const struct outbox_item *item)
{
    return item->source == ctx;
}

static void drop_follow_items(struct client *client, struct follow *follow)
{
    outbox_drop(&client->outbox, is_from, follow);
}

void client_unfollow(struct client *client, struct follow *follow)
{
    struct follow **at = &client->follows;

    assert(client->shared->told == 0);
    while (*at != follow)
        at = &(*at)->next;
    *at = follow->next;
    client->follow_count--;
    drop_follow_items(client, follow);
    resolve_asks(client, follow);
    router_remove(client->shared->router, follow, &client->left);
    free(follow);
}

void client_resume(struct client *client, struct follow *follow, struct notify_id pos,
                   struct ask *ask)
{
    assert(client->shared->told == 0);
    drop_follow_items(client, follow);
    ask_await(ask, follow);
    follow->pos = pos;
    follow->from_now = follow->gap = follow->lowered = follow->refilled = false;
    follow->count = 0;
    channel_resume(follow->channel, follow);
}

/* Opening. */

static struct frame *greeting_frame(const struct client *client)
{
    struct notify_str user = client_user(client), id = client_id(client);
    char now[ISO_TIME_LEN + 1];

    iso_time_format(now, loop_wall_ms(client->shared->loop));
    return frame_of_json(json_pack("{s:s, s:s, s:s%, s:s%, s:s}", "type", "connection", "status",
                                   "connected", "client_id", id.ptr, id.len, "user_id", user.ptr,
                                   user.len, "timestamp", now),
                         NULL);
}

/* The greeting goes before what has come since the connection opened, which waits in the outbox. */
static void greet(struct client *client)
{
    struct frame *frame = greeting_frame(client);

    client->state = CLIENT_READY;
    if (frame == NULL || outbox_push_first(&client->outbox, frame) != 0)
        conn_close(client->conn, CONN_CLOSE_INTERNAL, "out of memory");
    frame_unref(frame);
    drain(client);
    refill(client);
}

static void free_when_done(struct client *client)
{
    if (client->state == CLIENT_CLOSED && client->calls == 0 && !client->greeting_due)
        free(client);
}

static void on_greeting_due(void *ctx)
{
    struct client *client = ctx;

    client->greeting_due = false;
    if (client->state == CLIENT_OPENING)
        greet(client);
    free_when_done(client);
}

/* All that the client follows by itself is live. A channel says so, which may be in the middle of
 * something; the greeting leads to reading more from channels. */
static void greet_soon(struct client *client, struct ask *ask)
{
    (void)ask;
    client->greeting_due = true;
    loop_defer(client->shared->loop, on_greeting_due, client);
}

/* What is served to this follow does not fit, and nothing goes out before the greeting: the
 * greeting must not wait for it. Nothing is lost by that, as the follow has a position. */
static void stop_greeting_from_waiting(struct client *client, const struct follow *follow)
{
    if (client->state != CLIENT_OPENING)
        return;
    for (struct ask *ask = client->asks; ask != NULL; ask = ask->next)
        if (ask->done == greet_soon)
            ask_resolve(ask, follow);
    finish_asks(client);
}

/* The keys that a client follows without asking. */
struct auto_keys {
    struct client *client;
    struct ask *ask;
    int error;
};

static void follow_by_itself(struct auto_keys *keys, struct notify_str key,
                             const struct notify_id *from)
{
    struct client *client = keys->client;

    if (keys->error != 0 || key.len == 0 || client_find_follow(client, key) != NULL)
        return;
    /* One with a position loses nothing by being greeted early, and what it missed may be more than
     * the outbox holds: the rest comes only once the client reads, which it does once greeted. */
    keys->error = client_follow(client, key, from, from == NULL ? keys->ask : NULL);
}

static void follow_topics(struct auto_keys *keys, const struct opening *opening)
{
    const struct key_names *names = keys->client->shared->keys;
    const char *rest = opening->topics;
    struct key_buffer buffer;
    struct notify_str topic;

    while (opening_next_topic(&rest, &topic))
        follow_by_itself(keys, key_of(names, KEY_TOPIC, topic, &buffer), NULL);
}

/* How many keys a client follows by itself: its inbox, the logs, the topics. */
static size_t count_keys(const struct client_shared *shared, const struct opening *opening)
{
    size_t count = 1 + opening_topic_count(opening);

    for (const char *const *log = shared->broadcast_logs; *log != NULL; log++)
        count++;
    return count;
}

static int follow_all(struct client *client, const struct opening *opening)
{
    struct client_shared *shared = client->shared;
    struct auto_keys keys = {.client = client};
    struct key_buffer buffer;

    keys.ask = ask_new(count_keys(shared, opening), greet_soon, NULL, NULL, false);
    if (keys.ask == NULL)
        return -ENOMEM;
    client_ask_open(client, keys.ask);
    follow_by_itself(&keys, key_of(shared->keys, KEY_INBOX, client_user(client), &buffer),
                     opening->has_last_id ? &opening->last_id : NULL);
    for (const char *const *log = shared->broadcast_logs; *log != NULL; log++)
        follow_by_itself(&keys, notify_str_z(*log), NULL);
    follow_topics(&keys, opening);
    if (keys.error == 0)
        client_ask_close(client, keys.ask);
    return keys.error; /* a client that could not be opened takes the ask with it */
}

/* NULL, or why such a client is not let in. */
static const char *read_opening(struct opening *ret, const struct client_shared *shared,
                                const struct http_request *req)
{
    const char *why = opening_read(ret, req);

    if (why == NULL && ret->topics[0] != '\0' &&
        count_keys(shared, ret) > shared->limits.subscriptions)
        return "topics must be fewer: a connection may not follow so many keys";
    return why;
}

/* For a client that names none. */
static struct notify_str make_id(char out[2 * MADE_ID_BYTES + 1])
{
    unsigned char random[MADE_ID_BYTES];
    size_t len = 0;

    evutil_secure_rng_get_bytes(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++)
        len += (size_t)snprintf(out + len, 3, "%02x", random[i]);
    return notify_str_of(out, len);
}

static struct client *client_alloc(struct client_shared *shared, const struct opening *opening)
{
    char made[2 * MADE_ID_BYTES + 1];
    struct notify_str id = opening->client_id.len > 0 ? opening->client_id : make_id(made);
    struct notify_str user = opening->user[0] != '\0' ? notify_str_z(opening->user) : id;
    struct client *client = calloc(1, sizeof(*client) + user.len + id.len);

    if (client == NULL)
        return NULL;
    client->user_len = (uint8_t)user.len; /* at most KEY_NAME_MAX, both of them */
    client->id_len = (uint8_t)id.len;
    memcpy(client->names, user.ptr, user.len);
    memcpy(client->names + user.len, id.ptr, id.len);
    client->number = ++shared->next_number;
    return client;
}

struct client *client_open(struct client_shared *shared, struct conn *conn,
                           const struct http_request *req)
{
    struct opening opening;
    struct client *client;
    const char *why = read_opening(&opening, shared, req);

    if (why != NULL) { /* a browser sees a Close frame, but not the status of a refused upgrade */
        log_debug("client_refused", "addr", log_bytes(req->addr.ptr, req->addr.len), "reason", why);
        conn_close(conn, CONN_CLOSE_ABUSE, why);
        return NULL;
    }
    client = client_alloc(shared, &opening);
    if (client == NULL)
        return NULL;
    client->shared = shared;
    client->conn = conn;
    client->dialect = DIALECT_TOPIC;
    client->state = CLIENT_OPENING;
    TAILQ_INSERT_TAIL(&shared->all, client, all_link);
    counter_add(COUNTER_CLIENTS_OPENED, 1);
    if (follow_all(client, &opening) != 0) {
        client_on_closed(client, CONN_CLOSE_INTERNAL);
        return NULL;
    }
    log_debug("client_open", "client", log_int((int64_t)client->number), "addr",
              log_bytes(req->addr.ptr, req->addr.len), "user",
              log_bytes(client->names, client->user_len));
    return client;
}

/* Closing. */

static void free_asks(struct client *client)
{
    while (client->asks != NULL) {
        struct ask *ask = client->asks;
        client->asks = ask->next;
        drop_ask(client, ask);
    }
}

void client_on_closed(struct client *client, int code)
{
    struct client_shared *shared = client->shared;

    log_debug("client_closed", "client", log_int((int64_t)client->number), "code", log_int(code));
    client->state = CLIENT_CLOSED;
    client->conn = NULL;
    client_call_begin(client, 0); /* or the last ask takes the client with it */
    forget_stuck(client);
    free_asks(client);
    outbox_release(&client->outbox);
    while (client->follows != NULL)
        client_unfollow(client, client->follows);
    linger_account_release(client->left);
    TAILQ_REMOVE(&shared->all, client, all_link);
    client_call_end(client, 0);
    shared->on_closed(shared->ctx);
}

void client_call_begin(struct client *client, size_t bytes)
{
    client->calls++;
    client->call_bytes += (uint32_t)bytes;
    pause_input(client);
}

void client_call_waits(struct client *client)
{
    client->in_line++;
    pause_input(client);
}

void client_call_goes_on(struct client *client)
{
    client->in_line--;
    pause_input(client);
}

void client_call_end(struct client *client, size_t bytes)
{
    client->calls--;
    client->call_bytes -= (uint32_t)bytes;
    pause_input(client);
    free_when_done(client);
}

int client_shared_init(struct client_shared *shared)
{
    TAILQ_INIT(&shared->all);
    TAILQ_INIT(&shared->stuck);
    shared->stuck_timer = loop_timer_new(shared->loop, on_stuck_check, shared);
    return shared->stuck_timer == NULL ? -ENOMEM : 0;
}

void client_shared_release(struct client_shared *shared)
{
    loop_timer_free(shared->stuck_timer);
}
