#include "clients/arrival.h"

#include <errno.h>
#include <stdlib.h>

#include "base/iso_time.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/random_hex.h"
#include "clients/admission.h"
#include "clients/ask.h"
#include "clients/auto_follow.h"
#include "clients/categories.h"
#include "clients/client.h"
#include "clients/client_state.h"
#include "clients/following.h"
#include "clients/inbox_start.h"
#include "clients/opening.h"
#include "clients/permission.h"
#include "clients/progress.h"
#include "clients/recovery.h"
#include "clients/review.h"
#include "clients/rewinding.h"
#include "clients/sessions.h"
#include "clients/unseen.h"
#include "identity/authority.h"
#include "identity/key_names.h"
#include "identity/plain_channels.h"
#include "net/conn.h"
#include "socketio/socketio.h"
#include "wire/dialect.h"
#include "wire/json_text.h"
#include "wire/vocabulary.h"

#define MADE_ID_BYTES 12

/* The greeting. */

static void add_role(void *ctx, struct notify_str role)
{
    (void)json_array_append_new(ctx, json_stringn(role.ptr, role.len));
}

static bool is_socket(const struct client *client)
{
    return client->sender.dialect == DIALECT_SOCKETIO ||
           client->sender.dialect == DIALECT_SOCKETIO_MARKED;
}

static void greet(struct client *client)
{
    char now[ISO_TIME_LEN + 1];
    const struct greeting greeting = {
        .client_id = client_id(client),
        .user_id = client_user(client),
        .roles = json_array(),
        .categories = categories_of_roles(client),
        .positions = client->sender.marked ? progress_positions(client->sender.progress) : NULL,
        .timestamp = now};

    identity_each_role(client->identity, add_role, greeting.roles);
    iso_time_format(now, loop_wall_ms(client->shared->senders.loop));
    sender_greet(&client->sender, &greeting);
    json_decref(greeting.roles);
    json_decref(greeting.categories);
    json_decref(greeting.positions);
    if (is_socket(client))
        socketio_hold(client->sender.conn, false);
}

static void on_greeting_due(void *ctx)
{
    struct client *client = ctx;

    if (!client_is_closed(client)) {
        greet(client);
        client_refill(client);
        unseen_on_greeted(client);
    }
    client_call_end(client, 0);
}

/* All that the client follows by itself is live. A channel says so, which may be in the middle of
 * something; the greeting leads to reading more from channels. */
static void greet_soon(struct client *client, struct ask *ask)
{
    (void)ask;
    if (client->awaits != 0) {
        client->greet_due = true;
        return;
    }
    sender_call_begin(&client->sender, 0);
    loop_defer(client->shared->senders.loop, on_greeting_due, client);
}

static const struct ask_kind greeting_kind = {.done = greet_soon, .impatient = true};

/* What Redis was to say first. */

static void await_no_more(struct client *client, enum await what)
{
    if ((client->awaits & what) == 0)
        return;
    client->awaits &= (uint8_t)~what;
    if (client->awaits == 0 && client->greet_due)
        greet_soon(client, NULL);
}

void arrival_on_logs_followed(struct client *client)
{
    await_no_more(client, AWAIT_LOGS);
}

static void on_settled(struct client *client)
{
    await_no_more(client, AWAIT_SESSIONS);
}

static void on_refused(struct client *client, enum session_set_kind kind, struct notify_str key,
                       bool too_many_sessions)
{
    enum counter limit = too_many_sessions ? COUNTER_USER_SESSIONS : COUNTER_SESSION_CONNECTIONS;

    client_limit_met(client, limit);
    if (kind == SESSIONS_OF_USER)
        sender_close(&client->sender, CONN_CLOSE_TOO_MANY,
                     too_many_sessions ? "too many sessions of this user"
                                       : "too many connections of this session");
    else if (kind == USERS_OF_TOPIC) /* which it follows all the same */
        client_tell_error(client, key, "TOO_MANY_CONNECTIONS",
                          "so many are present there that no other is counted");
}

static void on_kicked(struct client *client)
{
    sender_close(&client->sender, CONN_CLOSE_KICKED, "the session was ended");
}

const struct session_handlers arrival_session_handlers = {
    .on_settled = on_settled,
    .on_refused = on_refused,
    .on_kicked = on_kicked,
};

/* Is what a stream of events has brought of use to whom that is? */
static void judge_brought(struct client *client)
{
    struct progress *progress = client->sender.progress;
    bool is_own;

    if (progress == NULL)
        return;
    is_own = progress_is_of(progress, client_user(client));
    if (progress_brought(progress) == PROGRESS_MALFORMED)
        client_tell_gap(client, json_null(), "malformed");
    else if (!is_own)
        client_tell_gap(client, json_null(), "user");
}

