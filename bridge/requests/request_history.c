/* request_history -- request_notification_history: a page of the inbox or of a topic.
 *
 * Newest first, or oldest first when only "after" is given. The replies' messages are cut open, not
 * parsed and printed again. A page ends at its limit, or before it has too many bytes. */
#include "requests/request_handlers.h"

#include <stdlib.h>
#include <string.h>

#include "clients/categories.h"
#include "clients/client.h"
#include "clients/permission.h"
#include "identity/identity.h"
#include "wire/json_scan.h"
#include "wire/json_text.h"
#include "base/number.h"
#include "requests/call.h"
#include "requests/answer.h"
#include "requests/request.h"
#include "requests/request_members.h"
#include "redis/resp.h"
#include "redis/turns.h"
#include "wire/text.h"

#define HISTORY_LIMIT_DEFAULT 20
#define HISTORY_PAGE_BYTES 131072 /* of items; one alone may be larger */

struct message_parts {
    struct notify_str id, category, data;
};

static void on_message_member(void *ctx, struct notify_str name, struct notify_str value)
{
    struct message_parts *parts = ctx;

    if (notify_str_eq(name, NOTIFY_STR("id")))
        parts->id = value;
    else if (notify_str_eq(name, NOTIFY_STR("category")))
        parts->category = value;
    else if (notify_str_eq(name, NOTIFY_STR("data")))
        parts->data = value;
}

/* One entry of a page. */
struct item {
    struct notify_id id;
    struct notify_str category; /* raw JSON; empty: it has none */
    struct notify_str text;
};

/* Of a notification its data, which holds all there is to it; of an event, whose data is whatever
 * its sender liked, the whole message. False: it is no message of the module. */
static bool read_item(const struct resp *message, struct item *ret)
{
    struct message_parts outer = {{NULL, 0}, {NULL, 0}, {NULL, 0}}, inner = outer;

    if (!json_scan_object(resp_str(message), on_message_member, &outer) ||
        !notify_id_parse(json_plain_string(outer.id), 0, &ret->id))
        return false;
    ret->category = outer.category;
    if (outer.data.len > 0 && outer.data.ptr[0] == '{')
        (void)json_scan_object(outer.data, on_message_member, &inner); /* scanned with the rest */
    ret->text = notify_str_eq(inner.id, outer.id) ? outer.data : message->str;
    return true;
}

/* May the client see it? */
static bool is_shown(const struct request *r, const struct item *item)
{
    struct notify_str category;
    json_t *json;
    bool shown;

    if (item->category.len == 0)
        return true;
    shown = json_text_read(item->category, &category, &json) &&
            categories_may_get(r->identity, category);
    json_decref(json);
    return shown;
}

/* A page that is being put together, from portions. */
struct history {
    bool forward, unread_only;
    bool chosen;                 /* it is a log's, of which not all categories may be seen */
    uint8_t limit, count, asked; /* items of the page, those it has, entries of this portion */
    char from[NOTIFY_ID_TEXT_MAX + 2], to[NOTIFY_ID_TEXT_MAX + 2]; /* of the next portion */
    char asked_text[NUMBER_TEXT_MAX + 1];
    struct notify_id last; /* of the items, */
    struct notify_id seen; /* and of the entries that were looked at */
    int64_t unread;
    char *items; /* owned: their JSON, with commas between */
    size_t len, cap;
    struct notify_str key, category, type;
    char texts[]; /* of these three */
};

static void history_free(void *ctx)
{
    struct history *history = ctx;

    free(history->items);
    free(history);
}

static bool append(struct history *history, struct notify_str text)
{
    size_t need = history->len + text.len;

    if (need > history->cap) {
        size_t cap = need < HISTORY_PAGE_BYTES / 2 ? 2 * need : need;
        char *items = realloc(history->items, cap);
        if (items == NULL)
            return false;
        history->items = items;
        history->cap = cap;
    }
    memcpy(history->items + history->len, text.ptr, text.len);
    history->len = need;
    return true;
}

