#include "request.h"

#include <errno.h>
#include <stdlib.h>

#include <jansson.h>

#include "answer.h"
#include "ask.h"
#include "call.h"
#include "channel.h"
#include "client.h"
#include "follow.h"
#include "iso_time.h"
#include "json_scan.h"
#include "key_names.h"
#include "log.h"
#include "loop.h"
#include "resp.h"
#include "router.h"

#define MAX_IDS 100       /* in one request */
#define MAX_POSITIONS 256 /* in one resume */
#define HISTORY_LIMIT_DEFAULT 20
#define HISTORY_LIMIT_MAX 100

struct request {
    struct client *client;
    const json_t *body;
    json_t *id; /* request_id or NULL; borrowed from body */
    const char *type;
};

static struct notify_str text_of(const json_t *string)
{
    return notify_str_of(json_string_value(string), json_string_length(string));
}

static void fail(const struct request *r, enum answer_code code, const char *message)
{
    answer_error(r->client, r->id, code, message);
}

static void fail_field(const struct request *r, const char *name, const char *expected)
{
    bool missing = json_object_get(r->body, name) == NULL;
    char message[160];

    (void)snprintf(message, sizeof(message), "%s must be %s", name, expected); /* cut if too long */
    fail(r, missing ? ANSWER_MISSING_FIELD : ANSWER_INVALID_FIELD, message);
}

/* Reading members. Each answers the client itself when it returns false. */

/* A string of 1 to CLIENT_NAME_MAX bytes: the name of a user, a topic, a session. */
static bool name_or_fail(const struct request *r, const char *member, struct notify_str *ret)
{
    const json_t *value = json_object_get(r->body, member);

    if (!json_is_string(value) || json_string_length(value) == 0 ||
        json_string_length(value) > CLIENT_NAME_MAX) {
        fail_field(r, member, "a string of 1 to 128 bytes");
        return false;
    }
    *ret = text_of(value);
    return true;
}

/* An id as a string, if the member is there at all. */
static bool optional_id_or_fail(const struct request *r, const char *member, struct notify_str *ret,
                                struct notify_id *ret_id)
{
    const json_t *value = json_object_get(r->body, member);

    *ret = (struct notify_str){NULL, 0};
    if (value == NULL || json_is_null(value))
        return true;
    if (!json_is_string(value) || !notify_id_parse(text_of(value), 0, ret_id)) {
        fail_field(r, member, "an id such as \"1795208400123-0\"");
        return false;
    }
    *ret = text_of(value);
    return true;
}

/* A string, if the member is there at all. */
static bool optional_text_or_fail(const struct request *r, const char *member,
                                  struct notify_str *ret)
{
    const json_t *value = json_object_get(r->body, member);

    *ret = (struct notify_str){NULL, 0};
    if (value == NULL || json_is_null(value))
        return true;
    if (!json_is_string(value)) {
        fail_field(r, member, "a string");
        return false;
    }
    *ret = text_of(value);
    return true;
}

/* "id" or "ids": up to MAX_IDS ids, appended to call's words. */
static bool ids_or_fail(const struct request *r, struct words *words)
{
    const json_t *one = json_object_get(r->body, "id");
    const json_t *many = json_object_get(r->body, "ids");
    size_t count = one != NULL ? 1 : json_array_size(many);
    struct notify_id id;

    if ((one == NULL && !json_is_array(many)) || count == 0 || count > MAX_IDS) {
        fail_field(r, one == NULL ? "ids" : "id", "one id, or ids an array of 1 to 100 ids");
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *value = one != NULL ? one : json_array_get(many, i);
        if (!json_is_string(value) || !notify_id_parse(text_of(value), 0, &id)) {
            fail_field(r, one != NULL ? "id" : "ids", "ids such as \"1795208400123-0\"");
            return false;
        }
        words_add(words, text_of(value));
    }
    return true;
}

static struct notify_str inbox_of(const struct request *r, struct key_buffer *buffer)
{
    return key_of(r->client->shared->keys, KEY_INBOX, client_user(r->client), buffer);
}

/* ping, heartbeat */

static void handle_ping(const struct request *r)
{
    char now[ISO_TIME_LEN + 1];
    const char *type = r->type[0] == 'p' ? "pong" : "heartbeat";

    iso_time_format(now, loop_wall_ms(r->client->shared->loop));
    client_send_json(r->client, json_pack("{s:s, s:s}", "type", type, "timestamp", now), r->id);
}

/* subscribe, unsubscribe: for topics and for sessions */

