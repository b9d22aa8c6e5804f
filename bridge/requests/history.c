#include "requests/history.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "clients/categories.h"
#include "clients/client.h"
#include "clients/logs.h"
#include "identity/identity.h"
#include "identity/key_names.h"
#include "redis/keyspace.h"
#include "redis/resp.h"
#include "redis/turns.h"
#include "requests/answer.h"
#include "requests/history_private.h"
#include "requests/item.h"
#include "requests/request.h"
#include "requests/request_box.h"
#include "requests/request_members.h"
#include "requests/tally.h"

void history_free(void *ctx)
{
    struct history *history = ctx;

    json_decref(history->hidden);
    free(history->items);
    free(history);
}

/* The page. */

bool history_append(struct history *history, struct notify_str text)
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
    if (text.len > 0)
        memcpy(history->items + history->len, text.ptr, text.len);
    history->len = need;
    return true;
}

/* "<id>", or of a feed "<id>:<key>". */
static void set_position(char out[HISTORY_POSITION_MAX + 1], const struct history *history,
                         const struct item *item)
{
    size_t len = notify_id_format(out, item->id);
    struct notify_str key;
    json_t *json;

    if (!history->feed)
        return;
    if (item_key(item, &key, &json) && key.len <= NOTIFY_KEY_MAX) {
        out[len++] = ':';
        memcpy(out + len, key.ptr, key.len);
        out[len + key.len] = '\0';
    }
    json_decref(json);
}

enum portion { PORTION_BAD, PORTION_TAKEN, PORTION_TOO_MUCH };

static enum portion take_item(const struct request *r, struct history *history,
                              const struct item *item)
{
    size_t before = history->len;

    if (history->count == history->limit)
        return PORTION_TOO_MUCH;
    if ((history->count > 0 && !history_append(history, NOTIFY_STR(","))) ||
        !history->shape->item(r, history, item))
        return PORTION_BAD;
    if (history->count > 0 && history->len > history->bytes) {
        history->len = before;
        return PORTION_TOO_MUCH;
    }
    set_position(history->last, history, item);
    history->count++;
    return PORTION_TAKEN;
}

static enum portion pass_over(struct history *history)
{
    history->skip--;
    return PORTION_TAKEN;
}

/* Where the next portion begins: behind this one. */
static void note_looked_at(struct history *history, const struct item *item)
{
    char *at = history->from;

    if (!history->feed)
        *at++ = '(';
    set_position(at, history, item);
}

/* Takes over what there is room for, and may be seen. */
static enum portion take_portion(const struct request *r, struct history *history,
                                 const struct resp *portion)
{
    enum portion taken = PORTION_TAKEN;
    struct key_buffer buffer;
    struct notify_str inbox = request_inbox_of(r, &buffer);
    struct item item;

    for (size_t i = 0; i < portion->len && taken == PORTION_TAKEN; i++) {
        if (!item_read(portion->items[i], inbox, &item))
            return PORTION_BAD;
        note_looked_at(history, &item);
        if (!history->chosen || item_is_shown(r, &item))
            taken = history->skip > 0 ? pass_over(history) : take_item(r, history, &item);
    }
    return taken;
}

static void answer_page(struct request *r, const struct history *history, bool more)
{
    struct history_page page = {.items = notify_str_of(history->items, history->len),
                                .count = history->count,
                                .unread = history->unread,
                                .total = -1};

    if (history->wants_total) /* what changed between two replies must not make it negative */
        page.total = history->total > 0 ? history->total : 0;
    if (more)
        page.next = notify_str_z(history->last);
    history->shape->answer(r, &page);
}

/* What is asked. */

void history_add_filter(struct words *words, const struct history *history)
{
    if (history->unread_only)
        words_add(words, NOTIFY_STR("UNREAD"));
    if (history->archived_only)
        words_add(words, NOTIFY_STR("ARCHIVED"));
    if (history->notifications_only && !history->unread_only && !history->archived_only)
        words_add(words, NOTIFY_STR("NOTIFICATIONS"));
    words_add_option(words, NOTIFY_STR("TYPE"), history->type);
}

void history_add_logs(struct words *words, const struct request *r, const struct history *history,
                      char number[NUMBER_TEXT_MAX + 1])
{
    const struct logs *logs = logs_of(r->shared, r->identity);

    if (history->own_only || logs->len == 0)
        return;
    words_add(words, NOTIFY_STR("LOGS"));
    words_add(words, number_text(number, (int64_t)logs->len));
    for (size_t i = 0; i < logs->len; i++)
        words_add(words, logs->at[i]);
}

