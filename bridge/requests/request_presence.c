/* request_presence -- who is there: presence, subscribe_presence, unsubscribe_presence. */
#include "requests/request_presence.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "clients/client.h"
#include "clients/sessions.h"
#include "identity/roles.h"
#include "redis/resp.h"
#include "requests/answer.h"
#include "requests/call.h"
#include "requests/request.h"
#include "requests/request_handlers.h"
#include "requests/request_members.h"

#define LIST_ANSWER_BYTES 65536 /* of the names in it */

/* What presence may be asked of. */
struct presence_subject {
    const char *member; /* of the request, and of the answer */
    enum key_kind key;
    enum session_set_kind kind;
    const char *sessions; /* what the sessions of its set are called in an answer, */
    const char *list;     /* and a list of them */
};

static const struct presence_subject subjects[] = {
    {"user_id", KEY_USER_SESSIONS, SESSIONS_OF_USER, "sessions", "session_ids"},
    {"topic", KEY_TOPIC_USERS, USERS_OF_TOPIC, "users", "user_ids"},
    {"session_id", KEY_SESSION_USERS, USERS_OF_SESSION, "sessions", "user_ids"},
};
#define SUBJECTS (sizeof(subjects) / sizeof(subjects[0]))
#define WATCHED_SUBJECTS (SUBJECTS - 1)

static const struct presence_subject *subject_of(const struct request *r, size_t count)
{
    for (size_t i = 0; i + 1 < count; i++)
        if (request_text(r, subjects[i].member).len > 0)
            return &subjects[i];
    return &subjects[count - 1]; /* one of them must be given */
}

/* Everybody may see himself. */
static bool may_see(struct request *r, const struct presence_subject *subject)
{
    if (subject->kind == SESSIONS_OF_USER &&
        notify_str_eq(request_text(r, subject->member), request_user(r)))
        return true;
    return request_may(r, RIGHT_PRESENCE, subject->member);
}

bool request_has_sets(struct request *r, enum key_kind key, const char *member)
{
    if (r->shared->sessions != NULL && r->shared->keys->patterns[key][0] != '\0')
        return true;
    answer_error(r, ANSWER_NOT_FOUND, member,
                 "this bridge keeps no sessions (see --session-lease)");
    return false;
}

static bool has_sets(struct request *r, const struct presence_subject *subject)
{
    return request_has_sets(r, subject->key, subject->member);
}

static struct notify_str key_for(const struct request *r, const struct presence_subject *subject,
                                 struct key_buffer *buffer)
{
    return key_of(r->shared->keys, subject->key, request_text(r, subject->member), buffer);
}

/* presence */

/* What is asked about, while it is asked. */
struct question {
    const struct presence_subject *subject;
    size_t key_len, name_len;
    bool lists;
    char texts[]; /* the key, the name */
};

static struct notify_str question_key(const struct question *q)
{
    return notify_str_of(q->texts, q->key_len);
}

static struct question *question_new(const struct request *r,
                                     const struct presence_subject *subject)
{
    struct key_buffer buffer;
    struct notify_str key = key_for(r, subject, &buffer), name = request_text(r, subject->member);
    struct question *q = malloc(sizeof(*q) + key.len + name.len);

    if (q == NULL)
        return NULL;
    *q = (struct question){.subject = subject, .key_len = key.len, .name_len = name.len};
    q->lists = request_value(r, "list")->flag;
    memcpy(q->texts, key.ptr, key.len);
    memcpy(q->texts + key.len, name.ptr, name.len);
    return q;
}

static json_t *presence_answer(const struct question *q, int64_t sessions, int64_t connections)
{
    if (q->subject->kind == USERS_OF_SESSION)
        sessions = sessions > 0; /* one, whosever it is */
    return json_pack("{s:s, s:s%, s:I, s:I}", "type", "presence", q->subject->member,
                     q->texts + q->key_len, q->name_len, q->subject->sessions, (json_int_t)sessions,
                     "connections", (json_int_t)connections);
}

/* Each name once, in the order in which they came; true: not all of them. */
static bool list_names(json_t *names, json_t *seen, const struct resp *reply)
{
    size_t bytes = 0;

    for (size_t i = 0; i < reply->len; i++) {
        struct notify_str name = resp_str(resp_member(reply->items[i], "session"));
        if (name.len == 0 || json_object_getn(seen, name.ptr, name.len) != NULL)
            continue;
        (void)json_object_setn_new(seen, name.ptr, name.len, json_true());
        bytes += 6 * name.len + 3; /* as JSON, at most */
        if (bytes <= LIST_ANSWER_BYTES)
            (void)json_array_append_new(names, json_stringn(name.ptr, name.len));
    }
    return bytes > LIST_ANSWER_BYTES;
}