struct subject_kind {
    const char *member; /* of the request, and of the answer */
    enum key_kind kind;
    bool says_position; /* the answer has last and recovered */
};

static const struct subject_kind topic_subject = {"topic", KEY_TOPIC, true};
static const struct subject_kind session_subject = {"session_id", KEY_SESSION, false};

static json_t *subscription_answer(const struct subject_kind *kind, json_t *name, bool on)
{
    if (kind->says_position)
        return json_pack("{s:s, s:O, s:s}", "type", "subscription", kind->member, name, "status",
                         on ? "subscribed" : "unsubscribed");
    return json_pack("{s:s, s:O}", "type", on ? "subscribed" : "unsubscribed", kind->member, name);
}

/* The follow of a subscribe has become live. subject: {key, name, resumed}. */
static void on_subscribed(struct client *client, struct ask *ask)
{
    const json_t *key = json_object_get(ask->subject, "key");
    json_t *topic = json_object_get(ask->subject, "topic");
    json_t *session = json_object_get(ask->subject, "session_id");
    const struct subject_kind *kind = topic != NULL ? &topic_subject : &session_subject;
    const struct follow *follow = client_find_follow(client, text_of(key));
    const json_t *result = json_object_get(ask->results, json_string_value(key));
    json_t *answer = subscription_answer(kind, topic != NULL ? topic : session, true);
    char last[NOTIFY_ID_TEXT_MAX + 1];

    if (follow != NULL && answer != NULL && kind->says_position) {
        notify_id_format(last, follow->pos);
        (void)json_object_set_new(answer, "last", json_string(last));
        if (json_is_true(json_object_get(ask->subject, "resumed")))
            (void)json_object_set(answer, "recovered", json_object_get(result, "recovered"));
    }
    client_send_json(client, answer, ask->request_id);
}

static int start_follow(struct client *client, struct notify_str key, const struct notify_id *from,
                        struct ask *ask)
{
    struct follow *follow = client_find_follow(client, key);

    if (follow == NULL)
        return client_follow(client, key, from, ask);
    if (from != NULL)
        client_resume(client, follow, *from, ask);
    else if (follow->state != FOLLOW_LIVE)
        ask_await(ask, follow);
    return 0;
}

static void handle_subscribe_to(const struct request *r, const struct subject_kind *kind)
{
    struct client *client = r->client;
    struct notify_str name, last, key;
    struct key_buffer buffer;
    struct notify_id from;
    struct ask *ask;
    json_t *subject;
    int error;

    if (!name_or_fail(r, kind->member, &name) || !optional_id_or_fail(r, "last_id", &last, &from))
        return;
    key = key_of(client->shared->keys, kind->kind, name, &buffer);
    subject = json_pack("{s:s%, s:s%, s:b}", "key", key.ptr, key.len, kind->member, name.ptr,
                        name.len, "resumed", last.len > 0);
    ask = ask_new(1, on_subscribed, r->id, subject);
    json_decref(subject);
    if (ask == NULL) {
        fail(r, ANSWER_PROCESSING_ERROR, "out of memory");
        return;
    }
    client_ask_open(client, ask);
    error = start_follow(client, key, last.len > 0 ? &from : NULL, ask);
    if (error == 0) {
        client_ask_close(client, ask);
        return;
    }
    client_ask_cancel(client, ask);
    if (error == -E2BIG)
        fail(r, ANSWER_TOO_MANY_SUBSCRIPTIONS, "this connection follows as many keys as it may");
    else
        fail(r, ANSWER_PROCESSING_ERROR, "out of memory");
}

static void handle_unsubscribe_from(const struct request *r, const struct subject_kind *kind)
{
    struct key_buffer buffer;
    struct notify_str name;
    struct follow *follow;

    if (!name_or_fail(r, kind->member, &name))
        return;
    follow =
        client_find_follow(r->client, key_of(r->client->shared->keys, kind->kind, name, &buffer));
    if (follow != NULL)
        client_unfollow(r->client, follow);
    client_send_json(
        r->client, subscription_answer(kind, json_object_get(r->body, kind->member), false), r->id);
}

static void handle_subscribe(const struct request *r)
{
    handle_subscribe_to(r, &topic_subject);
}

static void handle_unsubscribe(const struct request *r)
{
    handle_unsubscribe_from(r, &topic_subject);
}

static void handle_subscribe_session(const struct request *r)
{
    handle_subscribe_to(r, &session_subject);
}

