/* Several commands, one behind the other, each a row of the table of steps. What one of them is
 * refused, or is not answered since its server is away, stands in the answer, beside what the
 * others have said. */
#include "requests/admin_user.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/number.h"
#include "clients/client.h"
#include "identity/key_names.h"
#include "redis/resp.h"
#include "requests/admin_right.h"
#include "requests/answer.h"
#include "requests/call.h"
#include "requests/request.h"
#include "requests/request_members.h"
#include "requests/request_presence.h"
#include "requests/resp_json.h"

#define CONNECTIONS_SHOWN 200
#define CATEGORIES_SHOWN 100
#define LOGS_SHOWN 100
#define REPLY_BYTES 1048576 /* of cursors with very many exceptions */

struct inspection {
    json_t *answer; /* owned, as is the next */
    json_t *logs;   /* object: log, what is said about it */
    size_t step;
    bool answered; /* one of them was */
    int64_t connections;
    size_t user_len;
    char user[];
};

static void release(void *ctx)
{
    struct inspection *in = ctx;

    json_decref(in->answer);
    json_decref(in->logs);
    free(in);
}

static struct notify_str key_for(const struct request *r, const struct inspection *in,
                                 enum key_kind kind, struct key_buffer *buffer)
{
    return key_of(r->shared->keys, kind, notify_str_of(in->user, in->user_len), buffer);
}

static bool keeps_sessions(const struct request *r)
{
    return r->shared->sessions != NULL && r->shared->keys->patterns[KEY_USER_SESSIONS][0] != '\0';
}

/* Sessions. */

static bool ask_count(const struct request *r, struct inspection *in, struct words *words,
                      struct key_buffer *buffer)
{
    if (!keeps_sessions(r))
        return false;
    *words = (struct words){.len = 2, .at = {NOTIFY_STR("NOTIFY.SESSION"), NOTIFY_STR("COUNT")}};
    words_add(words, key_for(r, in, KEY_USER_SESSIONS, buffer));
    words_add(words, NOTIFY_STR("CONNECTIONS"));
    return true;
}

static void take_count(struct inspection *in, const struct resp *reply)
{
    in->connections = resp_count(reply);
    (void)json_object_set_new(in->answer, "connections", json_integer((json_int_t)in->connections));
}

static bool ask_list(const struct request *r, struct inspection *in, struct words *words,
                     struct key_buffer *buffer)
{
    if (in->connections == 0 || in->connections > REQUEST_PRESENCE_LIST_MAX)
        return false;
    *words = (struct words){.len = 2, .at = {NOTIFY_STR("NOTIFY.SESSION"), NOTIFY_STR("LIST")}};
    words_add(words, key_for(r, in, KEY_USER_SESSIONS, buffer));
    return true;
}

static void take_list(struct inspection *in, const struct resp *reply)
{
    json_t *list = json_array();

    for (size_t i = 0; i < reply->len && i < CONNECTIONS_SHOWN; i++)
        (void)json_array_append_new(list, resp_json(reply->items[i]));
    (void)json_object_set_new(in->answer, "sessions", list);
}

/* The inbox. */

static bool ask_box(const char *command, const struct request *r, struct inspection *in,
                    struct words *words, struct key_buffer *buffer)
{
    *words = (struct words){.len = 1, .at = {notify_str_z(command)}};
    words_add(words, key_for(r, in, KEY_INBOX, buffer));
    return true;
}

static bool ask_info(const struct request *r, struct inspection *in, struct words *words,
                     struct key_buffer *buffer)
{
    return ask_box("NOTIFY.INFO", r, in, words, buffer);
}

static json_t *category(const struct resp *name, const struct resp *of)
{
    struct notify_str text = resp_str(name);

    return json_pack("{s:s%, s:I, s:I, s:b}", "category", text.ptr == NULL ? "" : text.ptr,
                     text.len, "length", (json_int_t)resp_count(resp_member(of, "length")),
                     "unread", (json_int_t)resp_count(resp_member(of, "unread")), "muted",
                     resp_integer(resp_member(of, "muted"), 0) != 0);
}

