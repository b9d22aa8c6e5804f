/* request_follow -- what a client follows: subscribe, unsubscribe, resume. */
#include "requests/request_handlers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/loop.h"
#include "clients/ask.h"
#include "clients/client.h"
#include "clients/permission.h"
#include "channels/follow.h"
#include "identity/plain_channels.h"
#include "requests/answer.h"
#include "requests/request.h"
#include "wire/json_text.h"
#include "requests/request_members.h"
#include "requests/rewind.h"

/* subscribe, unsubscribe: for topics and for sessions */

struct subject_kind {
    const char *member; /* of the request, and of the answer */
    enum key_kind kind; /* KEY_KINDS: the name is the key */
    enum right right;   /* that permits it */
    bool has_status;    /* the answer is a subscription with a status */
    bool has_ids;       /* the answer says where it begins */
};

static const struct subject_kind topic_subject = {"topic", KEY_TOPIC, RIGHT_SUBSCRIBE, true, true};
static const struct subject_kind channel_subject = {"channel", KEY_KINDS, RIGHT_CHANNELS, true,
                                                    false};
static const struct subject_kind session_subject = {"session_id", KEY_SESSION, RIGHT_SESSIONS,
                                                    false, true};

static const struct subject_kind *const subject_kinds[] = {&topic_subject, &channel_subject,
                                                           &session_subject};

static struct notify_str subject_key(const struct request *r, const struct subject_kind *kind,
                                     struct notify_str name, struct key_buffer *buffer)
{
    return kind->kind == KEY_KINDS ? name : key_of(r->shared->keys, kind->kind, name, buffer);
}

static json_t *subscription_answer(const struct subject_kind *kind, struct notify_str name, bool on)
{
    if (kind->has_status)
        return json_pack("{s:s, s:s%, s:s}", "type", "subscription", kind->member, name.ptr,
                         name.len, "status", on ? "subscribed" : "unsubscribed");
    return json_pack("{s:s, s:s%}", "type", on ? "subscribed" : "unsubscribed", kind->member,
                     name.ptr, name.len);
}

static void answer_refused(struct request *r, const struct subject_kind *kind)
{
    answer_error(r, ANSWER_FORBIDDEN, kind->member, CLIENT_FORBIDDEN_TEXT);
}

static bool is_resumed(const struct ask *ask)
{
    return json_is_true(json_object_get(ask->subject, "resumed"));
}

/* Where it begins, and whether that is all that the client lacked. */
static void say_position(json_t *answer, const struct follow *follow, const struct ask *ask)
{
    const json_t *key = json_object_get(ask->subject, "key");
    const json_t *result = json_object_get(ask->results, json_string_value(key));
    char last[NOTIFY_ID_TEXT_MAX + 1];

    notify_id_format(last, follow->pos);
    (void)json_object_set_new(answer, "last", json_string(last));
    if (follow_epoch(follow) != 0)
        (void)json_object_set_new(answer, "epoch", json_integer(follow_epoch(follow)));
    if (is_resumed(ask))
        (void)json_object_set(answer, "recovered", json_object_get(result, "recovered"));
}

/* A session that nothing has been said in, and that is followed from now on, has no place. */
static bool has_position(const struct subject_kind *kind, const struct follow *follow,
                         const struct ask *ask)
{
    return kind->has_ids && (kind->has_status || follow_epoch(follow) != 0 || is_resumed(ask));
}

/* What an ask is about: it has the member of one of them. */
static const struct subject_kind *kind_of(const json_t *subject)
{
    size_t last = sizeof(subject_kinds) / sizeof(subject_kinds[0]) - 1;
    size_t i = 0;

    while (i < last && json_object_get(subject, subject_kinds[i]->member) == NULL)
        i++;
    return subject_kinds[i];
}

/* The follow of a subscribe has become live. subject: {key, name, resumed}. */
static void on_subscribed(struct client *client, struct ask *ask)
{
    const struct subject_kind *kind = kind_of(ask->subject);
    const struct follow *follow =
        client_find_follow(client, json_text_of(json_object_get(ask->subject, "key")));
    json_t *answer;

    if (ask->refused) {
        answer_refused(ask->ctx, kind);
        return;
    }
    answer =
        subscription_answer(kind, json_text_of(json_object_get(ask->subject, kind->member)), true);
    if (follow != NULL && answer != NULL && has_position(kind, follow, ask))
        say_position(answer, follow, ask);
    answer_json(ask->ctx, answer);
}

static const struct ask_kind subscribe_kind = {
    .done = on_subscribed, .release = request_unref, .results = true};

/* NULL: out of memory, and r has been answered. */
static struct ask *open_ask(struct request *r, const struct ask_kind *kind, size_t max,
                            json_t *subject)
{
    struct ask *ask = ask_new(kind, max, r, r->bytes, subject);

    if (ask == NULL) {
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
        return NULL;
    }
    request_ref(r); /* the ask's */
    ask_open(&r->client->asks, ask, r->client, &r->client->sender);
    return ask;
}

