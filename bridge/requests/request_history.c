/* request_history -- request_notification_history: a page of the inbox or of a topic.
 *
 * Newest first, or oldest first when only "after" is given. The reply's messages are cut open, not
 * parsed and printed again. */
#include "requests/request_handlers.h"

#include "clients/client.h"
#include "wire/json_scan.h"
#include "base/log.h"
#include "requests/call.h"
#include "requests/request_members.h"
#include "redis/resp.h"

#define HISTORY_LIMIT_DEFAULT 20

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
 * its sender liked, the whole message. *ret_id: as JSON. False: it is no message of the module. */
static bool history_item(const struct resp *message, struct notify_str *ret_item,
                         struct notify_str *ret_id)
{
    struct message_parts outer = {{NULL, 0}, {NULL, 0}}, inner = outer;

    if (!json_scan_object(resp_str(message), on_message_member, &outer) || outer.id.len == 0)
        return false;
    if (outer.data.len > 0 && outer.data.ptr[0] == '{')
        (void)json_scan_object(outer.data, on_message_member, &inner); /* scanned with the rest */
    *ret_id = outer.id;
    *ret_item = notify_str_eq(inner.id, outer.id) ? outer.data : message->str;
    return true;
}

/* both: how many are unread, and a page of one entry more than limit if there are more. */
static void on_history(struct client *client, const json_t *request_id, const struct resp *both,
                       size_t limit)
{
    const struct resp *page = both->items[1];
    size_t count = page->len < limit ? page->len : limit;
    struct notify_str parts[2 * REQUEST_LIMIT_MAX + 8], next = NOTIFY_STR("null");
    size_t n = 0;

    parts[n++] = NOTIFY_STR("{\"type\":\"notification_history\",\"items\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            parts[n++] = NOTIFY_STR(",");
        if (!history_item(page->items[i], &parts[n++], &next)) {
            answer_failed_reply(client, request_id, page);
            return;
        }
    }
    if (page->len <= limit)
        next = NOTIFY_STR("null");
    parts[n++] = NOTIFY_STR("],\"next\":");
    parts[n++] = next;
    parts[n++] = NOTIFY_STR(",\"unread\":");
    parts[n++] = notify_str_z(log_int(resp_integer(both->items[0], 0)));
    if (request_id != NULL) {
        parts[n++] = NOTIFY_STR(",\"request_id\":");
        parts[n++] = request_text_of(request_id);
    }
    parts[n++] = NOTIFY_STR("}");
    client_send(client, n, parts);
}

static struct notify_str history_key(const struct request *r, struct key_buffer *buffer)
{
    struct notify_str topic = request_text(r, "topic");

    if (topic.len == 0)
        return request_inbox_of(r, buffer);
    return key_of(r->client->shared->keys, KEY_TOPIC, topic, buffer);
}

/* "(id", or all without one. Not as it was written: leading zeros may make that any length. */
static struct notify_str bound(char out[NOTIFY_ID_TEXT_MAX + 2], const struct member_value *id,
                               struct notify_str all)
{
    if (id->raw.len == 0)
        return all;
    out[0] = '(';
    return notify_str_of(out, 1 + notify_id_format(out + 1, id->id));
}

static size_t history_limit(const struct request *r)
{
    const struct member_value *limit = request_value(r, "limit");

    return limit->raw.len > 0 ? limit->number : HISTORY_LIMIT_DEFAULT;
}

void request_handle_history(const struct request *r)
{
    char low_text[NOTIFY_ID_TEXT_MAX + 2], high_text[NOTIFY_ID_TEXT_MAX + 2];
    const struct member_value *before = request_value(r, "before");
    const struct member_value *after = request_value(r, "after");
    struct notify_str low = bound(low_text, after, NOTIFY_STR("-"));
    struct notify_str high = bound(high_text, before, NOTIFY_STR("+"));
    bool forward = before->raw.len == 0 && after->raw.len > 0;
    size_t limit = history_limit(r);
    struct key_buffer buffer;
    struct notify_str key = history_key(r, &buffer);
    struct words count = {.len = 2, .at = {NOTIFY_STR("NOTIFY.UNREAD"), key}};
    struct words page = {.len = 2, .at = {NOTIFY_STR("NOTIFY.REVRANGE"), key}};

    if (forward)
        page.at[0] = NOTIFY_STR("NOTIFY.RANGE");
    words_add(&page, forward ? low : high);
    words_add(&page, forward ? high : low);
    words_add_option(&page, NOTIFY_STR("COUNT"), notify_str_z(log_int((int64_t)limit + 1)));
    if (request_value(r, "unread_only")->flag)
        words_add(&page, NOTIFY_STR("UNREAD"));
    words_add_option(&page, NOTIFY_STR("CATEGORY"), request_text(r, "category"));
    words_add_option(&page, NOTIFY_STR("TYPE"), request_text(r, "notification_type"));
    words_add(&page, NOTIFY_STR("JSON"));
    call_send_two(r->client, r->id, on_history, limit, &count, &page);
}
