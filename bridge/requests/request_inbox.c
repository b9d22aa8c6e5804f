/* request_inbox -- the state of the client's own inbox, and of the logs that it follows: marks,
 * deletion, mutes, counts. */
#include "requests/request_handlers.h"

#include <string.h>

#include "base/counters.h"
#include "base/number.h"
#include "clients/categories.h"
#include "clients/client.h"
#include "clients/logs.h"
#include "identity/identity.h"
#include "requests/answer.h"
#include "requests/box_info.h"
#include "requests/call.h"
#include "requests/marked.h"
#include "requests/marking.h"
#include "requests/request.h"
#include "requests/request_box.h"
#include "requests/request_members.h"
#include "requests/tally.h"
#include "redis/resp.h"
#include "wire/json_text.h"

/* Of by_category, and of logs, in an unread_count. A box may have 4,096 categories, each with a
 * name that is six times as long in JSON: then the answer says everything else. */
#define BADGE_MEMBER_BYTES 65536

static const struct logs no_logs = {.len = 0};

static struct notify_str none(void)
{
    return (struct notify_str){NULL, 0};
}

static struct logs only(struct notify_str log)
{
    return (struct logs){.len = 1, .at = {log}};
}

static void release_json(void *json)
{
    json_decref(json);
}

/* json is what the tally's owner needs at the end; it is taken over. */
static void keep(struct tally *tally, json_t *json)
{
    tally->ctx = json;
    tally->release = release_json;
}

/* How many have been seen, or read, is known to whoever operates this. */
static void count_marked(const struct request *r, int64_t changed)
{
    static const struct {
        const char *type;
        enum counter counter;
        void (*note)(const struct marked *marked, int64_t changed, const struct loop *loop);
    } counted[] = {{"mark_read", COUNTER_MARKED_READ, marked_read},
                   {"mark_all_read", COUNTER_MARKED_READ, marked_read},
                   {"mark_seen", COUNTER_MARKED_SEEN, marked_seen}};

    for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++) {
        if (strcmp(r->type->name, counted[i].type) != 0)
            continue;
        counter_add(counted[i].counter, (uint64_t)changed);
        counted[i].note(r->marked, changed, r->shared->senders.loop);
    }
}

/* The answer to a change. */

static void answer_change(struct request *r, struct tally *tally)
{
    json_t *logs = tally->logs_len == 0 ? NULL : tally_logs(tally);

    count_marked(r, tally->changed);
    answer_json(r, json_pack("{s:s, s:I, s:O, s:o*}", "type", "ok", "changed",
                             (json_int_t)tally->changed, "unread",
                             json_object_get(tally->badge, "unread"), "logs", logs));
}

/* One command does it all, and answers how many entries have changed. */
static void change_at_once(struct request *r, const struct words *change, const struct logs *logs)
{
    struct tally *tally = tally_new(r, logs, answer_change);

    if (tally != NULL)
        tally_send_behind(r, tally, change);
}

/* Of the inbox alone there is no more to know than its count. */

static void on_changed(struct request *r, const struct resp *both, void *ctx)
{
    int64_t changed = resp_count(both->items[0]);

    (void)ctx;
    count_marked(r, changed);
    answer_json(r, json_pack("{s:s, s:I, s:I}", "type", "ok", "changed", (json_int_t)changed,
                             "unread", (json_int_t)resp_count(both->items[1])));
}

static const struct call_kind change_kind = {.fn = on_changed, .answer_bytes = CALL_SMALL_ANSWER};

static void change_inbox(struct request *r, const struct words *change)
{
    struct key_buffer buffer;
    struct words count = {.len = 2,
                          .at = {NOTIFY_STR("NOTIFY.UNREAD"), request_inbox_of(r, &buffer)}};

    call_send_two(r, &change_kind, NULL, change, &count);
}

/* mark_read, mark_unread, archive, unarchive, delete_notification: entries that are named. */

struct mark {
    const char *type;
    struct notify_str state;
};