static void handle_unsubscribe_session(const struct request *r)
{
    handle_unsubscribe_from(r, &session_subject);
}

/* resume */

static void on_resumed(struct client *client, struct ask *ask)
{
    client_send_json(client, json_pack("{s:s, s:O}", "type", "resumed", "results", ask->results),
                     ask->request_id);
}

/* A key that the client follows, or may begin to follow. */
static bool may_resume(const struct request *r, struct notify_str key)
{
    const struct key_names *names = r->client->shared->keys;
    struct notify_str name;

    return client_find_follow(r->client, key) != NULL || key_is(names, KEY_TOPIC, key, &name) ||
           key_is(names, KEY_SESSION, key, &name);
}

static bool positions_or_fail(const struct request *r, json_t **ret_positions)
{
    json_t *positions = json_object_get(r->body, "positions");
    size_t room = r->client->shared->limits.subscriptions - r->client->follow_count;
    struct notify_id id;
    const char *name;
    json_t *value;
    size_t fresh = 0;

    if (!json_is_object(positions) || json_object_size(positions) > MAX_POSITIONS) {
        fail_field(r, "positions", "an object of at most 256 members: key to id");
        return false;
    }
    json_object_foreach(positions, name, value)
    {
        struct notify_str key = notify_str_z(name);
        if (key.len == 0 || key.len > NOTIFY_KEY_MAX || !json_is_string(value) ||
            !notify_id_parse(text_of(value), 0, &id)) {
            fail_field(r, "positions", "keys with ids such as \"1795208400123-0\"");
            return false;
        }
        if (!may_resume(r, key)) {
            fail(r, ANSWER_FORBIDDEN, "positions holds a key that this client may not follow");
            return false;
        }
        fresh += client_find_follow(r->client, key) == NULL;
    }
    if (fresh > room) {
        fail(r, ANSWER_TOO_MANY_SUBSCRIPTIONS, "this connection follows as many keys as it may");
        return false;
    }
    *ret_positions = positions;
    return true;
}

static void handle_resume(const struct request *r)
{
    struct client *client = r->client;
    json_t *positions, *value;
    struct notify_id from;
    struct ask *ask;
    const char *name;

    if (!positions_or_fail(r, &positions))
        return;
    ask = ask_new(json_object_size(positions), on_resumed, r->id, NULL);
    if (ask == NULL) {
        fail(r, ANSWER_PROCESSING_ERROR, "out of memory");
        return;
    }
    client_ask_open(client, ask);
    json_object_foreach(positions, name, value)
    {
        (void)notify_id_parse(text_of(value), 0, &from); /* checked above */
        if (start_follow(client, notify_str_z(name), &from, ask) != 0) {
            client_ask_cancel(client, ask);
            fail(r, ANSWER_PROCESSING_ERROR, "out of memory");
            return;
        }
    }
    client_ask_close(client, ask);
}

/* mark_read, mark_all_read, mark_seen, archive, delete_notification: a command that changes the
 * inbox and answers how many entries, then the count that it leaves. */

static void on_changed(struct client *client, const json_t *request_id, const struct resp *both,
                       size_t arg)
{
    (void)arg;
    client_send_json(client,
                     json_pack("{s:s, s:I, s:I}", "type", "ok", "changed",
                               (json_int_t)resp_integer(both->items[0], 0), "unread",
                               (json_int_t)resp_integer(both->items[1], 0)),
                     request_id);
}

static void change_inbox(const struct request *r, const struct words *change, struct notify_str key)
{
    struct words count = {.len = 2, .at = {NOTIFY_STR("NOTIFY.UNREAD"), key}};

    call_send_two(r->client, r->id, on_changed, 0, change, &count);
}

static void change_ids(const struct request *r, struct notify_str command, struct notify_str mark)
{
    struct key_buffer buffer;
    struct notify_str key = inbox_of(r, &buffer);
    struct words words = {.len = 2, .at = {command, key}};

    if (mark.len > 0)
        words_add(&words, mark);
    if (ids_or_fail(r, &words))
        change_inbox(r, &words, key);
}

static void handle_mark_read(const struct request *r)
{
    change_ids(r, NOTIFY_STR("NOTIFY.READ"), (struct notify_str){NULL, 0});
}

static void handle_archive(const struct request *r)
{
    change_ids(r, NOTIFY_STR("NOTIFY.MARK"), NOTIFY_STR("ARCHIVED"));
}

static void handle_delete(const struct request *r)
{
    change_ids(r, NOTIFY_STR("NOTIFY.DEL"), (struct notify_str){NULL, 0});
}