/* Texts of words. */
struct numbers {
    char logs[NUMBER_TEXT_MAX + 1], count[NUMBER_TEXT_MAX + 1], skip[NUMBER_TEXT_MAX + 1];
};

static void add_feed_words(struct words *words, const struct request *r,
                           const struct history *history, struct numbers *numbers)
{
    words->at[0] = NOTIFY_STR("NOTIFY.FEED");
    history_add_logs(words, r, history, numbers->logs);
    words_add_option(words, NOTIFY_STR("BEFORE"), notify_str_z(history->from));
    if (history->skip > 0 && history->skips_there)
        words_add_option(words, NOTIFY_STR("OFFSET"),
                         number_text(numbers->skip, (int64_t)history->skip));
    if (history->asks_total)
        words_add(words, NOTIFY_STR("TOTAL"));
}

/* One entry more than is wanted tells whether there are more. */
static void choose_count(struct history *history)
{
    size_t wanted = history->chosen || (history->skip > 0 && !history->skips_there)
                        ? TURNS_ENTRIES
                        : (size_t)history->limit - history->count + 1;

    history->asked = (uint8_t)(wanted < TURNS_ENTRIES ? wanted : TURNS_ENTRIES);
}

static struct words portion_words(const struct request *r, struct history *history,
                                  struct key_buffer *buffer, struct numbers *numbers)
{
    bool own = history->topic_key.len == 0;
    struct words words = {
        .len = 2,
        .at = {history->forward ? NOTIFY_STR("NOTIFY.RANGE") : NOTIFY_STR("NOTIFY.REVRANGE"),
               own ? request_inbox_of(r, buffer) : history->topic_key}};

    choose_count(history);
    if (history->feed) {
        add_feed_words(&words, r, history, numbers);
    } else {
        words_add(&words, notify_str_z(history->from));
        words_add(&words, notify_str_z(history->to));
    }
    words_add_option(&words, NOTIFY_STR("COUNT"), number_text(numbers->count, history->asked));
    history_add_filter(&words, history);
    words_add_option(&words, NOTIFY_STR("CATEGORY"), history->category);
    words_add_option(&words, NOTIFY_STR("LOG"), history->log);
    words_add(&words, NOTIFY_STR("JSON"));
    return words;
}

static void on_first_portion(struct request *r, const struct resp *both, void *ctx);
static void on_portion(struct request *r, const struct resp *reply, void *ctx);

#define HISTORY_CALL(handler)                                                                      \
    {                                                                                              \
        .fn = handler, .release = history_free,                                                    \
        .answer_bytes = HISTORY_PAGE_BYTES + CALL_SMALL_ANSWER + HISTORY_POSITION_MAX,             \
        .reply_bytes = TURNS_ENTRIES_BYTES, .reads = true                                          \
    }
static const struct call_kind first_kind = HISTORY_CALL(on_first_portion);
static const struct call_kind next_kind = HISTORY_CALL(on_portion);

void history_ask_portion(struct request *r, struct history *history)
{
    struct numbers numbers;
    struct key_buffer buffer;
    struct words words = portion_words(r, history, &buffer, &numbers);

    call_send(r, &next_kind, history, &words);
}

/* The entries of a reply, and of the first one of a feed how many there are. */
static const struct resp *take_reply(struct history *history, const struct resp *reply)
{
    if (!history->feed)
        return reply;
    if (history->asks_total)
        history->total += resp_count(resp_member(reply, "total"));
    history->asks_total = false;
    if (history->skips_there)
        history->skip = 0; /* Redis has passed them over */
    return resp_member(reply, "entries");
}

static void on_portion(struct request *r, const struct resp *reply, void *ctx)
{
    struct history *history = ctx;
    const struct resp *portion = take_reply(history, reply);
    enum portion taken = portion == NULL ? PORTION_BAD : take_portion(r, history, portion);

    if (taken == PORTION_TAKEN && portion->len >= history->asked) {
        history_ask_portion(r, history);
        return;
    }
    if (taken == PORTION_BAD)
        answer_failed_reply(r, reply);
    else
        answer_page(r, history, taken == PORTION_TOO_MUCH);
    history_free(history);
}

/* both: how many are unread, and the first portion. */
static void on_first_portion(struct request *r, const struct resp *both, void *ctx)
{
    struct history *history = ctx;

    history->unread = resp_count(both->items[0]);
    on_portion(r, both->items[1], history);
}

/* Of a box as it is: how many are unread, and a page. */

/* What of a log is unread, and may be seen. */
static int64_t count_shown(const struct request *r, const struct resp *badge)
{
    const struct resp *by_category = resp_member(badge, "by_category");
    int64_t unread = resp_count(resp_member(badge, "unread"));

    for (size_t i = 0; by_category != NULL && i + 1 < by_category->len; i += 2)
        if (!categories_may_get(r->identity, resp_str(by_category->items[i])))
            unread -= resp_count(by_category->items[i + 1]);
    return unread;
}

