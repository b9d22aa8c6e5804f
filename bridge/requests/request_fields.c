#include "requests/request_fields.h"

#include <stdio.h>

#include "clients/client.h"

#define MAX_IDS 100 /* in one request */

struct notify_str request_text_of(const json_t *string)
{
    return notify_str_of(json_string_value(string), json_string_length(string));
}

void request_fail(const struct request *r, enum answer_code code, const char *message)
{
    answer_error(r->client, r->id, code, message);
}

void request_fail_field(const struct request *r, const char *name, const char *expected)
{
    bool missing = json_object_get(r->body, name) == NULL;
    char message[160];

    (void)snprintf(message, sizeof(message), "%s must be %s", name, expected); /* cut if too long */
    request_fail(r, missing ? ANSWER_MISSING_FIELD : ANSWER_INVALID_FIELD, message);
}

bool request_name_or_fail(const struct request *r, const char *member, struct notify_str *ret)
{
    const json_t *value = json_object_get(r->body, member);

    if (!json_is_string(value) || json_string_length(value) == 0 ||
        json_string_length(value) > KEY_NAME_MAX) {
        request_fail_field(r, member, "a string of 1 to 128 bytes");
        return false;
    }
    *ret = request_text_of(value);
    return true;
}

bool request_optional_id_or_fail(const struct request *r, const char *member,
                                 struct notify_str *ret, struct notify_id *ret_id)
{
    const json_t *value = json_object_get(r->body, member);

    *ret = (struct notify_str){NULL, 0};
    if (value == NULL || json_is_null(value))
        return true;
    if (!json_is_string(value) || !notify_id_parse(request_text_of(value), 0, ret_id)) {
        request_fail_field(r, member, "an id such as \"1795208400123-0\"");
        return false;
    }
    *ret = request_text_of(value);
    return true;
}

bool request_optional_text_or_fail(const struct request *r, const char *member,
                                   struct notify_str *ret)
{
    const json_t *value = json_object_get(r->body, member);

    *ret = (struct notify_str){NULL, 0};
    if (value == NULL || json_is_null(value))
        return true;
    if (!json_is_string(value)) {
        request_fail_field(r, member, "a string");
        return false;
    }
    *ret = request_text_of(value);
    return true;
}

bool request_ids_or_fail(const struct request *r, struct words *words)
{
    const json_t *one = json_object_get(r->body, "id");
    const json_t *many = json_object_get(r->body, "ids");
    size_t count = one != NULL ? 1 : json_array_size(many);
    struct notify_id id;

    if ((one == NULL && !json_is_array(many)) || count == 0 || count > MAX_IDS) {
        request_fail_field(r, one == NULL ? "ids" : "id", "an array of 1 to 100 ids (or id: one)");
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *value = one != NULL ? one : json_array_get(many, i);
        if (!json_is_string(value) || !notify_id_parse(request_text_of(value), 0, &id)) {
            request_fail_field(r, one != NULL ? "id" : "ids", "ids such as \"1795208400123-0\"");
            return false;
        }
        words_add(words, request_text_of(value));
    }
    return true;
}

struct notify_str request_inbox_of(const struct request *r, struct key_buffer *buffer)
{
    return key_of(r->client->shared->keys, KEY_INBOX, client_user(r->client), buffer);
}
