/* request_inbox -- the state of the client's own inbox: marks, deletion, counts. */
#include "requests/request_handlers.h"

#include "requests/call.h"
#include "requests/answer.h"
#include "requests/request.h"
#include "wire/json_text.h"
#include "requests/request_members.h"
#include "redis/resp.h"

/* Of an unread_count. A box may have 4,096 categories, each with a name that is six times as long
 * in JSON: then the answer says everything but by_category. */
#define BADGE_ANSWER_BYTES 65536

/* mark_read, mark_all_read, mark_seen, archive, delete_notification: a command that changes the
 * inbox and answers how many entries, then the count that it leaves. */

static void on_changed(struct request *r, const struct resp *both, void *ctx)
{
    (void)ctx;
    answer_json(r, json_pack("{s:s, s:I, s:I}", "type", "ok", "changed",
                             (json_int_t)resp_integer(both->items[0], 0), "unread",
                             (json_int_t)resp_integer(both->items[1], 0)));
}

static const struct call_kind change_kind = {.fn = on_changed, .answer_bytes = CALL_SMALL_ANSWER};

static void change_inbox(struct request *r, const struct words *change, struct notify_str key)
{
    struct words count = {.len = 2, .at = {NOTIFY_STR("NOTIFY.UNREAD"), key}};

    if (request_has_inbox(r))
        call_send_two(r, &change_kind, NULL, change, &count);
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

static void change_ids(struct request *r, struct notify_str command, struct notify_str mark)
{
    struct key_buffer buffer;
    struct notify_str key = request_inbox_of(r, &buffer);
    struct words words = {.len = 2, .at = {command, key}};

    if (mark.len > 0)
        words_add(&words, mark);
    add_ids(r, &words);
    change_inbox(r, &words, key);
}

void request_handle_mark_read(struct request *r)
{
    change_ids(r, NOTIFY_STR("NOTIFY.READ"), (struct notify_str){NULL, 0});
}

void request_handle_archive(struct request *r)
{
    change_ids(r, NOTIFY_STR("NOTIFY.MARK"), NOTIFY_STR("ARCHIVED"));
}

void request_handle_delete(struct request *r)
{
    change_ids(r, NOTIFY_STR("NOTIFY.DEL"), (struct notify_str){NULL, 0});
}

void request_handle_mark_all_read(struct request *r)
{
    struct key_buffer buffer;
    struct notify_str key = request_inbox_of(r, &buffer);
    struct words words = {.len = 2, .at = {NOTIFY_STR("NOTIFY.READALL"), key}};

    words_add_option(&words, NOTIFY_STR("UPTO"), request_text(r, "upto"));
    words_add_option(&words, NOTIFY_STR("CATEGORY"), request_text(r, "category"));
    change_inbox(r, &words, key);
}

void request_handle_mark_seen(struct request *r)
{
    struct key_buffer buffer;
    struct notify_str key = request_inbox_of(r, &buffer);
    struct words words = {.len = 2, .at = {NOTIFY_STR("NOTIFY.SEEN"), key}};

    words_add_option(&words, NOTIFY_STR("UPTO"), request_text(r, "upto"));
    change_inbox(r, &words, key);
}

/* unread_count */

static json_t *json_of(const struct resp *reply)
{
    json_t *value = NULL;

    if (reply->kind == RESP_INTEGER)
        return json_integer((json_int_t)reply->integer);
    if (reply->kind == RESP_STRING)
        return json_stringn(reply->str.ptr, reply->str.len);
    if (reply->kind != RESP_MAP && reply->kind != RESP_ARRAY)
        return json_null();
    value = json_object();
    for (size_t i = 0; i + 1 < reply->len; i += 2) {
        struct notify_str name = resp_str(reply->items[i]);
        (void)json_object_setn_new(value, name.ptr == NULL ? "" : name.ptr, name.len,
                                   json_of(reply->items[i + 1]));
    }
    return value;
}

static void on_badge(struct request *r, const struct resp *reply, void *ctx)
{
    json_t *answer = json_of(reply);

    (void)ctx;
    if (!json_is_object(answer)) {
        answer_failed_reply(r, reply);
        json_decref(answer);
        return;
    }
    if (json_dumpb(answer, NULL, 0, JSON_COMPACT) > BADGE_ANSWER_BYTES) /* a prank of a sender's */
        (void)json_object_set_new(answer, "by_category", json_null());
    (void)json_object_set_new(answer, "type", json_string("unread_count"));
    answer_json(r, answer);
}

static const struct call_kind badge_kind = {
    .fn = on_badge, .answer_bytes = BADGE_ANSWER_BYTES + CALL_SMALL_ANSWER, .reads = true};

void request_handle_unread_count(struct request *r)
{
    struct key_buffer buffer;
    struct words words = {.len = 2,
                          .at = {NOTIFY_STR("NOTIFY.BADGE"), request_inbox_of(r, &buffer)}};

    if (request_has_inbox(r))
        call_send(r, &badge_kind, NULL, &words);
}