/* Whoever joins by Socket.IO waits to hear that he may, and not for what he follows. */
static void let_in(struct client *client)
{
    if (is_socket(client) && !client->opening->accepted)
        socketio_accept(client->sender.conn, client_id(client), client_origin_pid(client));
}

/* What is to be known of whoever is known by now. False: the connection is being closed. */
static bool settle(struct client *client)
{
    struct notify_str user = client_user(client);
    const char *wanted = client->opening->user;

    log_debug("client_known", "client", log_int((int64_t)client->number), "user",
              log_bytes(user.ptr, user.len));
    if (wanted[0] != '\0' && !notify_str_eq(notify_str_z(wanted), user))
        sender_close(&client->sender, CONN_CLOSE_FORBIDDEN, "user is not whom the token is for");
    else if (!categories_apply(client))
        sender_close(&client->sender, CONN_CLOSE_INTERNAL, "out of memory");
    else
        return true;
    return false;
}

/* What it came by is not needed any more. */
static void forget_opening(struct client *client)
{
    opening_free(client->opening);
    client->opening = NULL;
    if (client->sender.marked)
        return;
    progress_free(client->sender.progress);
    client->sender.progress = NULL;
}

static void follow(struct client *client, const struct notify_id *from)
{
    int error = auto_follow(client, client->opening, from, &greeting_kind);

    if (error == -EBUSY)
        sender_close(&client->sender, CONN_CLOSE_TRY_AGAIN, "too many keys wait to be left");
    else if (error != 0)
        sender_close(&client->sender, CONN_CLOSE_INTERNAL, "out of memory");
    forget_opening(client);
}

static void on_rewound(struct client *client)
{
    follow(client, NULL);
}

/* Where the newest entries begin that it wishes for. */
static void rewind_first(struct client *client, const struct rewind_wish *wish)
{
    struct rewinding *rewinding = rewinding_new(client, wish);

    if (rewinding != NULL && auto_follow_name(client, client->opening, rewinding)) {
        rewinding_run(rewinding, on_rewound);
        return;
    }
    rewinding_free(rewinding);
    sender_close(&client->sender, CONN_CLOSE_INTERNAL, "out of memory");
}

/* What one that goes on has missed for good; of all else it was told when it came. */
static void tell_gone(struct client *client, struct ask *ask)
{
    json_t *gone = json_object(), *result;
    const char *key;

    json_object_foreach(ask->results, key, result)
    {
        if (!json_is_true(json_object_get(result, "recovered")))
            (void)json_object_set(gone, key, result);
    }
    if (json_object_size(gone) > 0)
        client_tell_resumed(client, gone);
    json_decref(gone);
}

static const struct ask_kind gone_kind = {.done = tell_gone, .results = true, .tells = true};

/* What was found out before, and not said any more. */
static void tell_gaps(struct client *client, const json_t *gaps)
{
    json_t *results = json_object();
    const json_t *key;
    size_t i;

    json_array_foreach(gaps, i, key)
    {
        const struct follow *follow = client_find_follow(client, json_text_of(key));
        if (follow != NULL)
            ask_put_result(results, json_text_of(key), follow, false);
    }
    if (json_object_size(results) > 0)
        client_tell_resumed(client, results);
    json_decref(results);
}

/* A new array of the keys of which not all can be had: those of which that was known, or, if its
 * client may have had more than the state says, all that have places. */
static json_t *keys_gone(const struct client *client, const struct client_state *state)
{
    bool set_back = client->opening->set_back;
    json_t *gone = json_array(), *one;
    size_t i;

    json_array_foreach(set_back ? state->keys : state->gaps, i, one)
    {
        if (!set_back)
            (void)json_array_append(gone, one);
        else if (!json_is_null(json_array_get(one, 1)))
            (void)json_array_append(gone, json_array_get(one, 0));
    }
    return gone;
}

/* Nothing of what it is sent of its inbox has been marked as seen yet. */
static bool note_marks(struct client *client)
{
    client->inbox_start = calloc(1, sizeof(*client->inbox_start));
    return client->inbox_start != NULL;
}

static void go_on(struct client *client, const struct client_state *state)
{
    json_t *gone = keys_gone(client, state);

    if (client->opening->set_back) /* else it was told when that was found out */
        client_tell_gap(client, json_incref(gone), "gone");
    categories_choose_again(client, state->chosen);
    client_set_rate(client, &state->rate);
    if (state->warned)
        admission_skip_warning(client);
    if ((state->marks && !note_marks(client)) ||
        auto_follow_again(client, state, &gone_kind) != 0) {
        sender_close(&client->sender, CONN_CLOSE_INTERNAL, "out of memory, or too much is left");
    } else {
        client->awaits = 0; /* it has been greeted once */
        if (client->opening->accepted)
            sender_begin(&client->sender, NULL);
        else
            greet(client);
        client_refill(client);
        tell_gaps(client, gone);
        if (client->opening->missed)
            client_tell_gap(client, json_null(), "between_polls");
    }
    json_decref(gone);
    forget_opening(client);
}