static void on_listed(struct request *r, const struct resp *reply, void *ctx)
{
    struct question *q = ctx;
    json_t *names = json_array(), *seen = json_object(), *answer;
    bool more = list_names(names, seen, reply);

    answer = presence_answer(q, (int64_t)json_object_size(seen), (int64_t)reply->len);
    (void)json_object_set_new(answer, q->subject->list, names);
    (void)json_object_set_new(answer, "more", json_boolean(more));
    json_decref(seen);
    answer_json(r, answer);
    free(q);
}

static const struct call_kind list_kind = {.fn = on_listed,
                                           .release = free,
                                           .answer_bytes = LIST_ANSWER_BYTES + CALL_SMALL_ANSWER,
                                           .reply_bytes = REQUEST_PRESENCE_LIST_BYTES,
                                           .reads = true};

static void on_counted(struct request *r, const struct resp *both, void *ctx)
{
    struct question *q = ctx;
    int64_t sessions = resp_count(both->items[0]), connections = resp_count(both->items[1]);
    struct words list = {.len = 3,
                         .at = {NOTIFY_STR("NOTIFY.SESSION"), NOTIFY_STR("LIST"), question_key(q)}};

    if (q->lists && connections <= REQUEST_PRESENCE_LIST_MAX) {
        call_send(r, &list_kind, q, &list);
        return;
    }
    answer_json(r, presence_answer(q, sessions, connections));
    free(q);
}

static const struct call_kind count_kind = {
    .fn = on_counted, .release = free, .answer_bytes = 2 * CALL_SMALL_ANSWER, .reads = true};

void request_handle_presence(struct request *r)
{
    const struct presence_subject *subject = subject_of(r, SUBJECTS);
    struct question *q;

    if (!has_sets(r, subject) || !may_see(r, subject))
        return;
    q = question_new(r, subject);
    if (q == NULL) {
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
        return;
    }
    struct words sessions = {
        .len = 3, .at = {NOTIFY_STR("NOTIFY.SESSION"), NOTIFY_STR("COUNT"), question_key(q)}};
    struct words connections = sessions;
    words_add(&connections, NOTIFY_STR("CONNECTIONS"));
    call_send_two(r, &count_kind, q, &sessions, &connections);
}

/* subscribe_presence, unsubscribe_presence */

static void answer_watching(struct request *r, const struct presence_subject *subject, bool on)
{
    struct notify_str name = request_text(r, subject->member);

    answer_json(r, json_pack("{s:s, s:s%, s:s}", "type", "presence_subscription", subject->member,
                             name.ptr, name.len, "status", on ? "subscribed" : "unsubscribed"));
}

static bool has_room(struct request *r)
{
    if (sessions_count_of(r->client) < r->shared->max_subscriptions)
        return true;
    client_limit_met(r->client, COUNTER_SUBSCRIPTIONS_REFUSED);
    answer_error(r, ANSWER_TOO_MANY_SUBSCRIPTIONS, NULL,
                 "this connection has to do with as many sessions and topics as it may");
    return false;
}

void request_handle_subscribe_presence(struct request *r)
{
    const struct presence_subject *subject = subject_of(r, WATCHED_SUBJECTS);
    struct key_buffer buffer;
    struct notify_str key = key_for(r, subject, &buffer);

    if (!has_sets(r, subject) || !may_see(r, subject) || !has_room(r))
        return;
    answer_watching(r, subject, true); /* then how it stands, which is told at once or later */
    (void)sessions_watch(r->shared->sessions, r->client, subject->kind, key); /* no memory: ends */
}

void request_handle_unsubscribe_presence(struct request *r)
{
    const struct presence_subject *subject = subject_of(r, WATCHED_SUBJECTS);
    struct key_buffer buffer;

    if (!has_sets(r, subject))
        return;
    sessions_unwatch(r->client, key_for(r, subject, &buffer));
    answer_watching(r, subject, false);
}

/* subscribe {topic, presence: true} */

bool request_presence_may_enter(struct request *r)
{
    return has_sets(r, &subjects[1]) && has_room(r);
}

int request_presence_enter(struct client *client, struct notify_str topic)
{
    struct key_buffer buffer;

    return sessions_enter(client->shared->sessions, client, USERS_OF_TOPIC,
                          key_of(client->shared->keys, KEY_TOPIC_USERS, topic, &buffer));
}

void request_presence_leave(struct client *client, struct notify_str topic)
{
    struct key_buffer buffer;

    if (client->shared->sessions != NULL)
        sessions_leave(client, key_of(client->shared->keys, KEY_TOPIC_USERS, topic, &buffer));
}
