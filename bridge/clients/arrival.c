#include "clients/arrival.h"

#include <errno.h>
#include <stdlib.h>

#include "base/iso_time.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/random_hex.h"
#include "clients/admission.h"
#include "clients/categories.h"
#include "clients/client.h"
#include "clients/credentials.h"
#include "clients/following.h"
#include "clients/opening.h"
#include "clients/permission.h"
#include "clients/progress.h"
#include "clients/review.h"
#include "clients/rewinding.h"
#include "clients/sessions.h"
#include "clients/unseen.h"
#include "identity/authority.h"
#include "identity/key_names.h"
#include "identity/plain_channels.h"
#include "net/conn.h"
#include "wire/dialect.h"
#include "wire/vocabulary.h"

#define MADE_ID_BYTES 12

/* The greeting. */

static void add_role(void *ctx, struct notify_str role)
{
    (void)json_array_append_new(ctx, json_stringn(role.ptr, role.len));
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

/* Its places. One that names no session has one that nobody else can name, so nobody asks whose it
 * is; and nobody asks for a user without a name. */
static int enter_sessions(struct client *client, const struct opening *opening)
{
    struct client_shared *shared = client->shared;
    struct key_buffer buffer;
    struct notify_str key;
    int error;

    if (shared->sessions == NULL || client->identity->anonymous)
        return 0;
    client->awaits |= AWAIT_SESSIONS;
    key = key_of(shared->keys, KEY_USER_SESSIONS, client_user(client), &buffer);
    error = sessions_enter(shared->sessions, client, SESSIONS_OF_USER, key);
    if (error == 0 && opening->client_id.len > 0 &&
        shared->keys->patterns[KEY_SESSION_USERS][0] != '\0')
        sessions_name_holder(client);
    return error;
}

static const struct ask_kind greeting_kind = {.done = greet_soon, .impatient = true};

/* The keys that a client follows without asking. */
struct auto_keys {
    struct client *client;
    struct ask *ask;
    struct ask *resumed;         /* of those that it has brought a position of; or NULL */
    struct rewinding *rewinding; /* is told of them, and they are not followed; or NULL */
    int error;
};

static void follow_by_itself(struct auto_keys *keys, struct notify_str key,
                             const struct notify_id *from)
{
    struct client *client = keys->client;
    struct position position = {.epoch = 0};
    bool brought;

    if (from != NULL)
        position.id = *from;
    if (keys->error != 0 || key.len == 0 || client_find_follow(client, key) != NULL)
        return;
    if (keys->rewinding != NULL) {
        keys->error = rewinding_add(keys->rewinding, key) ? 0 : -ENOMEM;
        return;
    }
    brought = keys->resumed != NULL && progress_find(client->sender.progress, key, &position);
    keys->error = client_follow(client, key, brought || from != NULL ? &position : NULL,
                                brought ? keys->resumed : keys->ask);
    if (keys->error == -E2BIG)
        client_tell_error(client, key, "TOO_MANY_SUBSCRIPTIONS", CLIENT_TOO_MANY_KEYS_TEXT);
    else if (keys->error == -EUSERS)
        client_tell_error(client, key, "UNAVAILABLE", CLIENT_TOO_MANY_PATTERNS_TEXT);
    else
        return;
    keys->error = 0; /* the others are followed all the same: roles may name many */
}

static void tell_resumed(struct client *client, struct ask *ask)
{
    client_tell_resumed(client, ask->results, ask->epochs);
}

static const struct ask_kind resume_kind = {.done = tell_resumed, .results = true, .tells = true};

/* NULL: out of memory. */
static struct ask *open_ask(struct client *client, const struct ask_kind *kind, size_t max)
{
    struct ask *ask = ask_new(kind, max, NULL, 0, NULL);

    if (ask != NULL)
        ask_open(&client->asks, ask, client, &client->sender);
    return ask;
}

/* As "resume" does, and so told. One with a position loses nothing by being greeted early, and what
 * it missed may be more than the outbox holds: the rest comes only once the client reads, which it
 * does once greeted. */
static int resume_by_itself(struct client *client, struct notify_str key,
                            const struct position *from)
{
    struct ask *ask = open_ask(client, &resume_kind, 1);
    int error;

    if (ask == NULL)
        return -ENOMEM;
    error = client_follow(client, key, from, ask);
    if (error == 0)
        ask_close(&client->asks, ask);
    return error;
}

/* What the address asks for, as far as it may. */
static void follow_if_it_may(struct auto_keys *keys, enum key_kind kind, struct notify_str name)
{
    struct client *client = keys->client;
    struct key_buffer buffer;
    struct notify_str key = key_of(client->shared->keys, kind, name, &buffer);

    if (key.len == 0 || client_may_follow(client, key))
        follow_by_itself(keys, key, NULL);
    else if (keys->rewinding == NULL)
        client_tell_error(client, key, "FORBIDDEN", CLIENT_NO_RIGHT_TEXT);
}

static void follow_of_address(struct auto_keys *keys, const struct opening *opening)
{
    const char *rest = opening->topics;
    struct notify_str topic;

    if (opening->in_session)
        follow_if_it_may(keys, KEY_SESSION, opening->client_id);
    while (opening_next_name(&rest, &topic))
        follow_if_it_may(keys, KEY_TOPIC, topic);
}

/* Those without a box: nothing of them is to be had again. */
static void follow_channels(struct auto_keys *keys, const struct opening *opening)
{
    struct client *client = keys->client;
    const char *rest = opening->channels;
    struct notify_str name;

    while (keys->rewinding == NULL && opening_next_name(&rest, &name))
        if (name.len == 0 || (plain_channels_have(client->shared->channels, name) &&
                              client_may_follow(client, name)))
            follow_by_itself(keys, name, NULL);
        else
            client_tell_error(client, name, "FORBIDDEN", CLIENT_NO_RIGHT_TEXT);
}

/* One of those that its roles follow at once. */
static void follow_of_role(void *ctx, struct notify_str topic)
{
    struct auto_keys *keys = ctx;
    struct key_buffer buffer;

    if (key_name_is_valid(topic))
        follow_by_itself(keys, key_of(keys->client->shared->keys, KEY_TOPIC, topic, &buffer), NULL);
}

static void count_name(void *ctx, struct notify_str name)
{
    (void)name;
    ++*(size_t *)ctx;
}

/* How many keys a client follows by itself: its inbox, its session, the logs, topics and
 * channels. */
static size_t count_keys(const struct client_shared *shared, const struct opening *opening)
{
    size_t count = 1 + opening->in_session + opening_name_count(opening);

    for (const char *const *log = shared->broadcast_logs; *log != NULL; log++)
        count++;
    return count;
}

/* Is what a stream of events has brought of use to whom that is? */
static void judge_brought(struct client *client)
{
    struct progress *progress = client->sender.progress;
    bool is_own;

    if (!client->sender.marked)
        return;
    is_own = progress_is_of(progress, client_user(client));
    if (progress_brought(progress) == PROGRESS_MALFORMED)
        client_tell_gap(client, json_null(), "malformed");
    else if (!is_own)
        client_tell_gap(client, json_null(), "user");
}

/* What it goes on from. False: out of memory. */
static bool begin_resuming(struct auto_keys *keys, size_t count)
{
    const struct sender *sender = &keys->client->sender;

    if (!sender->marked || !progress_has_begin(sender->progress))
        return true;
    keys->resumed = open_ask(keys->client, &resume_kind, count);
    return keys->resumed != NULL;
}

static void end_resuming(struct auto_keys *keys)
{
    struct asks *asks = &keys->client->asks;

    if (keys->resumed != NULL && keys->resumed->len == 0)
        ask_cancel(asks, keys->resumed);
    else if (keys->resumed != NULL)
        ask_close(asks, keys->resumed);
    if (keys->client->sender.marked)
        progress_forget_brought(keys->client->sender.progress);
}

/* Its inbox is to count the logs. A name that was made up for want of one is nobody's, and comes
 * never again: nothing is kept for it. */
static void follow_logs(struct client *client, const struct opening *opening)
{
    const struct identity *identity = client->identity;
    bool is_made_up =
        identity->everything && opening->user[0] == '\0' && opening->client_id.len == 0;

    if (!identity->anonymous && !is_made_up && following_begin(client))
        client->awaits |= AWAIT_LOGS;
}

/* from: where its inbox is followed from, if not from where its address says; or NULL: from now on.
 */
static void follow_each(struct auto_keys *keys, const struct opening *opening,
                        const struct notify_id *from)
{
    struct client *client = keys->client;
    struct key_buffer buffer;
    struct notify_str inbox = client_inbox(client, &buffer);

    if (!client->identity->anonymous && opening->has_last_id)
        keys->error = resume_by_itself(client, inbox, &opening->last_id);
    else if (!client->identity->anonymous)
        follow_by_itself(keys, inbox, from);
    for (const char *const *log = client->shared->broadcast_logs; *log != NULL; log++)
        follow_by_itself(keys, notify_str_z(*log), NULL);
    follow_of_address(keys, opening);
    follow_channels(keys, opening);
    identity_each(client->identity, RIGHT_FOLLOW, false, follow_of_role, keys);
}

/* from: as above. */
static int follow_all(struct client *client, const struct opening *opening,
                      const struct notify_id *from)
{
    struct client_shared *shared = client->shared;
    struct auto_keys keys = {.client = client};
    size_t count = count_keys(shared, opening);

    if (enter_sessions(client, opening) != 0)
        return -ENOMEM;
    follow_logs(client, opening);
    identity_each(client->identity, RIGHT_FOLLOW, false, count_name, &count);
    keys.ask = open_ask(client, &greeting_kind, count);
    if (keys.ask == NULL || !begin_resuming(&keys, count))
        return -ENOMEM;
    follow_each(&keys, opening, from);
    if (keys.error != 0)
        return keys.error; /* as below */
    following_note(client);
    end_resuming(&keys);
    ask_close(&client->asks, keys.ask);
    return keys.error; /* a client that could not be opened takes its asks with it */
}

/* False: it is too long ago. */
static bool read_wish(struct rewind_wish *ret, const struct client_shared *shared,
                      const struct opening *opening)
{
    *ret = (struct rewind_wish){.last = opening->last};
    return opening->since.ms == 0 ||
           rewind_instant(&opening->since, loop_wall_ms(shared->senders.loop), &ret->since_ms);
}

/* NULL, or why such a client is not let in. */
static const char *read_opening(struct opening *ret, const struct client_shared *shared,
                                const struct http_request *req)
{
    const char *why = opening_read(ret, req);
    size_t max = shared->max_subscriptions;
    struct rewind_wish wish;

    if (why == NULL && ret->dialect == DIALECT_EVENTS && max > BOOKMARK_KEYS_MAX)
        max = BOOKMARK_KEYS_MAX;
    if (why == NULL && opening_name_count(ret) > 0 && count_keys(shared, ret) > max)
        return "topics and channels must be fewer: a connection may not follow so many keys";
    if (why == NULL && !read_wish(&wish, shared, ret))
        return REWIND_TOO_LONG_AGO;
    return why;
}

/* What is to be known of whoever is known by now. False: the connection is being closed. */
static bool settle(struct client *client, const struct opening *opening)
{
    struct notify_str user = client_user(client);

    log_debug("client_known", "client", log_int((int64_t)client->number), "user",
              log_bytes(user.ptr, user.len));
    if (opening->user[0] != '\0' && !notify_str_eq(notify_str_z(opening->user), user))
        sender_close(&client->sender, CONN_CLOSE_FORBIDDEN, "user is not whom the token is for");
    else if (!categories_apply(client))
        sender_close(&client->sender, CONN_CLOSE_INTERNAL, "out of memory");
    else {
        judge_brought(client);
        return true;
    }
    return false;
}

/* Of a client whose token is judged, or awaited: path and query. */
struct kept_address {
    size_t path_len, query_len;
    char bytes[];
};

/* False: out of memory. */
static bool keep_address(struct client *client, const struct http_request *req)
{
    struct kept_address *address = malloc(sizeof(*address) + req->path.len + req->query.len);

    client->address = address;
    if (address == NULL)
        return false;
    address->path_len = req->path.len;
    address->query_len = req->query.len;
    memcpy(address->bytes, req->path.ptr, req->path.len);
    if (req->query.len > 0)
        memcpy(address->bytes + req->path.len, req->query.ptr, req->query.len);
    return true;
}

/* The address was read when the connection opened, to refuse a bad one before its token is judged.
 */
static void read_again(struct opening *ret, const struct client *client)
{
    const struct kept_address *address = client->address;
    const struct http_request req = {
        .path = notify_str_of(address->bytes, address->path_len),
        .query = notify_str_of(address->bytes + address->path_len, address->query_len)};

    (void)opening_read(ret, &req);
}

static void forget_address(struct client *client)
{
    free(client->address);
    client->address = NULL;
}

static void follow(struct client *client, const struct opening *opening,
                   const struct notify_id *from)
{
    if (follow_all(client, opening, from) != 0)
        sender_close(&client->sender, CONN_CLOSE_INTERNAL, "out of memory");
    forget_address(client);
}

static void go_on(struct client *client, const struct notify_id *from)
{
    struct opening opening;

    read_again(&opening, client);
    follow(client, &opening, from);
}

static void on_rewound(struct client *client)
{
    go_on(client, NULL);
}

/* Where the newest entries begin that it wishes for; its address is kept. */
static void rewind_first(struct client *client, const struct opening *opening,
                         const struct rewind_wish *wish)
{
    struct auto_keys keys = {.client = client, .rewinding = rewinding_new(client, wish)};

    if (keys.rewinding == NULL)
        keys.error = -ENOMEM;
    else
        follow_each(&keys, opening, NULL);
    if (keys.error == 0) {
        rewinding_run(keys.rewinding, on_rewound);
        return;
    }
    rewinding_free(keys.rewinding);
    sender_close(&client->sender, CONN_CLOSE_INTERNAL, "out of memory");
}

static void begin(struct client *client, const struct opening *opening)
{
    struct rewind_wish wish;

    (void)read_wish(&wish, client->shared, opening); /* it was not too long ago when it came */
    if (rewind_is_wished(&wish))
        rewind_first(client, opening, &wish);
    else
        follow(client, opening, NULL);
}

/* Somebody without a token. Takes identity over; NULL: out of memory. */
static void admit_without(struct client *client, struct identity *identity,
                          const struct opening *opening)
{
    client->identity = identity;
    if (identity == NULL)
        sender_close(&client->sender, CONN_CLOSE_INTERNAL, "out of memory");
    else if (settle(client, opening))
        begin(client, opening);
}

static bool has_brought(const struct client *client)
{
    return client->sender.marked && progress_brought(client->sender.progress) != PROGRESS_NOTHING;
}

void arrival_admit(struct client *client)
{
    struct opening opening;

    read_again(&opening, client);
    if (!settle(client, &opening))
        return;
    if (opening.knows_positions || has_brought(client))
        begin(client, &opening);
    else
        unseen_ask(client, go_on);
}

/* For a client that names none. */
static struct notify_str make_id(char out[2 * MADE_ID_BYTES + 1])
{
    random_hex(out, MADE_ID_BYTES);
    return notify_str_z(out);
}

static struct client *make_client(struct client_shared *shared, struct conn *conn,
                                  const struct opening *opening)
{
    char made[2 * MADE_ID_BYTES + 1];
    struct notify_str id = opening->client_id.len > 0 ? opening->client_id : make_id(made);
    struct client *client = client_new(shared, conn, id);

    if (client == NULL)
        return NULL;
    client->sender.dialect = opening->dialect;
    client->in_session = opening->in_session;
    return client;
}

/* Somebody whose token is judged, or awaited; or who is let in without one. */
static void ask_for_token(struct client *client, const struct opening *opening,
                          const struct http_request *req)
{
    const struct client_shared *shared = client->shared;
    const struct authority *authority = shared->admissions->authority;
    struct credentials credentials;

    credentials_find(&credentials, req, shared->token_cookie);
    if (credentials.fault != NULL)
        sender_close(&client->sender, CONN_CLOSE_UNAUTHORIZED, credentials.fault);
    else if (credentials.token.ptr == NULL && authority_has_guests(authority))
        admit_without(client, authority_guest(authority), opening);
    else if (credentials.token.ptr == NULL && client->sender.marked) /* no message can bring one */
        conn_close(client->sender.conn, CONN_CLOSE_UNAUTHORIZED, "a token is needed");
    else
        admission_begin(client, credentials.token);
}

static void identify(struct client *client, const struct opening *opening,
                     const struct http_request *req)
{
    struct notify_str name =
        opening->user[0] != '\0' ? notify_str_z(opening->user) : client_id(client);

    if (authority_is_open(client->shared->admissions->authority))
        admit_without(client, identity_open(name), opening);
    else
        ask_for_token(client, opening, req);
}

/* What a browser gives back stands in the header; a page that was loaded anew has it in the query,
 * by one of two names. ptr NULL: there is none. */
static struct notify_str find_bookmark(const struct http_request *req, char *buffer, size_t cap)
{
    static const char *const names[] = {"last_event_id", "lastEventId"};
    struct notify_str header = http_field(req->head, "Last-Event-ID", NULL);
    int len;

    if (header.len > 0)
        return header;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!http_request_has(req, names[i]))
            continue;
        len = http_request_arg(req, names[i], buffer, cap);
        return len < 0 ? NOTIFY_STR("-") : notify_str_of(buffer, (size_t)len); /* which is none */
    }
    return (struct notify_str){NULL, 0};
}