static int start_follow(struct client *client, struct notify_str key, const struct position *from,
                        struct ask *ask)
{
    struct follow *follow = client_find_follow(client, key);
    int error = 0;

    if (follow == NULL)
        error = client_follow(client, key, from, ask);
    else if (from != NULL)
        client_resume(client, follow, from, ask);
    else if (follow->state != FOLLOW_LIVE)
        ask_await(ask, follow);
    if (error == 0)
        (follow == NULL ? client->follows : follow)->asked = true;
    return error;
}

static void fail_too_many(struct request *r)
{
    client_limit_met(r->client, COUNTER_SUBSCRIPTIONS_REFUSED);
    answer_error(r, ANSWER_TOO_MANY_SUBSCRIPTIONS, NULL, CLIENT_TOO_MANY_KEYS_TEXT);
}

static void fail_follow(struct request *r, int error)
{
    if (error == -E2BIG)
        fail_too_many(r);
    else if (error == -EBUSY)
        answer_error(r, ANSWER_UNAVAILABLE, NULL,
                     "Redis has not yet let go of what was left before; try again later");
    else if (error == -EUSERS)
        answer_error(r, ANSWER_UNAVAILABLE, NULL, CLIENT_TOO_MANY_PATTERNS_TEXT);
    else
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
}

/* What is to be followed, and from where. The name is a member's, or lies behind it. */
struct wanted {
    const struct subject_kind *kind;
    bool resumed, present; /* from a position; as one of those who are there */
    struct position from;  /* if resumed */
    struct notify_str name;
};

static void become_present(struct request *r, const struct wanted *wanted, struct notify_str key)
{
    if (wanted->present && client_find_follow(r->client, key) != NULL &&
        request_presence_enter(r->client, wanted->name) != 0)
        log_error("out_of_memory", "at", "presence");
}

static void subscribe(struct request *r, const struct wanted *wanted)
{
    struct client *client = r->client;
    const struct subject_kind *kind = wanted->kind;
    struct notify_str name = wanted->name;
    struct key_buffer buffer;
    struct notify_str key = subject_key(r, kind, name, &buffer);
    struct ask *ask;
    json_t *subject;
    int error;

    subject = json_pack("{s:s%, s:s%, s:b}", "key", key.ptr, key.len, kind->member, name.ptr,
                        name.len, "resumed", (int)wanted->resumed);
    ask = open_ask(r, &subscribe_kind, 1, subject);
    json_decref(subject);
    if (ask == NULL)
        return;
    error = start_follow(client, key, wanted->resumed ? &wanted->from : NULL, ask);
    if (error == 0) {
        become_present(r, wanted, key);
        ask_close(&client->asks, ask);
        return;
    }
    ask_cancel(&client->asks, ask);
    fail_follow(r, error);
}

/* What is a box is none of the channels, whoever may follow it. */
static bool may_subscribe(struct request *r, const struct wanted *wanted)
{
    struct key_buffer buffer;
    struct notify_str key = subject_key(r, wanted->kind, wanted->name, &buffer);

    if ((wanted->kind != &channel_subject || plain_channels_have(r->shared->channels, key)) &&
        client_may_follow(r->client, key))
        return true;
    answer_lacks_right(r, wanted->kind->member, wanted->kind->right, wanted->name);
    return false;
}

/* It may have lost the right meanwhile. */
static void on_rewound(struct request *r, const struct position *from, void *ctx)
{
    struct wanted *wanted = ctx;

    wanted->from = *from;
    if (may_subscribe(r, wanted))
        subscribe(r, wanted);
    free(wanted);
}

static const struct rewind_kind rewind_kind = {.found = on_rewound, .release = free};

/* NULL: out of memory. */
static struct wanted *keep(const struct wanted *wanted)
{
    struct wanted *kept = malloc(sizeof(*kept) + wanted->name.len);

    if (kept == NULL)
        return NULL;
    *kept = *wanted;
    kept->name.ptr = memcpy(kept + 1, wanted->name.ptr, wanted->name.len);
    return kept;
}

static void subscribe_rewound(struct request *r, const struct wanted *wanted,
                              const struct rewind_wish *wish)
{
    struct key_buffer buffer;
    struct wanted *kept = keep(wanted);

    if (kept == NULL) {
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
        return;
    }
    kept->resumed = true;
    rewind_find(r, key_of(r->shared->keys, wanted->kind->kind, wanted->name, &buffer), wish,
                &rewind_kind, kept);
}

/* Only one of them says from where. */
static bool check_begin(struct request *r)
{
    if ((request_value(r, "last_id")->raw.len > 0) + (request_value(r, "last")->raw.len > 0) +
            (request_value(r, "since")->raw.len > 0) <=
        1)
        return true;
    answer_error(r, ANSWER_INVALID_FIELD, NULL, "last_id, last and since exclude each other");
    return false;
}

