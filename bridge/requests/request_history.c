/* request_history -- request_notification_history: a page of the inbox or of a topic.
 *
 * Newest first, or oldest first when only "after" is given. The reply's messages are cut open, not
 * parsed and printed again. */
#include "requests/request_handlers.h"

#include <stdlib.h>

#include "clients/client.h"
#include "wire/json_scan.h"
#include "base/log.h"
#include "requests/request_fields.h"
#include "redis/resp.h"

#define HISTORY_LIMIT_DEFAULT 20
#define HISTORY_LIMIT_MAX 100

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
        request_fail_field(r, "limit", "an integer from 1 to 100");
        return false;
    }
    *ret_limit = (size_t)json_integer_value(value);
    return true;
}

static bool history_key_or_fail(const struct request *r, struct key_buffer *buffer,
                                struct notify_str *ret_key)
{
    struct notify_str topic;

    *ret_key = request_inbox_of(r, buffer);
    if (json_object_get(r->body, "topic") == NULL)
        return true;
    if (!request_name_or_fail(r, "topic", &topic))
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

void request_handle_history(const struct request *r)
{
    char low_text[NOTIFY_ID_TEXT_MAX + 2], high_text[NOTIFY_ID_TEXT_MAX + 2];
    struct notify_str key, before, after, category, type, low, high;
    struct key_buffer buffer;
    struct notify_id id;
    size_t limit;

    if (!history_key_or_fail(r, &buffer, &key) || !limit_or_fail(r, &limit) ||
        !request_optional_id_or_fail(r, "before", &before, &id) ||
        !request_optional_id_or_fail(r, "after", &after, &id) ||
        !request_optional_text_or_fail(r, "category", &category) ||
        !request_optional_text_or_fail(r, "notification_type", &type))
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
    words_add_option(&page, NOTIFY_STR("COUNT"), notify_str_z(log_int((int64_t)limit + 1)));
    if (json_is_true(json_object_get(r->body, "unread_only")))
        words_add(&page, NOTIFY_STR("UNREAD"));
    words_add_option(&page, NOTIFY_STR("CATEGORY"), category);
    words_add_option(&page, NOTIFY_STR("TYPE"), type);
    words_add(&page, NOTIFY_STR("JSON"));
    call_send_two(r->client, r->id, on_history, limit, &count, &page);
}