/* ?positions=, as in "resume". False: it is none. */
static bool bring_positions(struct progress *progress, const struct http_request *req)
{
    char *text = malloc(req->query.len + 1);
    int len = text == NULL ? -1 : http_request_arg(req, "positions", text, req->query.len + 1);
    json_t *positions =
        len < 0 ? NULL : json_loadb(text, (size_t)len, JSON_REJECT_DUPLICATES, NULL);
    bool good = progress_bring_positions(progress, positions);

    json_decref(positions);
    free(text);
    return good;
}

/* False: the connection is being closed. */
static bool begin_progress(struct client *client, const struct http_request *req)
{
    char buffer[BOOKMARK_TEXT_MAX + 1];
    struct notify_str bookmark = find_bookmark(req, buffer, sizeof(buffer));
    struct progress *progress = progress_new();

    client->sender.progress = progress;
    client->sender.marked = progress != NULL;
    if (progress == NULL) {
        conn_close(client->sender.conn, CONN_CLOSE_INTERNAL, "out of memory");
        return false;
    }
    if (bookmark.len > 0)
        progress_bring_bookmark(progress, bookmark);
    else if (http_request_has(req, "positions") && !bring_positions(progress, req)) {
        conn_close(client->sender.conn, CONN_CLOSE_ABUSE,
                   "positions must be a JSON object of keys and positions, at most 128");
        return false;
    }
    return true;
}