static void on_badge(struct request *r, const struct resp *badge, void *ctx)
{
    struct history *history = ctx;

    history->unread = count_shown(r, badge);
    history_ask_portion(r, history);
}

static const struct call_kind badge_kind = HISTORY_CALL(on_badge);

/* Of a log from which something is left out they must be counted by category. */
static void begin_box(struct request *r, struct history *history)
{
    struct numbers numbers;
    struct key_buffer buffer;
    struct words page = portion_words(r, history, &buffer, &numbers);
    struct words count = {.len = 2, .at = {NOTIFY_STR("NOTIFY.UNREAD"), page.at[1]}};

    if (history->chosen) {
        count.at[0] = NOTIFY_STR("NOTIFY.BADGE");
        call_send(r, &badge_kind, history, &count);
        return;
    }
    call_send_two(r, &first_kind, history, &count, &page);
}

/* Of a feed, and of a log as the inbox sees it. */

static void on_tally(struct request *r, struct tally *tally)
{
    struct history *history = tally->ctx;

    tally->ctx = NULL;
    history->unread = tally_total(tally, "unread");
    if (!history->feed) /* of the one log alone */
        history->unread -= tally_own(tally, "unread");
    if (history->wants_total && history->chosen)
        history_total_begin(r, history);
    else
        history_ask_portion(r, history);
}

static void begin_inbox(struct request *r, struct history *history)
{
    struct logs one = {.len = 1, .at = {history->log}};
    struct tally *tally =
        tally_new(r, history->feed ? logs_of(r->shared, r->identity) : &one, on_tally);

    if (tally == NULL) {
        history_free(history);
        return;
    }
    tally->ctx = history;
    tally->release = history_free;
    tally_send(r, tally);
}

/* Beginning. */

/* "(id", or as it was when there is none. The id was read, and so is written anew: it may have had
 * leading zeros. */
static void set_bound(char *out, struct notify_str text)
{
    struct notify_id id;

    if (!notify_id_parse(text, 0, &id))
        return;
    out[0] = '(';
    notify_id_format(out + 1, id);
}

/* The first portion's bounds. Of a feed there is only where it begins, if anywhere. */
static void set_bounds(struct history *history, const struct history_ask *ask)
{
    char *at = history->from;

    if (ask->feed) {
        assert(ask->before.len <= HISTORY_POSITION_MAX);
        (void)notify_str_keep(&at, ask->before);
        return;
    }
    memcpy(history->from, ask->forward ? "-" : "+", 2);
    memcpy(history->to, ask->forward ? "+" : "-", 2);
    set_bound(history->from, ask->before);
    set_bound(ask->forward ? history->from : history->to, ask->after);
}

/* NULL: no memory. */
static struct history *history_new(const struct request *r, const struct history_ask *ask)
{
    struct history *history = calloc(1, sizeof(*history) + ask->topic_key.len + ask->log.len +
                                            ask->category.len + ask->type.len);
    char *at;

    if (history == NULL)
        return NULL;
    history->feed = ask->feed;
    history->forward = ask->forward;
    history->unread_only = ask->unread_only;
    history->archived_only = ask->archived_only;
    history->notifications_only = ask->notifications_only;
    history->wants_total = history->asks_total = ask->wants_total;
    history->limit = (uint8_t)ask->limit;
    history->skip = ask->offset;
    history->bytes = ask->bytes > 0 ? ask->bytes : HISTORY_PAGE_BYTES;
    history->chosen = (ask->feed || ask->log.len > 0 || ask->topic_key.len > 0) &&
                      !identity_sees_all(r->identity);
    history->skips_there = !history->chosen && !keyspace_is_split(r->shared->keyspace);
    history->own_only = ask->category.len > 0 && !categories_may_get(r->identity, ask->category);
    set_bounds(history, ask);
    at = history->texts;
    history->topic_key = notify_str_keep(&at, ask->topic_key);
    history->log = notify_str_keep(&at, ask->log);
    history->category = notify_str_keep(&at, ask->category);
    history->type = notify_str_keep(&at, ask->type);
    return history;
}

void history_begin(struct request *r, const struct history_ask *ask,
                   const struct history_shape *shape)
{
    struct history *history = history_new(r, ask);

    if (history == NULL) {
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
        return;
    }
    history->shape = shape;
    if (ask->feed || ask->log.len > 0)
        begin_inbox(r, history);
    else
        begin_box(r, history);
}
