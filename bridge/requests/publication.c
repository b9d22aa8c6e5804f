#include "requests/publication.h"

#include <stdlib.h>
#include <string.h>

#include "clients/client.h"
#include "identity/roles.h"
#include "redis/resp.h"
#include "requests/answer.h"
#include "requests/call.h"
#include "requests/idempotency.h"
#include "requests/request.h"
#include "requests/request_handlers.h"
#include "requests/responder.h"

/* To whom. */

#define NO_SET KEY_KINDS /* nobody counts who follows a topic */

struct target_kind {
    const char *member;
    enum key_kind key;
    enum right right;
    enum key_kind set; /* the session set of those whom it reaches */
};

static const struct target_kind target_kinds[] = {
    {"topic", KEY_TOPIC, RIGHT_PUBLISH, NO_SET},
    {"user_id", KEY_INBOX, RIGHT_SEND, KEY_USER_SESSIONS},
    {"session_id", KEY_SESSION, RIGHT_SEND_SESSIONS, KEY_SESSION_USERS},
};

/* NULL: to everybody. */
static const struct target_kind *target_kind_of(const struct request *r)
{
    for (size_t i = 0; i < sizeof(target_kinds) / sizeof(target_kinds[0]); i++)
        if (request_text(r, target_kinds[i].member).len > 0)
            return &target_kinds[i];
    return NULL;
}

/* What everybody follows; who may publish to it as to a topic may do that. Empty: it has been
 * answered. */
static struct notify_str everybody(struct request *r)
{
    struct notify_str key = notify_str_z(r->shared->broadcast_logs[0]), name = key;

    if (key.len == 0) {
        answer_error(r, ANSWER_NOT_FOUND, NULL, "there is no log that everybody follows");
        return key;
    }
    (void)key_is(r->shared->keys, KEY_TOPIC, key, &name);
    if (identity_may(r->identity, RIGHT_PUBLISH, name))
        return key;
    answer_lacks_right(r, "broadcast", RIGHT_PUBLISH, name);
    return (struct notify_str){NULL, 0};
}

/* kind NULL: everybody. Empty: as above. */
static struct notify_str find_target(struct request *r, const struct target_kind *kind,
                                     struct key_buffer *buffer)
{
    if (kind == NULL)
        return everybody(r);
    if (!request_may(r, kind->right, kind->member))
        return (struct notify_str){NULL, 0};
    return key_of(r->shared->keys, kind->key, request_text(r, kind->member), buffer);
}

struct notify_str publication_target(struct request *r, struct key_buffer *buffer)
{
    return find_target(r, request_text(r, "topic").len > 0 ? &target_kinds[0] : NULL, buffer);
}

/* What. */

struct option_word {
    const char *member;
    struct notify_str name;
    bool
        is_json; /* goes on as it was written: 0.1, -0 and members given twice stay what they are */
};

static const struct option_word option_words[] = {
    {"content", NOTIFY_STR_INIT("CONTENT"), false},
    {"category", NOTIFY_STR_INIT("CATEGORY"), false},
    {"level", NOTIFY_STR_INIT("LEVEL"), false},
    {"action", NOTIFY_STR_INIT("ACTION"), true},
    {"data", NOTIFY_STR_INIT("DATA"), true},
    {"exclude_session", NOTIFY_STR_INIT("EXCLUDE"), false},
};

static void add_options(const struct request *r, struct words *words, const char *type_member)
{
    for (size_t i = 0; i < sizeof(option_words) / sizeof(option_words[0]); i++) {
        const struct member_value *value = request_value(r, option_words[i].member);
        if (value->raw.len == 0)
            continue;
        words_add(words, option_words[i].name);
        words_add(words, option_words[i].is_json ? value->raw : value->text);
    }
    words_add_option(words, NOTIFY_STR("TYPE"), request_text(r, type_member));
    if (request_text(r, "related_entity_type").len > 0) {
        words_add(words, NOTIFY_STR("ENTITY"));
        words_add(words, request_text(r, "related_entity_type"));
        words_add(words, request_text(r, "related_entity_id"));
    }
    if (request_value(r, "send_websocket")->raw.len > 0 &&
        !request_value(r, "send_websocket")->flag)
        words_add(words, NOTIFY_STR("NOPUBLISH"));
}