static void begin(struct client *client)
{
    const struct opening *opening = client->opening;
    struct rewind_wish wish = {.last = opening->last, .since_ms = 0};

    if (opening->since.ms != 0) /* it was not too long ago when it came */
        (void)rewind_instant(&opening->since, loop_wall_ms(client->shared->senders.loop),
                             &wish.since_ms);
    if (opening->state.greeted)
        go_on(client, &client->opening->state);
    else if (rewind_is_wished(&wish))
        rewind_first(client, &wish);
    else
        follow(client, NULL);
}

/* One that was not greeted before it went on here begins anew; but what it has asked for since it
 * came, and was told to have, it has. False: the connection cannot go on. */
static bool take_up(struct client *client)
{
    const struct client_state *state = &client->opening->state;

    if (state->json == NULL || state->greeted)
        return true;
    categories_choose_again(client, state->chosen);
    client_set_rate(client, &state->rate);
    if (state->warned)
        admission_skip_warning(client);
    if (client->opening->set_back) /* it may have been greeted, and what it follows begins now */
        client_tell_gap(client, json_null(), "gone");
    if (client->opening->missed && json_array_size(state->asked) > 0)
        client_tell_gap(client, json_null(), "between_polls");
    if (auto_follow_asked(client, state, &gone_kind) != 0)
        return false;
    tell_gaps(client, state->gaps);
    return true;
}

static bool has_brought(const struct client *client)
{
    const struct progress *progress = client->sender.progress;

    return progress != NULL && progress_brought(progress) != PROGRESS_NOTHING;
}

static void come_in(struct client *client)
{
    const struct opening *opening = client->opening;

    let_in(client);
    judge_brought(client);
    if (!take_up(client))
        sender_close(&client->sender, CONN_CLOSE_INTERNAL, "out of memory, or too much is left");
    else if (opening->state.greeted || opening->knows_positions || has_brought(client))
        begin(client);
    else
        unseen_ask(client, follow);
}

/* False: out of memory. */
static bool name_again(struct client *client, struct notify_str user)
{
    struct identity *before = client->identity;

    if (notify_str_eq(user, client_user(client)))
        return true;
    client->identity = identity_open(user); /* who has no other name (clients/recovery.c) */
    identity_unref(before);
    return client->identity != NULL;
}

/* It is what it was, under the names that it had. */
static void on_recovered(struct client *client, struct client_state *state)
{
    if (state->json != NULL) {
        memcpy(client->id, state->id.ptr, client->id_len); /* which is as long */
        client_origin_name(client, state->pid);
        client_state_release(&client->opening->state);
        client->opening->state = *state;
    }
    if (state->json == NULL || name_again(client, state->user))
        come_in(client);
    else
        sender_close(&client->sender, CONN_CLOSE_INTERNAL, "out of memory");
}

/* It is known who that is. */
static void admit(struct client *client)
{
    if (!settle(client))
        return;
    if (client->opening->pid.len > 0)
        recovery_ask(client, client->opening->pid, on_recovered);
    else
        come_in(client);
}

/* Somebody without a token, of whom it is not known what he has seen. Takes identity over; NULL:
 * out of memory. */
static void admit_without(struct client *client, struct identity *identity)
{
    client->identity = identity;
    client->opening->knows_positions = true;
    conn_hold_answer(client->sender.conn);
    if (identity == NULL)
        sender_close(&client->sender, CONN_CLOSE_INTERNAL, "out of memory");
    else
        admit(client);
}

void arrival_admit(struct client *client)
{
    admit(client);
}

/* For a client that names none. */
static struct notify_str make_id(char out[2 * MADE_ID_BYTES + 1])
{
    random_hex(out, MADE_ID_BYTES);
    return notify_str_z(out);
}

static struct client *make_client(struct client_shared *shared, struct conn *conn,
                                  const struct arrival *arrival)
{
    char made[2 * MADE_ID_BYTES + 1];
    struct notify_str id = arrival->opening.client_id;
    struct client *client;

    if (id.len == 0)
        id = arrival->made_id.len > 0 ? arrival->made_id : make_id(made);
    client = client_new(shared, conn, id);
    if (client == NULL)
        return NULL;
    client_speak(client, arrival->opening.dialect);
    client->in_session = arrival->opening.in_session;
    return client;
}

/* One that has not come is awaited for long. */
static void await_token(struct client *client, struct notify_str token)
{
    if (token.ptr != NULL)
        conn_hold_answer(client->sender.conn);
    admission_begin(client, token);
}