/* An entry of a log is everybody's: who deletes it does not see it any more. */
static const struct mark marks[] = {
    {"mark_read", NOTIFY_STR_INIT("READ")},
    {"mark_unread", NOTIFY_STR_INIT("UNREAD")},
    {"archive", NOTIFY_STR_INIT("ARCHIVED")},
    {"unarchive", NOTIFY_STR_INIT("UNARCHIVED")},
    {"delete_notification", NOTIFY_STR_INIT("ARCHIVED")},
};

static struct notify_str state_of(const struct request *r)
{
    size_t i = 0;

    while (strcmp(marks[i].type, r->type->name) != 0)
        i++;
    return marks[i].state;
}

/* "id" or "ids". */
static void add_ids(const struct request *r, struct words *words)
{
    const json_t *item;
    size_t i;

    if (request_text(r, "id").len > 0)
        words_add(words, request_text(r, "id"));
    json_array_foreach(request_value(r, "ids")->json, i, item)
    {
        words_add(words, json_text_of(item));
    }
}

static void change_hidden_ids(struct request *r, struct notify_str log)
{
    struct notify_str id = request_text(r, "id");
    struct logs logs = only(log);
    struct tally *tally = tally_new(r, &logs, answer_change);
    json_t *ids =
        id.len > 0 ? json_pack("[s%]", id.ptr, id.len) : json_incref(request_value(r, "ids")->json);

    if (tally != NULL)
        marking_ids(r, tally, state_of(r), ids);
    json_decref(ids);
}

static void change_ids(struct request *r, struct words *words)
{
    struct notify_str log;
    struct logs logs;

    if (!request_takes_log(r, &log))
        return;
    if (log.len > 0 && !identity_sees_all(r->identity)) {
        change_hidden_ids(r, log);
        return;
    }
    add_ids(r, words);
    words_add_option(words, NOTIFY_STR("LOG"), log);
    logs = only(log);
    if (log.len > 0)
        change_at_once(r, words, &logs);
    else
        change_inbox(r, words);
}

void request_handle_mark(struct request *r)
{
    struct key_buffer buffer;
    struct words words = {
        .len = 3, .at = {NOTIFY_STR("NOTIFY.MARK"), request_inbox_of(r, &buffer), state_of(r)}};

    if (strcmp(r->type->name, "mark_read") == 0)
        r->marked = marked_new(request_text(r, "id"), request_value(r, "ids")->json);
    change_ids(r, &words);
}

void request_handle_delete(struct request *r)
{
    struct key_buffer buffer;
    struct notify_str inbox = request_inbox_of(r, &buffer), log = request_text(r, "log");
    struct words words = {.len = 2, .at = {NOTIFY_STR("NOTIFY.DEL"), inbox}};

    if (log.len > 0 && !notify_str_eq(log, inbox))
        request_handle_mark(r);
    else
        change_ids(r, &words);
}

/* mark_all_read, mark_seen: all entries, of the inbox and its logs or of one of them. */

struct sweep {
    const char *type;
    struct notify_str command, state, filter;
};

static const struct sweep sweeps[] = {
    {"mark_all_read", NOTIFY_STR_INIT("NOTIFY.READALL"), NOTIFY_STR_INIT("READ"),
     NOTIFY_STR_INIT("UNREAD")},
    {"mark_seen", NOTIFY_STR_INIT("NOTIFY.SEEN"), NOTIFY_STR_INIT("SEEN"),
     NOTIFY_STR_INIT("UNSEEN")},
};

static const struct sweep *sweep_of(const struct request *r)
{
    size_t i = 0;

    while (strcmp(sweeps[i].type, r->type->name) != 0)
        i++;
    return &sweeps[i];
}

static struct notify_str category_of(const struct request *r)
{
    return sweep_of(r) == &sweeps[0] ? request_text(r, "category") : none();
}

/* NOTIFY.READALL or NOTIFY.SEEN of the inbox, of a log, or of all of them. */
static struct words sweep_words(const struct request *r, struct key_buffer *buffer)
{
    struct words words = {.len = 2, .at = {sweep_of(r)->command, request_inbox_of(r, buffer)}};

    words_add_option(&words, NOTIFY_STR("UPTO"), request_text(r, "upto"));
    words_add_option(&words, NOTIFY_STR("CATEGORY"), category_of(r));
    return words;
}

