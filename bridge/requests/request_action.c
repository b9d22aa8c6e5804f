/* request_action -- action_done: what an entry asked for has been done (docs/protocol.md,
 * "Actions").
 *
 * The entry is read, and an event in the inbox says so to all of the user's devices, now and when
 * they come back; one for each entry, the latest. */
#include "requests/request_handlers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/counters.h"
#include "base/hash.h"
#include "clients/client.h"
#include "clients/logs.h"
#include "redis/resp.h"
#include "redis/turns.h"
#include "requests/answer.h"
#include "requests/call.h"
#include "requests/item.h"
#include "requests/marked.h"
#include "requests/request.h"
#include "requests/request_box.h"
#include "requests/request_members.h"
#include "requests/tally.h"
#include "wire/json_text.h"

#define ANSWER_BYTES 4096 /* a log's name may be six times as long in JSON */

struct action {
    json_t *what; /* owned: {notification_id, log?, name?}. An "id" in it could be
                   * the event's own by chance, as of a notification */
    char *data;   /* owned: its text; or NULL */
    char token[NOTIFY_TOKEN_MAX + 1];
};

static void action_free(void *ctx)
{
    struct action *action = ctx;

    json_decref(action->what);
    free(action->data);
    free(action);
}

static struct notify_str member_of(const struct action *action, const char *name)
{
    return json_text_of(json_object_get(action->what, name));
}

static void on_entry(struct request *r, const struct resp *reply, void *ctx);
static void on_done(struct request *r, const struct resp *both, void *ctx);

static const struct call_kind entry_kind = {.fn = on_entry,
                                            .release = action_free,
                                            .answer_bytes = ANSWER_BYTES,
                                            .reply_bytes = TURNS_ENTRIES_BYTES / TURNS_ENTRIES};
static const struct call_kind done_kind = {
    .fn = on_done, .release = action_free, .answer_bytes = ANSWER_BYTES};

/* The counts that this leaves. */

static void answer_done(struct request *r, struct tally *tally)
{
    json_t *logs = tally->logs_len == 0 ? NULL : tally_logs(tally);

    answer_json(r, json_pack("{s:s, s:O, s:I, s:O, s:o*}", "type", "ok", "id", tally->ctx,
                             "changed", (json_int_t)tally->changed, "unread",
                             json_object_get(tally->badge, "unread"), "logs", logs));
}

static void release_id(void *id)
{
    json_decref(id);
}

static void count_read(const struct request *r, const struct action *action, int64_t changed)
{
    counter_add(COUNTER_MARKED_READ, (uint64_t)changed);
    marked_one_read(member_of(action, "notification_id"), changed, r->shared->senders.loop);
}

static void on_done(struct request *r, const struct resp *both, void *ctx)
{
    struct action *action = ctx;
    struct notify_str id = resp_str(both->items[1]), log = member_of(action, "log");
    struct logs logs = {.len = log.len > 0, .at = {log}};
    struct tally *tally = tally_new(r, &logs, answer_done);

    if (tally != NULL)
        count_read(r, action, resp_count(both->items[0]));
    action_free(action);
    if (tally == NULL)
        return;
    tally->changed = resp_count(both->items[0]);
    tally->ctx = json_stringn(id.ptr == NULL ? "" : id.ptr, id.len);
    tally->release = release_id;
    tally_send(r, tally);
}

/* The entry is there: it is read, and the others are told. */
static void tell(struct request *r, struct action *action)
{
    struct key_buffer buffer;
    struct notify_str inbox = request_inbox_of(r, &buffer);
    struct words read = {.len = 4,
                         .at = {NOTIFY_STR("NOTIFY.MARK"), inbox, NOTIFY_STR("READ"),
                                member_of(action, "notification_id")}};
    struct words event = {.len = 7,
                          .at = {NOTIFY_STR("NOTIFY.EVENT"), inbox, NOTIFY_STR("action_done"),
                                 NOTIFY_STR("DATA"), notify_str_z(action->data),
                                 NOTIFY_STR("COLLAPSE"), notify_str_z(action->token)}};

    words_add_option(&read, NOTIFY_STR("LOG"), member_of(action, "log"));
    call_send_two(r, &done_kind, action, &read, &event);
}

static bool may_be_done(const struct request *r, const struct resp *reply)
{
    struct key_buffer buffer;
    struct item item;

    return reply->kind == RESP_ARRAY && reply->len == 1 &&
           item_read(reply->items[0], request_inbox_of(r, &buffer), &item) &&
           item_is_shown(r, &item);
}

static void on_entry(struct request *r, const struct resp *reply, void *ctx)
{
    if (may_be_done(r, reply)) {
        tell(r, ctx);
        return;
    }
    answer_error(r, ANSWER_NOT_FOUND, "id", "there is no such entry");
    action_free(ctx);
}

/* A log's name may be longer than a token: its hash stands for it, the same on all bridges. */
static void make_token(struct action *action, const char *id, struct notify_str log)
{
    static const struct hash_key key = {0, 0};

    (void)snprintf(action->token, sizeof(action->token), "action_done:%s:%016" PRIx64, id,
                   log.len == 0 ? 0 : hash_bytes(&key, log)); /* there is room */
}

/* A new string; NULL, and so left out, if there is none. */
static json_t *json_of(struct notify_str text)
{
    return text.len == 0 ? NULL : json_stringn(text.ptr, text.len);
}

static struct action *action_new(const struct request *r, struct notify_str log)
{
    struct action *action = calloc(1, sizeof(*action));
    char id[NOTIFY_ID_TEXT_MAX + 1];

    if (action == NULL)
        return NULL;
    notify_id_format(id, request_value(r, "id")->id);
    action->what = json_pack("{s:s, s:o*, s:o*}", "notification_id", id, "log", json_of(log),
                             "name", json_of(request_text(r, "name")));
    action->data = json_dumps(action->what, JSON_COMPACT);
    if (action->data == NULL) {
        action_free(action);
        return NULL;
    }
    make_token(action, id, log);
    return action;
}

void request_handle_action_done(struct request *r)
{
    struct key_buffer buffer;
    struct words words = {
        .len = 3,
        .at = {NOTIFY_STR("NOTIFY.GET"), request_inbox_of(r, &buffer), request_text(r, "id")}};
    struct action *action;
    struct notify_str log;

    if (!request_takes_log(r, &log))
        return;
    action = action_new(r, log);
    if (action == NULL) {
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
        return;
    }
    words_add_option(&words, NOTIFY_STR("LOG"), log);
    words_add(&words, NOTIFY_STR("JSON"));
    call_send(r, &entry_kind, action, &words);
}
