/* request_follow -- what a client follows: subscribe, unsubscribe, resume. */
#include "requests/request_handlers.h"

#include <errno.h>
#include <string.h>

#include "clients/ask.h"
#include "clients/client.h"
#include "channels/follow.h"
#include "requests/request_members.h"

/* subscribe, unsubscribe: for topics and for sessions */

struct subject_kind {
    const char *member; /* of the request, and of the answer */
    enum key_kind kind;
    bool says_position; /* the answer has last and recovered */
};

static const struct subject_kind topic_subject = {"topic", KEY_TOPIC, true};
static const struct subject_kind session_subject = {"session_id", KEY_SESSION, false};

static json_t *subscription_answer(const struct subject_kind *kind, struct notify_str name, bool on)
{
    if (kind->says_position)
        return json_pack("{s:s, s:s%, s:s}", "type", "subscription", kind->member, name.ptr,
                         name.len, "status", on ? "subscribed" : "unsubscribed");
    return json_pack("{s:s, s:s%}", "type", on ? "subscribed" : "unsubscribed", kind->member,
                     name.ptr, name.len);
}

/* The follow of a subscribe has become live. subject: {key, name, resumed}. */
static void on_subscribed(struct client *client, struct ask *ask)
{
    const json_t *key = json_object_get(ask->subject, "key");
    const json_t *topic = json_object_get(ask->subject, "topic");
    const json_t *session = json_object_get(ask->subject, "session_id");
    const struct subject_kind *kind = topic != NULL ? &topic_subject : &session_subject;
    const struct follow *follow = client_find_follow(client, request_text_of(key));
    const json_t *result = json_object_get(ask->results, json_string_value(key));
    json_t *answer =
        subscription_answer(kind, request_text_of(topic != NULL ? topic : session), true);
    char last[NOTIFY_ID_TEXT_MAX + 1];

    if (ask->refused) {
        json_decref(answer);
        answer_error(client, ask->request_id, ANSWER_FORBIDDEN, kind->member,
                     CLIENT_FORBIDDEN_TEXT);
        return;
    }
    if (follow != NULL && answer != NULL && kind->says_position) {
        notify_id_format(last, follow->pos);
        (void)json_object_set_new(answer, "last", json_string(last));
        if (json_is_true(json_object_get(ask->subject, "resumed")))
            (void)json_object_set(answer, "recovered", json_object_get(result, "recovered"));
    }
    answer_json(client, ask->request_id, answer);
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

static void fail_follow(const struct request *r, int error)
{
    if (error == -E2BIG)
        request_fail(r, ANSWER_TOO_MANY_SUBSCRIPTIONS,
                     "this connection follows as many keys as it may");
    else if (error == -EBUSY)
        request_fail(r, ANSWER_UNAVAILABLE,
                     "Redis has not yet let go of what was left before; try again later");
    else
        request_fail(r, ANSWER_PROCESSING_ERROR, "out of memory");
}

static void handle_subscribe_to(const struct request *r, const struct subject_kind *kind)
{
    struct client *client = r->client;
    struct notify_str name = request_text(r, kind->member);
    const struct member_value *last = request_value(r, "last_id");
    struct key_buffer buffer;
    struct notify_str key = key_of(client->shared->keys, kind->kind, name, &buffer);
    struct ask *ask;
    json_t *subject;
    int error;

    subject = json_pack("{s:s%, s:s%, s:b}", "key", key.ptr, key.len, kind->member, name.ptr,
                        name.len, "resumed", last->raw.len > 0);
    ask = ask_new(1, on_subscribed, r->id, subject, true);
    json_decref(subject);
    if (ask == NULL) {
        request_fail(r, ANSWER_PROCESSING_ERROR, "out of memory");
        return;
    }
    ask_open(&client->asks, ask, client, &client->sender);
    error = start_follow(client, key, last->raw.len > 0 ? &last->id : NULL, ask);
    if (error == 0) {
        ask_close(&client->asks, ask);
        return;
    }
    ask_cancel(&client->asks, ask);
    fail_follow(r, error);
}

static void handle_unsubscribe_from(const struct request *r, const struct subject_kind *kind)
{
    struct notify_str name = request_text(r, kind->member);
    struct key_buffer buffer;
    struct follow *follow =
        client_find_follow(r->client, key_of(r->client->shared->keys, kind->kind, name, &buffer));

    if (follow != NULL)
        client_unfollow(r->client, follow);
    answer_json(r->client, r->id, subscription_answer(kind, name, false));
}

void request_handle_subscribe(const struct request *r)
{
    handle_subscribe_to(r, &topic_subject);
}

void request_handle_unsubscribe(const struct request *r)
{
    handle_unsubscribe_from(r, &topic_subject);
}

void request_handle_subscribe_session(const struct request *r)
{
    handle_subscribe_to(r, &session_subject);
}

void request_handle_unsubscribe_session(const struct request *r)
{
    handle_unsubscribe_from(r, &session_subject);
}

/* resume */

static void on_resumed(struct client *client, struct ask *ask)
{
    answer_json(client, ask->request_id,
                json_pack("{s:s, s:O}", "type", "resumed", "results", ask->results));
}

/* A key that the client follows, or may begin to follow. */
static bool may_resume(const struct request *r, struct notify_str key)
{
    const struct key_names *names = r->client->shared->keys;
    struct notify_str name;

    if (client_find_follow(r->client, key) != NULL)
        return true;
    return (key_is(names, KEY_TOPIC, key, &name) || key_is(names, KEY_SESSION, key, &name)) &&
           key_name_is_valid(name);
}

static bool check_positions(const struct request *r, json_t *positions)
{
    size_t room = r->client->shared->max_subscriptions - r->client->follow_count;
    const char *name;
    json_t *value;
    size_t fresh = 0;

    json_object_foreach(positions, name, value)
    {
        struct notify_str key = notify_str_z(name);
        if (!may_resume(r, key)) {
            request_fail_member(r, ANSWER_FORBIDDEN, "positions",
                                "positions holds a key that this client may not follow");
            return false;
        }
        fresh += client_find_follow(r->client, key) == NULL;
    }
    if (fresh > room) {
        request_fail(r, ANSWER_TOO_MANY_SUBSCRIPTIONS,
                     "this connection follows as many keys as it may");
        return false;
    }
    return true;
}

void request_handle_resume(const struct request *r)
{
    struct client *client = r->client;
    json_t *positions = request_value(r, "positions")->json, *value;
    struct notify_id from;
    struct ask *ask;
    const char *name;
    int error;

    if (!check_positions(r, positions))
        return;
    ask = ask_new(json_object_size(positions), on_resumed, r->id, NULL, true);
    if (ask == NULL) {
        request_fail(r, ANSWER_PROCESSING_ERROR, "out of memory");
        return;
    }
    ask_open(&client->asks, ask, client, &client->sender);
    json_object_foreach(positions, name, value)
    {
        (void)notify_id_parse(request_text_of(value), 0, &from); /* checked when it was read */
        error = start_follow(client, notify_str_z(name), &from, ask);
        if (error != 0) {
            ask_cancel(&client->asks, ask);
            fail_follow(r, error);
            return;
        }
    }
    ask_close(&client->asks, ask);
}