/* Both or neither. Answers if not. */
static bool check_entity(struct request *r)
{
    bool type = request_text(r, "related_entity_type").len > 0;

    if (type == (request_text(r, "related_entity_id").len > 0))
        return true;
    answer_error(r, ANSWER_MISSING_FIELD, type ? "related_entity_id" : "related_entity_type",
                 "related_entity_type and related_entity_id must be given together");
    return false;
}

/* What becomes of it. */

/* How many it has reached, which is told over HTTP: what is asked once it is sent. */
struct reach {
    char id[NOTIFY_ID_TEXT_MAX + 1];
    bool nobody;    /* it was not published */
    size_t key_len; /* of their session set; 0: there is none */
    char key[NOTIFY_KEY_MAX];
};

static void answer_reach(struct request *r, struct notify_str id, json_t *recipients)
{
    answer_json(r, json_pack("{s:s%, s:o}", "id", id.ptr, id.len, "recipients", recipients));
}

/* It is sent, whatever Redis says of sessions. */
static void on_counted(struct request *r, const struct resp *reply, void *ctx)
{
    struct reach *reach = ctx;
    int64_t count = resp_integer(reply, -1);

    if (!r->responder->is_gone(r))
        answer_reach(r, notify_str_z(reach->id),
                     count < 0 ? json_null() : json_integer((json_int_t)count));
    free(reach);
}

static const struct call_kind count_kind = {
    .fn = on_counted, .release = free, .answer_bytes = CALL_SMALL_ANSWER, .whatever = true};

static void answer_with_reach(struct request *r, struct notify_str id, struct reach *reach)
{
    struct words words = {.len = 2, .at = {NOTIFY_STR("NOTIFY.SESSION"), NOTIFY_STR("COUNT")}};

    if (reach->nobody || reach->key_len == 0) {
        answer_reach(r, id, reach->nobody ? json_integer(0) : json_null());
        free(reach);
        return;
    }
    memcpy(reach->id, id.ptr, id.len); /* zeroed, and an id has no more bytes */
    words_add(&words, notify_str_of(reach->key, reach->key_len));
    words_add(&words, NOTIFY_STR("CONNECTIONS"));
    call_send(r, &count_kind, reach, &words);
}

static void on_published(struct request *r, const struct resp *reply, void *ctx)
{
    struct notify_str id = resp_str(reply);

    if (id.len == 0 || id.len > NOTIFY_ID_TEXT_MAX) {
        free(ctx);
        answer_failed_reply(r, reply);
    } else if (ctx != NULL) {
        answer_with_reach(r, id, ctx);
    } else {
        answer_json(r, json_pack("{s:s, s:s%}", "type", "ok", "id", id.ptr, id.len));
    }
}

static const struct call_kind publish_kind = {
    .fn = on_published, .release = free, .answer_bytes = CALL_SMALL_ANSWER, .blames = true};

/* NULL: out of memory. */
static struct reach *reach_new(const struct request *r, const struct target_kind *kind)
{
    struct reach *reach = calloc(1, sizeof(*reach));
    const struct member_value *push = request_value(r, "send_websocket");
    struct key_buffer buffer;
    struct notify_str key = {NULL, 0};

    if (reach == NULL)
        return NULL;
    if (kind != NULL && kind->set != NO_SET && r->shared->sessions != NULL &&
        r->shared->keys->patterns[kind->set][0] != '\0')
        key = key_of(r->shared->keys, kind->set, request_text(r, kind->member), &buffer);
    if (key.len > 0)
        memcpy(reach->key, key.ptr, key.len);
    reach->key_len = key.len;
    reach->nobody = push->raw.len > 0 && !push->flag;
    return reach;
}

void publication_send(struct request *r, const char *type_member, struct notify_str key,
                      bool over_http)
{
    const struct target_kind *kind = target_kind_of(r);
    struct key_buffer buffer;
    struct notify_str target = find_target(r, kind, &buffer);
    struct words words = {.len = 3,
                          .at = {NOTIFY_STR("NOTIFY.SEND"), target, request_text(r, "title")}};
    struct reach *reach = NULL;

    if (target.len == 0 || !check_entity(r))
        return;
    if (over_http && (reach = reach_new(r, kind)) == NULL) {
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
        return;
    }
    add_options(r, &words, type_member);
    idempotency_send(r, &publish_kind, reach, &words, key);
}

void request_handle_publish(struct request *r)
{
    publication_send(r, "notification_type", request_text(r, "idempotency_key"), false);
}