static void add_logs(struct words *words, const struct logs *logs, char number[NUMBER_TEXT_MAX + 1])
{
    if (logs->len == 0)
        return;
    words_add(words, NOTIFY_STR("LOGS"));
    words_add(words, number_text(number, (int64_t)logs->len));
    for (size_t i = 0; i < logs->len; i++)
        words_add(words, logs->at[i]);
}

/* The one that is named, or all: these with the inbox. */
static const struct logs *logs_meant(const struct request *r, struct notify_str log,
                                     struct logs *one)
{
    if (log.len > 0)
        *one = only(log);
    return log.len > 0 ? one : logs_of(r->shared, r->identity);
}

static void sweep_at_once(struct request *r, struct notify_str log, const struct logs *logs)
{
    char number[NUMBER_TEXT_MAX + 1];
    struct key_buffer buffer;
    struct words words = sweep_words(r, &buffer);

    words_add_option(&words, NOTIFY_STR("LOG"), log);
    if (log.len == 0)
        add_logs(&words, logs, number);
    change_at_once(r, &words, logs);
}

/* Something in the logs is hidden, or nothing is. What the request held is kept in ctx. */

static void on_inbox_swept(struct request *r, const struct resp *reply, void *ctx);

static const struct call_kind inbox_swept_kind = {
    .fn = on_inbox_swept, .release = tally_free, .answer_bytes = TALLY_ANSWER_BYTES};

static struct notify_str kept(const struct tally *tally, const char *name)
{
    return json_text_of(json_object_get(tally->ctx, name));
}

static const struct sweep *sweep_kept(const struct tally *tally)
{
    return &sweeps[json_integer_value(json_object_get(tally->ctx, "sweep"))];
}

static void mark_shown(struct request *r, struct tally *tally)
{
    const struct sweep *sweep = sweep_kept(tally);

    marking_all(r, tally, sweep->state, sweep->filter, kept(tally, "upto"));
}

static void on_inbox_swept(struct request *r, const struct resp *reply, void *ctx)
{
    struct tally *tally = ctx;

    tally->changed += resp_count(reply);
    mark_shown(r, tally);
}

/* Takes tally over. */
static void sweep_inbox(struct request *r, struct tally *tally)
{
    struct key_buffer buffer;
    struct words words = {.len = 2,
                          .at = {sweep_kept(tally)->command, request_inbox_of(r, &buffer)}};

    words_add_option(&words, NOTIFY_STR("UPTO"), kept(tally, "upto"));
    call_send(r, &inbox_swept_kind, tally, &words);
}

/* Nothing is hidden: one command does it. */
static void sweep_all(struct request *r, struct tally *tally)
{
    char number[NUMBER_TEXT_MAX + 1];
    struct key_buffer buffer;
    struct logs logs = {.len = tally->logs_len};
    struct words words = {.len = 2,
                          .at = {sweep_kept(tally)->command, request_inbox_of(r, &buffer)}};

    memcpy(logs.at, tally->logs, tally->logs_len * sizeof(logs.at[0]));
    words_add_option(&words, NOTIFY_STR("UPTO"), kept(tally, "upto"));
    if (json_is_true(json_object_get(tally->ctx, "one")))
        words_add_option(&words, NOTIFY_STR("LOG"), logs.at[0]);
    else
        add_logs(&words, &logs, number);
    tally_send_behind(r, tally, &words);
}

/* The same tally goes on: what was asked before was only what is hidden. */
static void on_hidden_known(struct request *r, struct tally *asked)
{
    struct logs logs = {.len = asked->logs_len};
    struct tally *tally;

    memcpy(logs.at, asked->logs, asked->logs_len * sizeof(logs.at[0]));
    tally = tally_new(r, &logs, answer_change);
    if (tally == NULL)
        return;
    keep(tally, json_incref(asked->ctx));
    if (json_array_size(asked->hidden) == 0)
        sweep_all(r, tally);
    else if (json_is_true(json_object_get(tally->ctx, "one")))
        mark_shown(r, tally);
    else
        sweep_inbox(r, tally);
}

