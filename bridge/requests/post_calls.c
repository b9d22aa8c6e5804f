#include "requests/post_calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/http.h"
#include "notify_wire.h"
#include "redis/resp.h"
#include "requests/answer.h"
#include "requests/call.h"
#include "requests/idempotency.h"
#include "requests/publication.h"
#include "requests/request.h"
#include "requests/responder.h"
#include "wire/inbound.h"
#include "wire/json_copy.h"
#include "wire/json_scan.h"
#include "wire/json_text.h"

#define STATUS_CREATED 201
#define STATUS_ACCEPTED 202
#define NAME_ERROR "ERR name "

/* Idempotency-Key: as draft-ietf-httpapi-idempotency-key-header has it a string in quotes, and as
 * it is used everywhere without. */

#define KEY_HEADER "Idempotency-Key"
#define KEY_MAX 255

static bool is_visible(struct notify_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] >= 0x7f || text.ptr[i] == '"')
            return false;
    return text.len > 0 && text.len <= KEY_MAX;
}

/* Empty: there is none. False: it is no good, and r has been answered. */
static bool read_key(struct request *r, struct notify_str *ret)
{
    unsigned count;

    *ret = http_field(http_call_request(r)->head, KEY_HEADER, &count);
    if (count == 0)
        return true;
    if (ret->len >= 2 && ret->ptr[0] == '"' && ret->ptr[ret->len - 1] == '"')
        *ret = notify_str_of(ret->ptr + 1, ret->len - 2);
    if (count == 1 && is_visible(*ret))
        return true;
    answer_error(r, ANSWER_INVALID_FIELD, "idempotency_key",
                 KEY_HEADER " must be one text of 1 to 255 visible characters");
    return false;
}

/* POST /api/v1/notifications */

static void handle_notification(struct request *r)
{
    struct notify_str key;

    if (!read_key(r, &key))
        return;
    http_call_status(r, STATUS_CREATED, NULL);
    publication_send(r, "type", key, true);
}

const struct http_call post_notification_call = {
    .type = {"the notification", handle_notification, MEMBERS(PUBLICATION_MEMBERS("type"))},
    .pattern = "/api/v1/notifications",
    .body_max = HTTP_BODY_USUAL,
    .guests = true,
};

/* POST /api/notifications?topic= */

/* A body while it is read: what an event says is all of it but its type. */
struct posted {
    struct notify_str type; /* raw */
    bool type_twice;
    struct json_copy data;
};

static void on_member(void *ctx, struct notify_str name, struct notify_str value)
{
    struct posted *posted = ctx;

    if (inbound_is_named(name, "type")) {
        posted->type_twice = posted->type.len > 0;
        posted->type = value;
        return;
    }
    json_copy_add(&posted->data, name, value);
}

/* Reads the body; data has room for all of it. False: r has been answered. */
static bool read_body(struct request *r, struct posted *posted)
{
    struct notify_str body = http_call_request(r)->body;
    struct json_fault fault;

    if (!json_scan_message(body, on_member, posted, &fault)) {
        answer_bad_json(r, "the body", body, &fault);
        return false;
    }
    if (posted->type_twice)
        answer_error(r, ANSWER_INVALID_FIELD, "type", "type is given twice");
    return !posted->type_twice;
}

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-"

/* So that its letters need no look at escapes: a name has none that JSON would have to escape. */
static bool read_type(struct request *r, struct notify_str raw, struct notify_str *ret)
{
    bool missing = raw.len == 0 || notify_str_eq(raw, NOTIFY_STR("null"));
    size_t good = 0;

    *ret = json_plain_string(raw);
    while (good < ret->len && strchr(NAME_CHARACTERS, ret->ptr[good]) != NULL &&
           ret->ptr[good] != '\0')
        good++;
    if (ret->len > 0 && ret->len <= NOTIFY_EVENT_NAME_MAX && good == ret->len)
        return true;
    answer_error(r, missing ? ANSWER_MISSING_FIELD : ANSWER_INVALID_FIELD, "type",
                 "type must be a string of 1 to 64 letters, digits and _ . : -");
    return false;
}

/* Some names are those of changes of state: the module knows which, and calls a type so. */
static bool is_about_type(const struct resp *reply)
{
    return reply != NULL && reply->kind == RESP_ERROR &&
           strncmp(reply->str.ptr, NAME_ERROR, strlen(NAME_ERROR)) == 0;
}

static void on_replied(struct request *r, const struct resp *reply, void *ctx)
{
    struct notify_str id = resp_str(reply);
    char message[160];

    (void)ctx;
    if (r->responder->is_gone(r))
        return;
    if (is_about_type(reply)) {
        (void)snprintf(message, sizeof(message), "type %s", reply->str.ptr + strlen(NAME_ERROR));
        answer_error(r, ANSWER_INVALID_FIELD, "type", message);
    } else if (id.len == 0) {
        answer_refused_reply(r, reply);
    } else {
        answer_json(r, json_pack("{s:s%}", "id", id.ptr, id.len));
    }
}

static const struct call_kind event_kind = {
    .fn = on_replied, .answer_bytes = CALL_SMALL_ANSWER, .whatever = true};

static void send_event(struct request *r, struct posted *posted)
{
    struct key_buffer buffer;
    struct notify_str key, type;
    struct words words = {.len = 1, .at = {NOTIFY_STR("NOTIFY.EVENT")}};

    if (!read_type(r, posted->type, &type) || !read_key(r, &key))
        return;
    words_add(&words, publication_target(r, &buffer));
    if (words.at[1].len == 0)
        return;
    words_add(&words, type);
    words_add_option(&words, NOTIFY_STR("DATA"), json_copy_end(&posted->data));
    http_call_status(r, STATUS_ACCEPTED, NULL);
    idempotency_send(r, &event_kind, NULL, &words, key);
}

static void handle_event(struct request *r)
{
    struct posted posted = {.data.text = malloc(http_call_request(r)->body.len + JSON_COPY_MORE)};

    if (posted.data.text == NULL)
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
    else if (read_body(r, &posted))
        send_event(r, &posted);
    free(posted.data.text);
}

const struct http_call post_event_call = {
    .type = {"the address", handle_event, MEMBERS(MAY("topic", MEMBER_NAME))},
    .pattern = "/api/notifications",
    .body_max = HTTP_BODY_USUAL,
    .raw_body = true,
    .guests = true,
};