static void add_option(struct words *words, struct notify_str name, struct notify_str value)
{
    if (value.len == 0)
        return;
    words_add(words, name);
    words_add(words, value);
}

static void handle_mark_all_read(const struct request *r)
{
    struct key_buffer buffer;
    struct notify_str upto, category, key = inbox_of(r, &buffer);
    struct words words = {.len = 2, .at = {NOTIFY_STR("NOTIFY.READALL"), key}};
    struct notify_id id;

    if (!optional_id_or_fail(r, "upto", &upto, &id) ||
        !optional_text_or_fail(r, "category", &category))
        return;
    add_option(&words, NOTIFY_STR("UPTO"), upto);
    add_option(&words, NOTIFY_STR("CATEGORY"), category);
    change_inbox(r, &words, key);
}

static void handle_mark_seen(const struct request *r)
{
    struct key_buffer buffer;
    struct notify_str upto, key = inbox_of(r, &buffer);
    struct words words = {.len = 2, .at = {NOTIFY_STR("NOTIFY.SEEN"), key}};
    struct notify_id id;

    if (!optional_id_or_fail(r, "upto", &upto, &id))
        return;
    add_option(&words, NOTIFY_STR("UPTO"), upto);
    change_inbox(r, &words, key);
}

/* unread_count */

static json_t *json_of(const struct resp *reply)
{
    json_t *value = NULL;

    if (reply->kind == RESP_INTEGER)
        return json_integer((json_int_t)reply->integer);
    if (reply->kind == RESP_STRING)
        return json_stringn(reply->str.ptr, reply->str.len);
    if (reply->kind != RESP_MAP && reply->kind != RESP_ARRAY)
        return json_null();
    value = json_object();
    for (size_t i = 0; i + 1 < reply->len; i += 2) {
        struct notify_str name = resp_str(reply->items[i]);
        (void)json_object_setn_new(value, name.ptr == NULL ? "" : name.ptr, name.len,
                                   json_of(reply->items[i + 1]));
    }
    return value;
}

static void on_badge(struct client *client, const json_t *request_id, const struct resp *reply,
                     size_t arg)
{
    json_t *answer = json_of(reply);

    (void)arg;
    (void)json_object_set_new(answer, "type", json_string("unread_count"));
    client_send_json(client, answer, request_id);
}

static void handle_unread_count(const struct request *r)
{
    struct key_buffer buffer;
    struct words words = {.len = 2, .at = {NOTIFY_STR("NOTIFY.BADGE"), inbox_of(r, &buffer)}};

    call_send(r->client, r->id, on_badge, 0, &words);
}

/* request_notification_history: a page of the inbox or of a topic, newest first (oldest first when
 * only "after" is given). The reply's messages are cut open, not parsed and printed again. */

struct message_parts {
    struct notify_str id, data;
};

static void on_message_member(void *ctx, struct notify_str name, struct notify_str value)
{
    struct message_parts *parts = ctx;

    if (notify_str_eq(name, NOTIFY_STR("id")))
        parts->id = value;
    else if (notify_str_eq(name, NOTIFY_STR("data")))
        parts->data = value;
}

/* Of a notification its data, which holds all there is to it; of an event, whose data is whatever
 * its sender liked, the whole message. *ret_id: as JSON. */
static struct notify_str history_item(const struct resp *message, struct notify_str *ret_id)
{
    struct message_parts outer = {{NULL, 0}, {NULL, 0}}, inner = outer;

    (void)json_scan_object(message->str, on_message_member, &outer); /* made by our own module */
    if (outer.data.len > 0 && outer.data.ptr[0] == '{')
        (void)json_scan_object(outer.data, on_message_member, &inner);
    *ret_id = outer.id;
    return inner.id.len > 0 && notify_str_eq(inner.id, outer.id) ? outer.data : message->str;
}

/* ,"request_id":… as JSON text, or empty. The caller frees *ret_text. */
static struct notify_str id_member(const json_t *request_id, char **ret_text)
{
    json_t *object = request_id == NULL ? NULL : json_pack("{s:O}", "request_id", request_id);
    char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);

    json_decref(object);
    *ret_text = text;
    if (text == NULL)
        return (struct notify_str){NULL, 0};
    text[0] = ','; /* instead of the brace; the one at the end closes the answer */
    text[strlen(text) - 1] = '\0';
    return notify_str_z(text);
}