static void sweep_shown(struct request *r, struct notify_str log, const struct logs *logs)
{
    struct tally *tally = tally_new(r, logs, on_hidden_known);
    struct notify_str upto = request_text(r, "upto");

    if (tally == NULL)
        return;
    keep(tally, json_pack("{s:i, s:b, s:s%}", "sweep", (int)(sweep_of(r) - sweeps), "one",
                          log.len > 0, "upto", upto.len == 0 ? "" : upto.ptr, upto.len));
    tally_send_hidden(r, tally);
}

/* A category that may not be seen in logs is marked in the inbox alone. */
static void sweep_logs(struct request *r, struct notify_str log)
{
    struct notify_str category = category_of(r);
    struct logs one;
    const struct logs *logs = logs_meant(r, log, &one);
    bool hidden = category.len > 0 && !categories_may_get(r->identity, category);

    if (hidden && log.len > 0)
        answer_lacks_right(r, "category", RIGHT_CATEGORIES, category);
    else if (hidden)
        sweep_at_once(r, log, &no_logs);
    else if (category.len > 0 || identity_sees_all(r->identity))
        sweep_at_once(r, log, logs);
    else
        sweep_shown(r, log, logs);
}

void request_handle_sweep(struct request *r)
{
    struct key_buffer buffer, inbox_buffer;
    struct words words = sweep_words(r, &buffer);
    struct notify_str log;

    if (!request_takes_log(r, &log))
        return;
    if (strcmp(r->type->name, "mark_seen") == 0)
        r->marked = marked_new(request_text(r, "upto"), NULL);
    if (log.len == 0 && notify_str_eq(request_text(r, "log"), request_inbox_of(r, &inbox_buffer)))
        change_inbox(r, &words);
    else
        sweep_logs(r, log);
}

/* mute, unmute */

void request_handle_mute(struct request *r)
{
    struct key_buffer buffer;
    struct words words = {
        .len = 3,
        .at = {r->type->name[0] == 'm' ? NOTIFY_STR("NOTIFY.MUTE") : NOTIFY_STR("NOTIFY.UNMUTE"),
               request_inbox_of(r, &buffer), request_text(r, "category")}};

    if (request_has_inbox(r))
        change_at_once(r, &words, logs_of(r->shared, r->identity));
}

/* unread_count */

static void bound_member(json_t *answer, const char *name)
{
    if (json_dumpb(json_object_get(answer, name), NULL, 0, JSON_COMPACT) > BADGE_MEMBER_BYTES)
        (void)json_object_set_new(answer, name, json_null());
}

static void answer_count(struct request *r, struct tally *tally)
{
    json_t *answer = tally->badge;

    (void)json_object_set_new(answer, "total", json_integer(tally_total(tally, "unread")));
    (void)json_object_set_new(answer, "total_unseen", json_integer(tally_total(tally, "unseen")));
    if (json_object_get(answer, "logs") == NULL)
        (void)json_object_set_new(answer, "logs", json_object());
    (void)json_object_set(answer, "muted", tally->ctx);
    bound_member(answer, "by_category"); /* a prank of a sender's */
    bound_member(answer, "logs");
    bound_member(answer, "muted");
    (void)json_object_set_new(answer, "type", json_string("unread_count"));
    answer_json(r, json_incref(answer));
}

static void on_muted_known(struct request *r, json_t *muted)
{
    struct tally *tally = tally_new(r, logs_of(r->shared, r->identity), answer_count);

    if (tally == NULL) {
        json_decref(muted);
        return;
    }
    tally->groups = true;
    keep(tally, muted);
    tally_send(r, tally);
}

static void on_info(struct request *r, const struct resp *reply, void *ctx)
{
    (void)ctx;
    if (box_info_is_answer(reply))
        on_muted_known(r, box_info_categories(reply, "muted"));
    else
        answer_failed_reply(r, reply);
}

static const struct call_kind info_kind = {.fn = on_info,
                                           .answer_bytes = 4 * BADGE_MEMBER_BYTES,
                                           .reply_bytes = BOX_INFO_BYTES,
                                           .reads = true,
                                           .takes_errors = true};

void request_handle_unread_count(struct request *r)
{
    struct key_buffer buffer;
    struct words words = {.len = 2,
                          .at = {NOTIFY_STR("NOTIFY.INFO"), request_inbox_of(r, &buffer)}};

    if (request_has_inbox(r))
        call_send(r, &info_kind, NULL, &words);
}