/* Somebody whose token is judged, or awaited; or who is let in without one. */
static void ask_for_token(struct client *client, const struct arrival *arrival)
{
    const struct authority *authority = client->shared->admissions->authority;

    if (arrival->token_fault != NULL)
        sender_close(&client->sender, CONN_CLOSE_UNAUTHORIZED, arrival->token_fault);
    else if (arrival->token.ptr == NULL && authority_has_guests(authority))
        admit_without(client, authority_guest(authority));
    else if (arrival->token.ptr == NULL && arrival->only_now)
        sender_close(&client->sender, CONN_CLOSE_UNAUTHORIZED, "a token is needed");
    else
        await_token(client, arrival->token);
}

static void identify(struct client *client, const struct arrival *arrival)
{
    struct notify_str name =
        client->opening->user[0] != '\0' ? notify_str_z(client->opening->user) : client_id(client);

    if (authority_is_open(client->shared->admissions->authority))
        admit_without(client, identity_open(name));
    else
        ask_for_token(client, arrival);
}

/* What it has brought. False: the connection is being closed. */
static bool bring(struct client *client, const struct arrival *arrival)
{
    struct progress *progress = client->sender.progress;

    if (arrival->bookmark.len > 0)
        progress_bring_bookmark(progress, arrival->bookmark);
    else if (arrival->positions != NULL &&
             !progress_bring_positions(progress, arrival->positions)) {
        sender_close(&client->sender, CONN_CLOSE_ABUSE,
                     "positions must be a JSON object of keys and positions, at most 128");
        return false;
    }
    return true;
}

static bool begin_progress(struct client *client, const struct arrival *arrival)
{
    struct progress *progress;

    if (!arrival->marked && arrival->bookmark.len == 0 && arrival->positions == NULL)
        return true;
    progress = progress_new();
    client->sender.progress = progress;
    client->sender.marked = progress != NULL && arrival->marked;
    if (progress != NULL)
        return bring(client, arrival);
    sender_close(&client->sender, CONN_CLOSE_INTERNAL, "out of memory");
    return false;
}

/* It may have to be written (client_state.h). */
static bool keep_origin(struct client *client, const struct arrival *arrival)
{
    if (!arrival->returns && arrival->new_pid.len == 0)
        return true;
    if (client_origin_keep(client, arrival->auth)) {
        client_origin_name(client, arrival->new_pid);
        return true;
    }
    sender_close(&client->sender, CONN_CLOSE_INTERNAL, "out of memory");
    return false;
}

static void log_open(const struct client *client, const struct arrival *arrival)
{
    log_debug("client_open", "client", log_int((int64_t)client->number), "addr",
              log_bytes(arrival->addr.ptr, arrival->addr.len));
}

void arrival_begin(struct client_shared *shared, struct conn *conn, const struct arrival *arrival)
{
    struct client *client = make_client(shared, conn, arrival);

    if (client == NULL) {
        conn_close(conn, CONN_CLOSE_INTERNAL, "out of memory");
        return;
    }
    conn_set_peer(conn, shared->handlers, client);
    client->polls = arrival->returns;
    log_open(client, arrival);
    client->opening = opening_copy(&arrival->opening);
    if (client->opening == NULL)
        sender_close(&client->sender, CONN_CLOSE_INTERNAL, "out of memory");
    else if (keep_origin(client, arrival) && begin_progress(client, arrival))
        identify(client, arrival);
}

void arrival_refuse(struct conn *conn, const struct arrival *arrival, const char *why)
{
    log_debug("client_refused", "addr", log_bytes(arrival->addr.ptr, arrival->addr.len), "reason",
              why);
    conn_close(conn, dialect_close_code(arrival->opening.dialect, CONN_CLOSE_ABUSE), why);
}

const char *arrival_fault(const struct client_shared *shared, const struct opening *opening)
{
    size_t max = shared->max_subscriptions;
    uint64_t since_ms;

    if (opening->dialect == DIALECT_EVENTS && max > BOOKMARK_KEYS_MAX)
        max = BOOKMARK_KEYS_MAX;
    if (opening_name_count(opening) > 0 && auto_follow_count(shared, opening) > max)
        return "topics and channels must be fewer: a connection may not follow so many keys";
    if (opening->since.ms != 0 &&
        !rewind_instant(&opening->since, loop_wall_ms(shared->senders.loop), &since_ms))
        return REWIND_TOO_LONG_AGO;
    return NULL;
}

void arrival_undo(struct client *client, int code)
{
    recovery_leave(client, code);
    inquiries_forget(&client->inquiries);
    if (code == CONN_CLOSE_PARKED)
        sessions_park(client);
    else
        sessions_forget(client);
    following_forget(client);
    unseen_end(client, code);
    admission_end(client);
    review_forget(client);
    categories_forget(client);
    client_origin_forget(client);
    forget_opening(client);
}
