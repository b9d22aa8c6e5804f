#include "requests/request.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "clients/client.h"
#include "base/iso_time.h"
#include "base/loop.h"
#include "requests/request_handlers.h"
#include "requests/request_members.h"
#include "wire/json_scan.h"

#define REQUEST_ID_MAX 256 /* bytes as JSON text: kept while a request is under way */

static void handle_ping(const struct request *r)
{
    char now[ISO_TIME_LEN + 1];
    const char *type = r->type->name[0] == 'p' ? "pong" : "heartbeat";

    iso_time_format(now, loop_wall_ms(r->client->shared->senders.loop));
    answer_json(r->client, r->id, json_pack("{s:s, s:s}", "type", type, "timestamp", now));
}

/* The table: what there is to ask for, and with which members. */

#define NO_MEMBERS ((const struct member[]){{0}})
#define MEMBERS(...) ((const struct member[]){__VA_ARGS__, {0}})
#define MAY(name, kind)                                                                            \
    {                                                                                              \
        name, kind, MEMBER_OPTIONAL                                                                \
    }
#define MUST(name, kind)                                                                           \
    {                                                                                              \
        name, kind, MEMBER_NEEDED                                                                  \
    }
#define EITHER(name, kind)                                                                         \
    {                                                                                              \
        name, kind, MEMBER_ONE_OF                                                                  \
    }
#define SOME_IDS EITHER("id", MEMBER_ID), EITHER("ids", MEMBER_IDS)

static const struct request_type request_types[] = {
    {"ping", handle_ping, NO_MEMBERS},
    {"heartbeat", handle_ping, NO_MEMBERS},
    {"subscribe", request_handle_subscribe,
     MEMBERS(MUST("topic", MEMBER_NAME), MAY("last_id", MEMBER_ID))},
    {"unsubscribe", request_handle_unsubscribe, MEMBERS(MUST("topic", MEMBER_NAME))},
    {"subscribe_session", request_handle_subscribe_session,
     MEMBERS(MUST("session_id", MEMBER_NAME), MAY("last_id", MEMBER_ID))},
    {"unsubscribe_session", request_handle_unsubscribe_session,
     MEMBERS(MUST("session_id", MEMBER_NAME))},
    {"resume", request_handle_resume, MEMBERS(MUST("positions", MEMBER_POSITIONS))},
    {"request_notification_history", request_handle_history,
     MEMBERS(MAY("before", MEMBER_ID), MAY("after", MEMBER_ID), MAY("limit", MEMBER_LIMIT),
             MAY("unread_only", MEMBER_FLAG), MAY("category", MEMBER_WORD),
             MAY("notification_type", MEMBER_WORD), MAY("topic", MEMBER_NAME))},
    {"mark_read", request_handle_mark_read, MEMBERS(SOME_IDS)},
    {"mark_all_read", request_handle_mark_all_read,
     MEMBERS(MAY("upto", MEMBER_ID), MAY("category", MEMBER_WORD))},
    {"mark_seen", request_handle_mark_seen, MEMBERS(MAY("upto", MEMBER_ID))},
    {"archive", request_handle_archive, MEMBERS(SOME_IDS)},
    {"delete_notification", request_handle_delete, MEMBERS(SOME_IDS)},
    {"unread_count", request_handle_unread_count, NO_MEMBERS},
    {"publish", request_handle_publish,
     MEMBERS(EITHER("topic", MEMBER_NAME), EITHER("user_id", MEMBER_NAME),
             MUST("title", MEMBER_WORD), MAY("content", MEMBER_TEXT),
             MAY("notification_type", MEMBER_WORD), MAY("category", MEMBER_WORD),
             MAY("level", MEMBER_WORD), MAY("action", MEMBER_JSON), MAY("data", MEMBER_JSON))},
};

static const struct request_type *find_type(struct notify_str name)
{
    for (size_t i = 0; i < sizeof(request_types) / sizeof(request_types[0]); i++)
        if (notify_str_eq(name, notify_str_z(request_types[i].name)))
            return &request_types[i];
    return NULL;
}

static bool is_integer(struct notify_str value)
{
    size_t at = value.len > 0 && value.ptr[0] == '-';

    for (size_t i = at; i < value.len; i++)
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return false;
    return value.len > at;
}

static bool is_null(struct notify_str value)
{
    return value.len == 0 || notify_str_eq(value, NOTIFY_STR("null"));
}

/* The request's id is kept as it was written, and so comes back: what it stands for is the client's
 * business. Without one that can be repeated r->id is NULL. */
static void read_id(struct request *r, struct notify_str value)
{
    if (value.len > 0 && (value.ptr[0] == '"' || is_integer(value)) && json_scan_value(value))
        r->id = json_stringn(value.ptr, value.len);
}

static bool check_id(const struct request *r, struct notify_str value)
{
    if (is_null(value) || (r->id != NULL && value.len <= REQUEST_ID_MAX))
        return true;
    request_fail_member(r, ANSWER_INVALID_FIELD, "request_id",
                        "request_id must be an integer, or a string of at most 256 bytes");
    return false;
}

static bool read_type(struct request *r, struct notify_str value)
{
    struct notify_str name;
    json_t *json;

    if (is_null(value)) {
        request_fail_member(r, ANSWER_MISSING_FIELD, "type", "type must be a string");
        return false;
    }
    if (!member_read_text(value, &name, &json)) {
        request_fail_member(r, ANSWER_INVALID_FIELD, "type", "type must be a string");
        return false;
    }
    r->type = find_type(name);
    json_decref(json);
    if (r->type == NULL)
        request_fail_member(r, ANSWER_UNKNOWN_TYPE, "type", "no message of this type is known");
    return r->type != NULL;
}

static void fail_json(const struct request *r, struct notify_str text,
                      const struct json_fault *fault)
{
    char message[80] = "a message must be a JSON object";
    size_t blanks = 0;

    while (blanks < text.len && strchr(" \t\r\n", text.ptr[blanks]) != NULL)
        blanks++;
    if (fault->too_deep)
        (void)snprintf(message, sizeof(message), "nested deeper than %d at byte %zu",
                       JSON_SCAN_MAX_DEPTH, fault->at);
    else if (blanks < text.len && text.ptr[blanks] == '{')
        (void)snprintf(message, sizeof(message), "not well-formed JSON at byte %zu", fault->at);
    request_fail(r, ANSWER_BAD_JSON, message);
}

/* A message that is no JSON is answered with its id all the same, or else its sender would wait for
 * an answer that it has had. */
static void refuse(struct request *r, struct notify_str text, const struct json_fault *fault)
{
    struct message message = {.len = 0};

    json_skim_object(text, message_add_id, &message);
    read_id(r, message.id.value);
    fail_json(r, text, fault);
}

void request_handle(void *peer, struct notify_str text)
{
    struct request r = {.client = peer};
    struct message message = {.len = 0};
    struct json_fault fault;

    if (!json_scan_message(text, message_add, &message, &fault)) {
        refuse(&r, text, &fault);
    } else {
        read_id(&r, message.id.value);
        if (check_id(&r, message.id.value) && read_type(&r, message.type.value) &&
            request_members_read(&r, &message))
            r.type->handle(&r);
    }
    request_members_release(&r);
    json_decref(r.id);
}
