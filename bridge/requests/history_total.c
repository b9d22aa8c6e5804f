/* history_total -- how many entries a feed has in all, without those that may not be seen.
 *
 * Redis counts all that meet the conditions. So the logs are asked which categories they have, and
 * what there is of those that are hidden is counted and taken off: of the inbox and the logs
 * together, less what the inbox itself has of them. */
#include <string.h>

#include "clients/categories.h"
#include "clients/logs.h"
#include "identity/key_names.h"
#include "redis/resp.h"
#include "requests/answer.h"
#include "requests/box_info.h"
#include "requests/history_private.h"
#include "requests/request.h"
#include "requests/request_box.h"
#include "requests/request_members.h"
#include "wire/json_text.h"

#define HIDDEN_AT_ONCE 24 /* categories in one command */

static void on_info(struct request *r, const struct resp *reply, void *ctx);
static void on_with_logs(struct request *r, const struct resp *reply, void *ctx);
static void on_own(struct request *r, const struct resp *reply, void *ctx);

#define TOTAL_CALL(handler, ...)                                                                   \
    {                                                                                              \
        .fn = handler, .release = history_free, .answer_bytes = HISTORY_PAGE_BYTES, .reads = true, \
        __VA_ARGS__                                                                                \
    }
static const struct call_kind info_kind =
    TOTAL_CALL(on_info, .reply_bytes = BOX_INFO_BYTES, .takes_errors = true);
static const struct call_kind with_logs_kind = TOTAL_CALL(on_with_logs, .reply_bytes = 65536);
static const struct call_kind own_kind = TOTAL_CALL(on_own, .reply_bytes = 65536);

/* What the logs have. */

static void note_hidden(const struct request *r, struct history *history, const struct resp *reply)
{
    json_t *names = box_info_categories(reply, "length");
    json_t *name;
    size_t i;

    json_array_foreach(names, i, name)
    {
        struct notify_str text = json_text_of(name);
        if (text.len > 0 && !categories_may_get(r->identity, text))
            (void)json_object_setn_new(history->hidden, text.ptr, text.len, json_null());
    }
    json_decref(names);
}

static void take_off_hidden(struct request *r, struct history *history);

static void ask_next_log(struct request *r, struct history *history)
{
    const struct logs *logs = logs_of(r->shared, r->identity);
    struct words words = {.len = 1, .at = {NOTIFY_STR("NOTIFY.INFO")}};

    if (history->own_only || history->next_log >= logs->len) {
        take_off_hidden(r, history);
        return;
    }
    words_add(&words, logs->at[history->next_log++]);
    call_send(r, &info_kind, history, &words);
}

static void on_info(struct request *r, const struct resp *reply, void *ctx)
{
    struct history *history = ctx;

    if (!box_info_is_answer(reply)) {
        answer_failed_reply(r, reply);
        history_free(history);
        return;
    }
    note_hidden(r, history, reply);
    ask_next_log(r, history);
}

/* What there is of it. */

/* NOTIFY.FEED of the next hidden categories. Each stands behind a word of its own, as it may be
 * called like an option. */
static struct words count_words(const struct request *r, struct history *history, bool with_logs,
                                struct key_buffer *buffer, char number[NUMBER_TEXT_MAX + 1])
{
    struct words words = {.len = 2, .at = {NOTIFY_STR("NOTIFY.FEED"), request_inbox_of(r, buffer)}};
    size_t i = 0;
    const char *name;
    json_t *value;

    if (with_logs)
        history_add_logs(&words, r, history, number);
    words_add_option(&words, NOTIFY_STR("COUNT"), NOTIFY_STR("0"));
    words_add(&words, NOTIFY_STR("TOTAL"));
    history_add_filter(&words, history);
    json_object_foreach(history->hidden, name, value)
    {
        if (i >= history->hidden_off && i < history->hidden_off + HIDDEN_AT_ONCE)
            words_add_option(&words, NOTIFY_STR("CATEGORY"), notify_str_z(name));
        i++;
    }
    return words;
}

static void take_off_hidden(struct request *r, struct history *history)
{
    char number[NUMBER_TEXT_MAX + 1];
    struct key_buffer buffer;
    struct words words;

    if (history->category.len > 0 || history->hidden_off >= json_object_size(history->hidden)) {
        history_ask_portion(r, history);
        return;
    }
    words = count_words(r, history, true, &buffer, number);
    call_send(r, &with_logs_kind, history, &words);
}

static int64_t total_of(const struct resp *reply)
{
    return resp_count(resp_member(reply, "total"));
}

static void on_with_logs(struct request *r, const struct resp *reply, void *ctx)
{
    struct history *history = ctx;
    char number[NUMBER_TEXT_MAX + 1];
    struct key_buffer buffer;
    struct words words = count_words(r, history, false, &buffer, number);

    history->total -= total_of(reply);
    call_send(r, &own_kind, history, &words);
}

static void on_own(struct request *r, const struct resp *reply, void *ctx)
{
    struct history *history = ctx;

    history->total += total_of(reply);
    history->hidden_off += HIDDEN_AT_ONCE;
    take_off_hidden(r, history);
}

void history_total_begin(struct request *r, struct history *history)
{
    history->hidden = json_object();
    ask_next_log(r, history);
}