/* both: how many are unread, and a page of one entry more than limit if there are more. */
static void on_history(struct client *client, const json_t *request_id, const struct resp *both,
                       size_t limit)
{
    const struct resp *page = both->items[1];
    size_t count = page->len < limit ? page->len : limit;
    struct notify_str parts[2 * HISTORY_LIMIT_MAX + 8], next = NOTIFY_STR("null");
    char *id_text;
    size_t n = 0;

    parts[n++] = NOTIFY_STR("{\"type\":\"notification_history\",\"items\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            parts[n++] = NOTIFY_STR(",");
        parts[n++] = history_item(page->items[i], &next);
    }
    if (page->len <= limit)
        next = NOTIFY_STR("null");
    parts[n++] = NOTIFY_STR("],\"next\":");
    parts[n++] = next;
    parts[n++] = NOTIFY_STR(",\"unread\":");
    parts[n++] = notify_str_z(log_int(resp_integer(both->items[0], 0)));
    parts[n++] = id_member(request_id, &id_text);
    parts[n++] = NOTIFY_STR("}");
    client_send(client, n, parts);
    free(id_text);
}

static bool limit_or_fail(const struct request *r, size_t *ret_limit)
{
    const json_t *value = json_object_get(r->body, "limit");

    *ret_limit = HISTORY_LIMIT_DEFAULT;
    if (value == NULL || json_is_null(value))
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < 1 ||
        json_integer_value(value) > HISTORY_LIMIT_MAX) {
        fail_field(r, "limit", "an integer from 1 to 100");
        return false;
    }
    *ret_limit = (size_t)json_integer_value(value);
    return true;
}

static bool history_key_or_fail(const struct request *r, struct key_buffer *buffer,
                                struct notify_str *ret_key)
{
    struct notify_str topic;

    *ret_key = inbox_of(r, buffer);
    if (json_object_get(r->body, "topic") == NULL)
        return true;
    if (!name_or_fail(r, "topic", &topic))
        return false;
    *ret_key = key_of(r->client->shared->keys, KEY_TOPIC, topic, buffer);
    return true;
}

/* "(id", or all when id is empty. */
static struct notify_str bound(char out[NOTIFY_ID_TEXT_MAX + 2], struct notify_str id,
                               struct notify_str all)
{
    if (id.len == 0 || id.len > NOTIFY_ID_TEXT_MAX)
        return all;
    out[0] = '(';
    memcpy(out + 1, id.ptr, id.len);
    return notify_str_of(out, id.len + 1);
}

static void handle_history(const struct request *r)
{
    char low_text[NOTIFY_ID_TEXT_MAX + 2], high_text[NOTIFY_ID_TEXT_MAX + 2];
    struct notify_str key, before, after, category, type, low, high;
    struct key_buffer buffer;
    struct notify_id id;
    size_t limit;

    if (!history_key_or_fail(r, &buffer, &key) || !limit_or_fail(r, &limit) ||
        !optional_id_or_fail(r, "before", &before, &id) ||
        !optional_id_or_fail(r, "after", &after, &id) ||
        !optional_text_or_fail(r, "category", &category) ||
        !optional_text_or_fail(r, "notification_type", &type))
        return;
    bool forward = before.len == 0 && after.len > 0;
    struct words count = {.len = 2, .at = {NOTIFY_STR("NOTIFY.UNREAD"), key}};
    struct words page = {.len = 2, .at = {NOTIFY_STR("NOTIFY.REVRANGE"), key}};
    low = bound(low_text, after, NOTIFY_STR("-"));
    high = bound(high_text, before, NOTIFY_STR("+"));
    if (forward)
        page.at[0] = NOTIFY_STR("NOTIFY.RANGE");
    words_add(&page, forward ? low : high);
    words_add(&page, forward ? high : low);
    add_option(&page, NOTIFY_STR("COUNT"), notify_str_z(log_int((int64_t)limit + 1)));
    if (json_is_true(json_object_get(r->body, "unread_only")))
        words_add(&page, NOTIFY_STR("UNREAD"));
    add_option(&page, NOTIFY_STR("CATEGORY"), category);
    add_option(&page, NOTIFY_STR("TYPE"), type);
    words_add(&page, NOTIFY_STR("JSON"));
    call_send_two(r->client, r->id, on_history, limit, &count, &page);
}

/* publish: a notification to a topic or to a user. */

static void on_published(struct client *client, const json_t *request_id, const struct resp *reply,
                         size_t arg)
{
    struct notify_str id = resp_str(reply);

    (void)arg;
    client_send_json(client, json_pack("{s:s, s:s%}", "type", "ok", "id", id.ptr, id.len),
                     request_id);
}