static void answer_history(struct request *r, const struct history *history, bool more)
{
    struct text text = {.type = NOTIFY_STR_INIT("\"notification_history\"")};
    char next[NOTIFY_ID_TEXT_MAX + 1], unread[NUMBER_TEXT_MAX + 1];

    text_add(&text, NOTIFY_STR("{\"type\":\"notification_history\",\"items\":["));
    text_add(&text, notify_str_of(history->items, history->len));
    text_add(&text, NOTIFY_STR("],\"next\":"));
    if (more) {
        text_add(&text, NOTIFY_STR("\""));
        text_add(&text, notify_str_of(next, notify_id_format(next, history->last)));
        text_add(&text, NOTIFY_STR("\""));
    } else {
        text_add(&text, NOTIFY_STR("null"));
    }
    text_add(&text, NOTIFY_STR(",\"unread\":"));
    text_add(&text, number_text(unread, history->unread));
    text_add(&text, NOTIFY_STR("}"));
    answer_text(r, &text);
}

enum portion { PORTION_BAD, PORTION_TAKEN, PORTION_TOO_MUCH };

static enum portion take_item(struct history *history, const struct item *item)
{
    if (history->count == history->limit ||
        (history->count > 0 && history->len + 1 + item->text.len > HISTORY_PAGE_BYTES))
        return PORTION_TOO_MUCH;
    if ((history->count > 0 && !append(history, NOTIFY_STR(","))) || !append(history, item->text))
        return PORTION_BAD;
    history->last = item->id;
    history->count++;
    return PORTION_TAKEN;
}

/* Takes over what there is room for, and may be seen. */
static enum portion take_portion(const struct request *r, struct history *history,
                                 const struct resp *portion)
{
    enum portion taken = PORTION_TAKEN;
    struct item item;

    for (size_t i = 0; i < portion->len && taken == PORTION_TAKEN; i++) {
        if (!read_item(portion->items[i], &item))
            return PORTION_BAD;
        history->seen = item.id;
        if (!history->chosen || is_shown(r, &item))
            taken = take_item(history, &item);
    }
    return taken;
}

static void on_first_portion(struct request *r, const struct resp *both, void *ctx);
static void on_portion(struct request *r, const struct resp *portion, void *ctx);

#define HISTORY_CALL(handler)                                                                      \
    {                                                                                              \
        .fn = handler, .release = history_free,                                                    \
        .answer_bytes = HISTORY_PAGE_BYTES + CALL_SMALL_ANSWER,                                    \
        .reply_bytes = TURNS_ENTRIES_BYTES, .reads = true                                          \
    }
static const struct call_kind first_kind = HISTORY_CALL(on_first_portion);
static const struct call_kind next_kind = HISTORY_CALL(on_portion);

/* The command for the next portion: one entry more than is wanted tells whether there are more. */
static struct words portion_words(struct history *history)
{
    struct words words = {.len = 2, .at = {NOTIFY_STR("NOTIFY.REVRANGE"), history->key}};
    size_t wanted = history->chosen ? TURNS_ENTRIES : (size_t)history->limit - history->count + 1;

    if (history->forward)
        words.at[0] = NOTIFY_STR("NOTIFY.RANGE");
    history->asked = (uint8_t)(wanted < TURNS_ENTRIES ? wanted : TURNS_ENTRIES);
    words_add(&words, notify_str_z(history->from));
    words_add(&words, notify_str_z(history->to));
    words_add_option(&words, NOTIFY_STR("COUNT"), number_text(history->asked_text, history->asked));
    if (history->unread_only)
        words_add(&words, NOTIFY_STR("UNREAD"));
    words_add_option(&words, NOTIFY_STR("CATEGORY"), history->category);
    words_add_option(&words, NOTIFY_STR("TYPE"), history->type);
    words_add(&words, NOTIFY_STR("JSON"));
    return words;
}

/* "(id" */
static void set_bound(char out[NOTIFY_ID_TEXT_MAX + 2], struct notify_id id)
{
    out[0] = '(';
    notify_id_format(out + 1, id);
}

static void on_portion(struct request *r, const struct resp *portion, void *ctx)
{
    struct history *history = ctx;
    enum portion taken = take_portion(r, history, portion);
    struct words words;

    if (taken == PORTION_TAKEN && portion->len >= history->asked) {
        set_bound(history->from, history->seen);
        words = portion_words(history);
        call_send(r, &next_kind, history, &words);
        return;
    }
    if (taken == PORTION_BAD)
        answer_failed_reply(r, portion);
    else
        answer_history(r, history, taken == PORTION_TOO_MUCH);
    history_free(history);
}

