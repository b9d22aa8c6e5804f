#include "requests/tally.h"

#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "clients/categories.h"
#include "clients/logs.h"
#include "identity/identity.h"
#include "identity/key_names.h"
#include "redis/resp.h"
#include "requests/answer.h"
#include "requests/call.h"
#include "requests/request.h"
#include "requests/request_box.h"
#include "requests/request_members.h"
#include "requests/resp_json.h"
#include "wire/json_text.h"

#define REPLY_BYTES 262144 /* of 4,096 categories, or 100 logs */
#define HIDDEN_AT_ONCE 32  /* categories in one command */

struct tally *tally_new(struct request *r, const struct logs *logs, tally_fn done)
{
    size_t bytes = sizeof(struct tally) + logs->len * sizeof(struct notify_str);
    struct tally *tally;
    char *at;

    for (size_t i = 0; i < logs->len; i++)
        bytes += logs->at[i].len;
    tally = calloc(1, bytes);
    if (tally == NULL) {
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
        return NULL;
    }
    tally->done = done;
    tally->logs_len = logs->len;
    at = (char *)(tally->logs + logs->len);
    for (size_t i = 0; i < logs->len; i++) {
        memcpy(at, logs->at[i].ptr, logs->at[i].len);
        tally->logs[i] = notify_str_of(at, logs->at[i].len);
        at += logs->at[i].len;
    }
    return tally;
}

void tally_free(void *ctx)
{
    struct tally *tally = ctx;

    json_decref(tally->badge);
    json_decref(tally->hidden);
    if (tally->ctx != NULL)
        tally->release(tally->ctx);
    free(tally);
}

static void finish(struct request *r, struct tally *tally)
{
    tally->done(r, tally);
    tally_free(tally);
}

/* LOGS n log …, if there are any. */
static void add_logs(struct words *words, const struct tally *tally,
                     char number[NUMBER_TEXT_MAX + 1])
{
    if (tally->logs_len == 0)
        return;
    words_add(words, NOTIFY_STR("LOGS"));
    words_add(words, number_text(number, (int64_t)tally->logs_len));
    for (size_t i = 0; i < tally->logs_len; i++)
        words_add(words, tally->logs[i]);
}

/* What is hidden. */

static int64_t member_of(const json_t *object, const char *name)
{
    return number_count(json_integer_value(json_object_get(object, name)));
}

/* What has changed between the two replies must not make it less than nothing. */
static void take_off(json_t *log, const struct resp *hidden, const char *name)
{
    int64_t left = member_of(log, name) - resp_count(resp_member(hidden, name));

    (void)json_object_set_new(log, name, json_integer(left > 0 ? left : 0));
}

static void send_hidden_badge(struct request *r, struct tally *tally);

/* The badge of hidden categories alone. */
static void on_hidden(struct request *r, const struct resp *reply, void *ctx)
{
    struct tally *tally = ctx;
    const struct resp *logs = resp_member(reply, "logs");

    for (size_t i = 0; logs != NULL && i + 1 < logs->len; i += 2) {
        struct notify_str name = resp_str(logs->items[i]);
        json_t *log = json_object_getn(json_object_get(tally->badge, "logs"), name.ptr, name.len);
        if (log == NULL)
            continue;
        take_off(log, logs->items[i + 1], "unread");
        take_off(log, logs->items[i + 1], "unseen");
    }
    if (tally->hidden_off < json_array_size(tally->hidden))
        send_hidden_badge(r, tally);
    else
        finish(r, tally);
}

#define TALLY_CALL(handler)                                                                        \
    {                                                                                              \
        .fn = handler, .release = tally_free, .answer_bytes = TALLY_ANSWER_BYTES,                  \
        .reply_bytes = REPLY_BYTES, .reads = true                                                  \
    }

static const struct call_kind hidden_kind = TALLY_CALL(on_hidden);

static void send_hidden_badge(struct request *r, struct tally *tally)
{
    char number[NUMBER_TEXT_MAX + 1];
    struct key_buffer buffer;
    struct words words = {.len = 2,
                          .at = {NOTIFY_STR("NOTIFY.BADGE"), request_inbox_of(r, &buffer)}};

    for (size_t i = 0; i < HIDDEN_AT_ONCE && tally->hidden_off < json_array_size(tally->hidden);
         i++) /* each behind a word of its own, as it may be called like an option */
        words_add_option(&words, NOTIFY_STR("CATEGORY"),
                         json_text_of(json_array_get(tally->hidden, tally->hidden_off++)));
    add_logs(&words, tally, number);
    call_send(r, &hidden_kind, tally, &words);
}

/* What is unread, by category, of the inbox and the logs together. */

static void note_hidden(const struct request *r, struct tally *tally, const struct resp *groups)
{
    tally->hidden = json_array();
    for (size_t i = 0; i + 1 < groups->len; i += 2) {
        struct notify_str name = resp_str(groups->items[i]);
        if (name.len > 0 && !categories_may_get(r->identity, name))
            (void)json_array_append_new(tally->hidden, json_stringn(name.ptr, name.len));
    }
}