static bool target_or_fail(const struct request *r, struct key_buffer *buffer,
                           struct notify_str *ret_key)
{
    bool to_user = json_object_get(r->body, "user_id") != NULL;
    struct notify_str name;

    if (to_user && json_object_get(r->body, "topic") != NULL) {
        fail(r, ANSWER_INVALID_FIELD, "topic and user_id exclude each other");
        return false;
    }
    if (!name_or_fail(r, to_user ? "user_id" : "topic", &name))
        return false;
    *ret_key = key_of(r->client->shared->keys, to_user ? KEY_INBOX : KEY_TOPIC, name, buffer);
    return true;
}

struct text_option {
    const char *member;
    struct notify_str name;
};

static const struct text_option text_options[] = {
    {"content", {"CONTENT", 7}},
    {"notification_type", {"TYPE", 4}},
    {"category", {"CATEGORY", 8}},
    {"level", {"LEVEL", 5}},
};

static const struct text_option json_options[] = {
    {"action", {"ACTION", 6}},
    {"data", {"DATA", 4}},
};

static void handle_publish(const struct request *r)
{
    struct words words = {.len = 1, .at = {NOTIFY_STR("NOTIFY.SEND")}};
    const size_t json_count = sizeof(json_options) / sizeof(json_options[0]);
    char *dumped[sizeof(json_options) / sizeof(json_options[0])] = {NULL};
    struct notify_str key, title, text;
    struct key_buffer buffer;

    if (!target_or_fail(r, &buffer, &key))
        return;
    if (!json_is_string(json_object_get(r->body, "title"))) {
        fail_field(r, "title", "a string");
        return;
    }
    title = text_of(json_object_get(r->body, "title"));
    words_add(&words, key);
    words_add(&words, title);
    for (size_t i = 0; i < sizeof(text_options) / sizeof(text_options[0]); i++) {
        if (!optional_text_or_fail(r, text_options[i].member, &text))
            return;
        add_option(&words, text_options[i].name, text);
    }
    for (size_t i = 0; i < json_count; i++) {
        const json_t *value = json_object_get(r->body, json_options[i].member);
        dumped[i] = value == NULL ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        add_option(&words, json_options[i].name, notify_str_z(dumped[i]));
    }
    call_send(r->client, r->id, on_published, 0, &words);
    for (size_t i = 0; i < json_count; i++)
        free(dumped[i]);
}

/* The table. */

struct request_type {
    const char *name;
    void (*handle)(const struct request *r);
};

static const struct request_type request_types[] = {
    {"ping", handle_ping},
    {"heartbeat", handle_ping},
    {"subscribe", handle_subscribe},
    {"unsubscribe", handle_unsubscribe},
    {"subscribe_session", handle_subscribe_session},
    {"unsubscribe_session", handle_unsubscribe_session},
    {"resume", handle_resume},
    {"request_notification_history", handle_history},
    {"mark_read", handle_mark_read},
    {"mark_all_read", handle_mark_all_read},
    {"mark_seen", handle_mark_seen},
    {"archive", handle_archive},
    {"delete_notification", handle_delete},
    {"unread_count", handle_unread_count},
    {"publish", handle_publish},
};

static void dispatch(struct request *r)
{
    const json_t *type = json_object_get(r->body, "type");

    if (r->id != NULL && !json_is_string(r->id) && !json_is_integer(r->id)) {
        r->id = NULL;
        fail(r, ANSWER_INVALID_FIELD, "request_id must be a string or an integer");
        return;
    }
    if (!json_is_string(type)) {
        fail_field(r, "type", "a string");
        return;
    }
    r->type = json_string_value(type);
    for (size_t i = 0; i < sizeof(request_types) / sizeof(request_types[0]); i++) {
        if (strcmp(request_types[i].name, r->type) == 0) {
            request_types[i].handle(r);
            return;
        }
    }
    fail(r, ANSWER_UNKNOWN_TYPE, "no message of this type is known");
}

void request_handle(struct client *client, struct notify_str text)
{
    json_error_t error;
    json_t *body = json_loadb(text.ptr, text.len, 0, &error);
    struct request r = {.client = client, .body = body};

    if (!json_is_object(body)) {
        fail(&r, ANSWER_BAD_JSON, body == NULL ? error.text : "a message must be a JSON object");
    } else {
        r.id = json_object_get(body, "request_id");
        dispatch(&r);
    }
    json_decref(body);
}