/* both: how many are unread, and the first portion. */
static void on_first_portion(struct request *r, const struct resp *both, void *ctx)
{
    struct history *history = ctx;

    history->unread = resp_integer(both->items[0], 0);
    on_portion(r, both->items[1], history);
}

/* What of a log is unread, and may be seen. */
static int64_t count_shown(const struct request *r, const struct resp *badge)
{
    const struct resp *by_category = resp_member(badge, "by_category");
    int64_t unread = resp_integer(resp_member(badge, "unread"), 0);

    for (size_t i = 0; by_category != NULL && i + 1 < by_category->len; i += 2)
        if (!categories_may_get(r->identity, resp_str(by_category->items[i])))
            unread -= resp_integer(by_category->items[i + 1], 0);
    return unread;
}

static void on_badge(struct request *r, const struct resp *badge, void *ctx)
{
    struct history *history = ctx;
    struct words page = portion_words(history);

    history->unread = count_shown(r, badge);
    call_send(r, &next_kind, history, &page);
}

static const struct call_kind badge_kind = HISTORY_CALL(on_badge);

static struct notify_str history_key(const struct request *r, struct key_buffer *buffer)
{
    struct notify_str topic = request_text(r, "topic");

    if (topic.len == 0)
        return request_inbox_of(r, buffer);
    return key_of(r->shared->keys, KEY_TOPIC, topic, buffer);
}

static size_t history_limit(const struct request *r)
{
    const struct member_value *limit = request_value(r, "limit");

    return limit->raw.len > 0 ? limit->number : HISTORY_LIMIT_DEFAULT;
}

/* Copies text to *at, which moves on. */
static struct notify_str keep(char **at, struct notify_str text)
{
    struct notify_str kept = {*at, text.len};

    if (text.len > 0)
        memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return kept;
}

/* NULL: no memory. */
static struct history *history_new(const struct request *r)
{
    const struct member_value *before = request_value(r, "before");
    const struct member_value *after = request_value(r, "after");
    struct notify_str category = request_text(r, "category");
    struct notify_str type = request_text(r, "notification_type");
    struct key_buffer buffer;
    struct notify_str key = history_key(r, &buffer);
    struct history *history = calloc(1, sizeof(*history) + key.len + category.len + type.len);
    char *at;

    if (history == NULL)
        return NULL;
    history->limit = (uint8_t)history_limit(r);
    history->forward = before->raw.len == 0 && after->raw.len > 0;
    history->unread_only = request_value(r, "unread_only")->flag;
    history->chosen = request_text(r, "topic").len > 0 && identity_filters(r->identity);
    memcpy(history->from, history->forward ? "-" : "+", 2);
    memcpy(history->to, history->forward ? "+" : "-", 2);
    if (before->raw.len > 0)
        set_bound(history->from, before->id);
    if (after->raw.len > 0)
        set_bound(history->forward ? history->from : history->to, after->id);
    at = history->texts;
    history->key = keep(&at, key);
    history->category = keep(&at, category);
    history->type = keep(&at, type);
    return history;
}

/* What may be followed may be read, but for the categories that may not be seen. */
static bool may_read(struct request *r)
{
    struct notify_str topic = request_text(r, "topic"), category = request_text(r, "category");
    struct key_buffer buffer;

    if (topic.len == 0)
        return request_has_inbox(r);
    if (!may_follow(r->shared, r->identity, key_of(r->shared->keys, KEY_TOPIC, topic, &buffer)))
        answer_lacks_right(r, "topic", RIGHT_SUBSCRIBE, topic);
    else if (category.len > 0 && !categories_may_get(r->identity, category))
        answer_lacks_right(r, "category", RIGHT_CATEGORIES, category);
    else
        return true;
    return false;
}

/* A page, and how many are unread: of a log from which something is left out they must be counted
 * by category. */
void request_handle_history(struct request *r)
{
    struct words count = {.len = 1, .at = {NOTIFY_STR("NOTIFY.UNREAD")}};
    struct history *history;
    struct words page;

    if (!may_read(r))
        return;
    history = history_new(r);
    if (history == NULL) {
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
        return;
    }
    if (history->chosen)
        count.at[0] = NOTIFY_STR("NOTIFY.BADGE");
    words_add(&count, history->key);
    if (history->chosen) {
        call_send(r, &badge_kind, history, &count);
        return;
    }
    page = portion_words(history);
    call_send_two(r, &first_kind, history, &count, &page);
}
