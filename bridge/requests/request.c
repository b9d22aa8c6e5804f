#include "requests/request.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "clients/client.h"
#include "base/iso_time.h"
#include "base/loop.h"
#include "requests/request_fields.h"
#include "requests/request_handlers.h"

static void handle_ping(const struct request *r)
{
    char now[ISO_TIME_LEN + 1];
    const char *type = r->type[0] == 'p' ? "pong" : "heartbeat";

    iso_time_format(now, loop_wall_ms(r->client->shared->loop));
    client_send_json(r->client, json_pack("{s:s, s:s}", "type", type, "timestamp", now), r->id);
}

struct request_type {
    const char *name;
    void (*handle)(const struct request *r);
};

static const struct request_type request_types[] = {
    {"ping", handle_ping},
    {"heartbeat", handle_ping},
    {"subscribe", request_handle_subscribe},
    {"unsubscribe", request_handle_unsubscribe},
    {"subscribe_session", request_handle_subscribe_session},
    {"unsubscribe_session", request_handle_unsubscribe_session},
    {"resume", request_handle_resume},
    {"request_notification_history", request_handle_history},
    {"mark_read", request_handle_mark_read},
    {"mark_all_read", request_handle_mark_all_read},
    {"mark_seen", request_handle_mark_seen},
    {"archive", request_handle_archive},
    {"delete_notification", request_handle_delete},
    {"unread_count", request_handle_unread_count},
    {"publish", request_handle_publish},
};

static void dispatch(struct request *r)
{
    const json_t *type = json_object_get(r->body, "type");

    if (r->id != NULL && !json_is_string(r->id) && !json_is_integer(r->id)) {
        r->id = NULL;
        request_fail(r, ANSWER_INVALID_FIELD, "request_id must be a string or an integer");
        return;
    }
    if (!json_is_string(type)) {
        request_fail_field(r, "type", "a string");
        return;
    }
    r->type = json_string_value(type);
    for (size_t i = 0; i < sizeof(request_types) / sizeof(request_types[0]); i++) {
        if (strcmp(request_types[i].name, r->type) == 0) {
            request_types[i].handle(r);
            return;
        }
    }
    request_fail(r, ANSWER_UNKNOWN_TYPE, "no message of this type is known");
}

static void fail_json(const struct request *r, const json_error_t *error)
{
    char message[64];

    (void)snprintf(message, sizeof(message), "not well-formed JSON at byte %d", error->position);
    request_fail(r, ANSWER_BAD_JSON, message);
}

void request_handle(struct client *client, struct notify_str text)
{
    json_error_t error;
    json_t *body = json_loadb(text.ptr, text.len, 0, &error);
    struct request r = {.client = client, .body = body};

    if (body == NULL) {
        fail_json(&r, &error);
    } else if (!json_is_object(body)) {
        request_fail(&r, ANSWER_BAD_JSON, "a message must be a JSON object");
    } else {
        r.id = json_object_get(body, "request_id");
        dispatch(&r);
    }
    json_decref(body);
}