/* False: it has been answered. */
static bool read_wish(struct request *r, struct rewind_wish *ret)
{
    const struct member_value *since = request_value(r, "since");

    *ret = (struct rewind_wish){.last = request_value(r, "last")->number};
    if (since->raw.len == 0 ||
        rewind_instant(&since->since, loop_wall_ms(r->shared->senders.loop), &ret->since_ms))
        return true;
    answer_error(r, ANSWER_INVALID_FIELD, "since", REWIND_TOO_LONG_AGO);
    return false;
}

static void handle_subscribe_to(struct request *r, const struct subject_kind *kind, bool present)
{
    const struct member_value *last_id = request_value(r, "last_id");
    const struct wanted wanted = {.kind = kind,
                                  .present = present,
                                  .resumed = last_id->raw.len > 0,
                                  .from = last_id->position,
                                  .name = request_text(r, kind->member)};
    struct rewind_wish wish;

    if (!check_begin(r) || !read_wish(r, &wish) || !may_subscribe(r, &wanted))
        return;
    if (rewind_is_wished(&wish))
        subscribe_rewound(r, &wanted, &wish);
    else
        subscribe(r, &wanted);
}

static void handle_unsubscribe_from(struct request *r, const struct subject_kind *kind)
{
    struct notify_str name = request_text(r, kind->member);
    struct key_buffer buffer;
    struct follow *follow = client_find_follow(r->client, subject_key(r, kind, name, &buffer));

    if (follow != NULL && follow->plain == (kind == &channel_subject))
        client_unfollow(r->client, follow);
    answer_json(r, subscription_answer(kind, name, false));
}

/* A channel without a box has no ids, and nobody is present there. */
static bool check_channel(struct request *r)
{
    static const char *const others[] = {"last_id", "last", "since", "presence"};

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (request_value(r, others[i])->raw.len > 0) {
            answer_error(r, ANSWER_INVALID_FIELD, others[i],
                         "a channel is followed from now on, and has no presence");
            return false;
        }
    return true;
}

void request_handle_subscribe(struct request *r)
{
    bool present = request_value(r, "presence")->flag;

    if (request_text(r, "channel").len > 0) {
        if (check_channel(r))
            handle_subscribe_to(r, &channel_subject, false);
    } else if (!present || request_presence_may_enter(r)) {
        handle_subscribe_to(r, &topic_subject, present);
    }
}

void request_handle_unsubscribe(struct request *r)
{
    if (request_text(r, "channel").len > 0) {
        handle_unsubscribe_from(r, &channel_subject);
        return;
    }
    request_presence_leave(r->client, request_text(r, "topic"));
    handle_unsubscribe_from(r, &topic_subject);
}

void request_handle_subscribe_session(struct request *r)
{
    handle_subscribe_to(r, &session_subject, false);
}

void request_handle_unsubscribe_session(struct request *r)
{
    handle_unsubscribe_from(r, &session_subject);
}

/* resume */

static void on_resumed(struct client *client, struct ask *ask)
{
    answer_json(ask->ctx, client_resumed(client, ask->results));
}

static const struct ask_kind resume_kind = {
    .done = on_resumed, .release = request_unref, .results = true, .tells = true};

/* A key that the client follows, or may begin to follow. */
static bool may_resume(const struct request *r, struct notify_str key)
{
    return client_find_follow(r->client, key) != NULL || client_may_follow(r->client, key);
}

static bool check_positions(struct request *r, json_t *positions)
{
    size_t room = r->shared->max_subscriptions - r->client->follow_count;
    const char *name;
    json_t *value;
    size_t fresh = 0;

    json_object_foreach(positions, name, value)
    {
        struct notify_str key = notify_str_z(name);
        if (!may_resume(r, key)) {
            answer_not_followed(r, "positions", key);
            return false;
        }
        fresh += client_find_follow(r->client, key) == NULL;
    }
    if (fresh > room) {
        fail_too_many(r);
        return false;
    }
    return true;
}

void request_handle_resume(struct request *r)
{
    struct client *client = r->client;
    json_t *positions = request_value(r, "positions")->json, *value;
    struct position from;
    struct ask *ask;
    const char *name;
    int error;

    if (!check_positions(r, positions))
        return;
    ask = open_ask(r, &resume_kind, json_object_size(positions), NULL);
    if (ask == NULL)
        return;
    json_object_foreach(positions, name, value)
    {
        (void)position_parse(json_text_of(value), &from); /* checked when it was read */
        error = start_follow(client, notify_str_z(name), &from, ask);
        if (error != 0) {
            ask_cancel(&client->asks, ask);
            fail_follow(r, error);
            return;
        }
    }
    ask_close(&client->asks, ask);
}