static void take_info(struct inspection *in, const struct resp *reply)
{
    static const char *const numbers[] = {"length", "unread", "unseen", "rev", "bytes"};
    static const char *const texts[] = {"first", "last", "trimmed"};
    const struct resp *categories = resp_member(reply, "categories");
    json_t *box = json_object(), *list = json_array();

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        (void)json_object_set_new(
            box, numbers[i],
            json_integer((json_int_t)resp_integer(resp_member(reply, numbers[i]), 0)));
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct notify_str text = resp_str(resp_member(reply, texts[i]));
        (void)json_object_set_new(box, texts[i], json_stringn(text.ptr, text.len));
    }
    for (size_t i = 0; categories != NULL && i + 1 < categories->len && i / 2 < CATEGORIES_SHOWN;
         i += 2)
        (void)json_array_append_new(list, category(categories->items[i], categories->items[i + 1]));
    (void)json_object_set_new(box, "categories", list);
    (void)json_object_set_new(
        box, "categories_whole",
        json_boolean(categories == NULL || categories->len / 2 <= CATEGORIES_SHOWN));
    (void)json_object_set_new(in->answer, "box", box);
}

static bool ask_verify(const struct request *r, struct inspection *in, struct words *words,
                       struct key_buffer *buffer)
{
    return json_is_object(json_object_get(in->answer, "box")) &&
           ask_box("NOTIFY.VERIFY", r, in, words, buffer);
}

static void take_verify(struct inspection *in, const struct resp *reply)
{
    const struct resp *unread = resp_member(reply, "unread");
    int64_t counted = unread != NULL && unread->len == 2 ? resp_integer(unread->items[1], -1) : -1;

    (void)json_object_set_new(in->answer, "recount",
                              json_pack("{s:b, s:I}", "sound",
                                        resp_integer(resp_member(reply, "sound"), 0) != 0, "unread",
                                        (json_int_t)counted));
}

/* Logs. */

static bool ask_cursors(const struct request *r, struct inspection *in, struct words *words,
                        struct key_buffer *buffer)
{
    return json_is_object(json_object_get(in->answer, "box")) &&
           ask_box("NOTIFY.CURSORS", r, in, words, buffer);
}

static json_t *cursor(struct notify_str log, const struct resp *of)
{
    static const char *const texts[] = {"start", "read", "seen"};
    static const char *const exceptions[] = {"read_ids", "unread_ids", "archived_ids"};
    json_t *ret = json_pack("{s:s%}", "log", log.ptr, log.len);

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct notify_str text = resp_str(resp_member(of, texts[i]));
        (void)json_object_set_new(ret, texts[i], json_stringn(text.ptr, text.len));
    }
    for (size_t i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++) {
        const struct resp *ids = resp_member(of, exceptions[i]);
        (void)json_object_set_new(ret, exceptions[i],
                                  json_integer(ids == NULL ? 0 : (json_int_t)ids->len));
    }
    return ret;
}

static void take_cursors(struct inspection *in, const struct resp *reply)
{
    for (size_t i = 0; i + 1 < reply->len && i / 2 < LOGS_SHOWN; i += 2) {
        struct notify_str log = resp_str(reply->items[i]);
        if (log.len > 0)
            (void)json_object_setn_new(in->logs, log.ptr, log.len,
                                       cursor(log, reply->items[i + 1]));
    }
    (void)json_object_set_new(in->answer, "logs_whole", json_boolean(reply->len / 2 <= LOGS_SHOWN));
}

/* Names stand in in->logs, which stays as it is until the command has been sent. */
static bool ask_badge(const struct request *r, struct inspection *in, struct words *words,
                      struct key_buffer *buffer)
{
    static char count[NUMBER_TEXT_MAX + 1];

    if (json_object_size(in->logs) == 0)
        return false;
    (void)ask_box("NOTIFY.BADGE", r, in, words, buffer);
    words_add(words, NOTIFY_STR("LOGS"));
    words_add(words, number_text(count, (int64_t)json_object_size(in->logs)));
    for (void *at = json_object_iter(in->logs); at != NULL;
         at = json_object_iter_next(in->logs, at))
        words_add(words, notify_str_of(json_object_iter_key(at), json_object_iter_key_len(at)));
    return true;
}