void arrival_open(struct client_shared *shared, struct conn *conn, const struct http_request *req)
{
    struct opening opening;
    struct client *client;
    const char *why = read_opening(&opening, shared, req);

    if (why != NULL) { /* a browser sees a Close frame, but not the status of a refused upgrade */
        log_debug("client_refused", "addr", log_bytes(req->addr.ptr, req->addr.len), "reason", why);
        conn_close(conn, dialect_close_code(opening.dialect, CONN_CLOSE_ABUSE), why);
        return;
    }
    client = make_client(shared, conn, &opening);
    if (client == NULL) {
        conn_close(conn, CONN_CLOSE_INTERNAL, "out of memory");
        return;
    }
    conn_set_peer(conn, shared->handlers, client);
    log_debug("client_open", "client", log_int((int64_t)client->number), "addr",
              log_bytes(req->addr.ptr, req->addr.len));
    if (opening.dialect == DIALECT_EVENTS && !begin_progress(client, req))
        return;
    if (keep_address(client, req))
        identify(client, &opening, req);
    else
        sender_close(&client->sender, CONN_CLOSE_INTERNAL, "out of memory");
}

void arrival_undo(struct client *client, int code)
{
    inquiries_forget(&client->inquiries);
    sessions_forget(client);
    following_forget(client);
    unseen_end(client, code);
    admission_end(client);
    review_forget(client);
    categories_forget(client);
    forget_address(client);
}