/* Of a hidden one only what the inbox has itself, as it was. */
static void put_groups(const struct request *r, const struct tally *tally,
                       const struct resp *groups)
{
    json_t *by_category = json_object_get(tally->badge, "by_category");

    for (size_t i = 0; i + 1 < groups->len; i += 2) {
        struct notify_str name = resp_str(groups->items[i]);
        if (name.len > 0 && categories_may_get(r->identity, name))
            (void)json_object_setn_new(by_category, name.ptr, name.len,
                                       json_integer(resp_count(groups->items[i + 1])));
    }
}

static void on_groups(struct request *r, const struct resp *reply, void *ctx)
{
    struct tally *tally = ctx;

    note_hidden(r, tally, reply);
    if (tally->groups)
        put_groups(r, tally, reply);
    if (tally->badge != NULL && json_array_size(tally->hidden) > 0)
        send_hidden_badge(r, tally);
    else
        finish(r, tally);
}

static const struct call_kind groups_kind = TALLY_CALL(on_groups);

void tally_send_hidden(struct request *r, struct tally *tally)
{
    char number[NUMBER_TEXT_MAX + 1];
    struct key_buffer buffer;
    struct words words = {.len = 4,
                          .at = {NOTIFY_STR("NOTIFY.UNREAD"), request_inbox_of(r, &buffer),
                                 NOTIFY_STR("BY"), NOTIFY_STR("CATEGORY")}};

    add_logs(&words, tally, number);
    call_send(r, &groups_kind, tally, &words);
}

/* The badge. */

static bool has_unread_logs(const struct tally *tally)
{
    const json_t *log;
    const char *name;

    json_object_foreach(json_object_get(tally->badge, "logs"), name, log)
    {
        if (member_of(log, "unread") > 0)
            return true;
    }
    return false;
}

/* What speaks of entries that are hidden, perhaps. */
static void be_discreet(const struct tally *tally)
{
    static const char *const indiscreet[] = {"last", "rev", "next_expiry"};
    const char *name;
    json_t *log;

    json_object_foreach(json_object_get(tally->badge, "logs"), name, log)
    {
        for (size_t i = 0; i < sizeof(indiscreet) / sizeof(indiscreet[0]); i++)
            (void)json_object_del(log, indiscreet[i]);
    }
}

static void take_badge(struct request *r, const struct resp *reply, struct tally *tally)
{
    bool sees_all = identity_sees_all(r->identity);

    tally->badge = resp_json(reply);
    if (!json_is_object(tally->badge)) {
        answer_failed_reply(r, reply);
        tally_free(tally);
        return;
    }
    if (!sees_all)
        be_discreet(tally);
    if (has_unread_logs(tally) && (tally->groups || !sees_all))
        tally_send_hidden(r, tally);
    else
        finish(r, tally);
}

static void on_badge(struct request *r, const struct resp *reply, void *ctx)
{
    take_badge(r, reply, ctx);
}

static void on_changed(struct request *r, const struct resp *both, void *ctx)
{
    struct tally *tally = ctx;

    tally->changed += resp_count(both->items[0]);
    take_badge(r, both->items[1], tally);
}

static const struct call_kind badge_kind = TALLY_CALL(on_badge);
static const struct call_kind changed_kind = {.fn = on_changed,
                                              .release = tally_free,
                                              .answer_bytes = TALLY_ANSWER_BYTES,
                                              .reply_bytes = REPLY_BYTES};

static struct words badge_words(const struct request *r, const struct tally *tally,
                                struct key_buffer *buffer, char number[NUMBER_TEXT_MAX + 1])
{
    struct words words = {.len = 2,
                          .at = {NOTIFY_STR("NOTIFY.BADGE"), request_inbox_of(r, buffer)}};

    add_logs(&words, tally, number);
    return words;
}

void tally_send(struct request *r, struct tally *tally)
{
    char number[NUMBER_TEXT_MAX + 1];
    struct key_buffer buffer;
    struct words words = badge_words(r, tally, &buffer, number);

    call_send(r, &badge_kind, tally, &words);
}

void tally_send_behind(struct request *r, struct tally *tally, const struct words *command)
{
    char number[NUMBER_TEXT_MAX + 1];
    struct key_buffer buffer;
    struct words words = badge_words(r, tally, &buffer, number);

    call_send_two(r, &changed_kind, tally, command, &words);
}

/* For done. */

int64_t tally_own(const struct tally *tally, const char *name)
{
    return member_of(tally->badge, name);
}

int64_t tally_total(const struct tally *tally, const char *name)
{
    int64_t total = tally_own(tally, name);
    const char *key;
    const json_t *log;

    json_object_foreach(json_object_get(tally->badge, "logs"), key, log)
    {
        total += member_of(log, name);
    }
    return total;
}

json_t *tally_logs(const struct tally *tally)
{
    json_t *unread = json_object();
    const char *key;
    const json_t *log;

    json_object_foreach(json_object_get(tally->badge, "logs"), key, log)
    {
        (void)json_object_set_new(unread, key, json_integer(member_of(log, "unread")));
    }
    return unread;
}