static void take_badge(struct inspection *in, const struct resp *reply)
{
    const struct resp *logs = resp_member(reply, "logs");

    for (size_t i = 0; logs != NULL && i + 1 < logs->len; i += 2) {
        struct notify_str log = resp_str(logs->items[i]);
        json_t *of = json_object_getn(in->logs, log.ptr, log.len);
        if (of != NULL)
            (void)json_object_set_new(
                of, "unread",
                json_integer((json_int_t)resp_count(resp_member(logs->items[i + 1], "unread"))));
    }
}

/* All of it. */

static const struct step {
    const char *name; /* as it is called where it has failed */
    /* False: there is nothing to ask. */
    bool (*ask)(const struct request *r, struct inspection *in, struct words *words,
                struct key_buffer *buffer);
    void (*take)(struct inspection *in, const struct resp *reply);
    const char *no_fault; /* an error that is an answer: there is none */
} steps[] = {
    {"connections", ask_count, take_count, NULL},
    {"sessions", ask_list, take_list, NULL},
    {"box", ask_info, take_info, "ERR no such key"},
    {"recount", ask_verify, take_verify, "ERR no such key"},
    {"cursors", ask_cursors, take_cursors, NULL},
    {"logs", ask_badge, take_badge, NULL},
};
#define STEPS (sizeof(steps) / sizeof(steps[0]))

static void go_on(struct request *r, struct inspection *in);

/* reply: NULL: there is none. */
static void note_fault(struct inspection *in, const struct step *step, const struct resp *reply)
{
    static const struct resp away = {.kind = RESP_ERROR, .str = NOTIFY_STR_INIT("Redis is away")};

    if (reply == NULL)
        reply = &away;
    if (step->no_fault != NULL && notify_str_eq(reply->str, notify_str_z(step->no_fault)))
        return;
    (void)json_object_set_new(json_object_get(in->answer, "faults"), step->name,
                              json_stringn(reply->str.ptr, reply->str.len));
}

static void on_reply(struct request *r, const struct resp *reply, void *ctx)
{
    struct inspection *in = ctx;
    const struct step *step = &steps[in->step++];

    if (r->responder->is_gone(r)) {
        release(in);
        return;
    }
    in->answered |= reply != NULL;
    if (reply == NULL || reply->kind == RESP_ERROR)
        note_fault(in, step, reply);
    else
        step->take(in, reply);
    go_on(r, in);
}

static const struct call_kind kind = {.fn = on_reply,
                                      .release = release,
                                      .answer_bytes = CALL_SMALL_ANSWER,
                                      .reply_bytes = REPLY_BYTES,
                                      .reads = true,
                                      .whatever = true};

static void answer(struct request *r, struct inspection *in)
{
    json_t *logs;

    if (!in->answered) {
        answer_error(r, ANSWER_UNAVAILABLE, NULL, "Redis is away; nothing was done");
        release(in);
        return;
    }
    logs = json_array();
    for (void *at = json_object_iter(in->logs); at != NULL;
         at = json_object_iter_next(in->logs, at))
        (void)json_array_append(logs, json_object_iter_value(at));
    (void)json_object_set_new(in->answer, "logs", logs);
    answer_json(r, json_incref(in->answer));
    release(in);
}

static void go_on(struct request *r, struct inspection *in)
{
    struct key_buffer buffer;
    struct words words;

    for (; in->step < STEPS; in->step++)
        if (steps[in->step].ask(r, in, &words, &buffer)) {
            call_send(r, &kind, in, &words);
            return;
        }
    answer(r, in);
}

void admin_handle_user(struct request *r)
{
    struct notify_str user = request_text(r, "user_id"), key;
    struct key_buffer buffer;
    struct inspection *in;

    if (!admin_may(r, "look"))
        return;
    in = malloc(sizeof(*in) + user.len);
    if (in == NULL) {
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
        return;
    }
    *in = (struct inspection){.logs = json_object(), .user_len = user.len};
    memcpy(in->user, user.ptr, user.len);
    key = key_for(r, in, KEY_INBOX, &buffer);
    in->answer = json_pack("{s:s, s:s%, s:s%, s:b, s:n, s:n, s:n, s:{}}", "type", "user", "user_id",
                           user.ptr, user.len, "key", key.ptr, key.len, "keeps_sessions",
                           keeps_sessions(r), "box", "recount", "sessions", "faults");
    go_on(r, in);
}
