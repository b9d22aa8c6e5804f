/* request_publish -- publish: a notification to a topic or to a user. */
#include "requests/request_handlers.h"

#include <stdlib.h>

#include "clients/client.h"
#include "requests/request_fields.h"
#include "redis/resp.h"

static void on_published(struct client *client, const json_t *request_id, const struct resp *reply,
                         size_t arg)
{
    struct notify_str id = resp_str(reply);

    (void)arg;
    if (id.len == 0) {
        answer_failed_reply(client, request_id, reply);
        return;
    }
    client_send_json(client, json_pack("{s:s, s:s%}", "type", "ok", "id", id.ptr, id.len),
                     request_id);
}

static bool target_or_fail(const struct request *r, struct key_buffer *buffer,
                           struct notify_str *ret_key)
{
    bool to_user = json_object_get(r->body, "user_id") != NULL;
    struct notify_str name;

    if (to_user && json_object_get(r->body, "topic") != NULL) {
        request_fail(r, ANSWER_INVALID_FIELD, "topic and user_id exclude each other");
        return false;
    }
    if (!request_name_or_fail(r, to_user ? "user_id" : "topic", &name))
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

void request_handle_publish(const struct request *r)
{
    struct words words = {.len = 1, .at = {NOTIFY_STR("NOTIFY.SEND")}};
    const size_t json_count = sizeof(json_options) / sizeof(json_options[0]);
    char *dumped[sizeof(json_options) / sizeof(json_options[0])] = {NULL};
    struct notify_str key, title, text;
    struct key_buffer buffer;

    if (!target_or_fail(r, &buffer, &key))
        return;
    if (!json_is_string(json_object_get(r->body, "title"))) {
        request_fail_field(r, "title", "a string");
        return;
    }
    title = request_text_of(json_object_get(r->body, "title"));
    words_add(&words, key);
    words_add(&words, title);
    for (size_t i = 0; i < sizeof(text_options) / sizeof(text_options[0]); i++) {
        if (!request_optional_text_or_fail(r, text_options[i].member, &text))
            return;
        words_add_option(&words, text_options[i].name, text);
    }
    for (size_t i = 0; i < json_count; i++) {
        const json_t *value = json_object_get(r->body, json_options[i].member);
        dumped[i] = value == NULL ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        words_add_option(&words, json_options[i].name, notify_str_z(dumped[i]));
    }
    call_send(r->client, r->id, on_published, 0, &words);
    for (size_t i = 0; i < json_count; i++)
        free(dumped[i]);
}
