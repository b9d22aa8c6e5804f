#include "clients/far_follow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "notify_id.h"
#include "redis/keyspace.h"
#include "redis/resp.h"
#include "redis/resp_arena.h"

struct log {
    struct following_far *far;
    struct notify_str name;
    bool is_followed;
};

struct following_far {
    struct keyspace *keys;
    redis_reply_fn fn;
    void *ctx;
    struct notify_str inbox;
    struct resp_arena arena; /* of the error */
    const struct resp *error;
    int64_t begun;
    size_t from, to, at_once; /* the logs that are looked at */
    size_t under_way;
    bool failed, tells;
    size_t len;
    struct log logs[];
};

bool far_follow_is_far(const struct keyspace *keys, const struct far_follow *follow)
{
    for (size_t i = 0; keyspace_is_split(keys) && i < follow->len; i++)
        if (keyspace_slot(keys, follow->logs[i]) != keyspace_slot(keys, follow->inbox))
            return true;
    return false;
}

static void advance(struct following_far *far);

static void fail(struct following_far *far, const struct resp *reply)
{
    static const struct resp other = {
        .kind = RESP_ERROR, .str = NOTIFY_STR_INIT("ERR a log was answered for otherwise")};

    if (!far->failed && reply != NULL)
        far->error = resp_arena_copy(&far->arena, reply->kind == RESP_ERROR ? reply : &other);
    far->failed = true;
}

/* False: it cannot be sent. */
static bool send(struct following_far *far, redis_reply_fn fn, void *ctx, size_t argc,
                 const struct notify_str *argv)
{
    if (keyspace_command(far->keys, fn, ctx, argc, argv) != 0) {
        fail(far, NULL);
        return false;
    }
    far->under_way++;
    return true;
}

/* Beginning, where the log ends. */

static void on_begun(void *ctx, const struct resp *reply)
{
    struct following_far *far = ctx;

    far->under_way--;
    if (reply == NULL || reply->kind != RESP_INTEGER)
        fail(far, reply);
    else
        far->begun += resp_count(reply);
    advance(far);
}

static void begin_at(struct log *log, struct notify_id last)
{
    char id[NOTIFY_ID_TEXT_MAX + 1];
    const struct notify_str words[] = {NOTIFY_STR("NOTIFY.FOLLOW"),
                                       log->far->inbox,
                                       log->name,
                                       NOTIFY_STR("FROM"),
                                       notify_str_of(id, notify_id_format(id, last)),
                                       NOTIFY_STR("BYNAME"),
                                       NOTIFY_STR("NOPUBLISH")};

    (void)send(log->far, on_begun, log->far,
               sizeof(words) / sizeof(words[0]) - (log->far->tells ? 1 : 0), words);
}

/* One map for the one box, with where it ends: 0-0, if there is none. */
static void on_end(void *ctx, const struct resp *reply)
{
    struct log *log = ctx;
    struct following_far *far = log->far;
    struct notify_id last;

    far->under_way--;
    if (reply != NULL && reply->kind == RESP_ARRAY && reply->len == 1 &&
        notify_id_parse(resp_str(resp_member(reply->items[0], "last")), 0, &last))
        begin_at(log, last);
    else
        fail(far, reply);
    advance(far);
}

static void ask_ends(struct following_far *far)
{
    for (size_t i = far->from; i < far->to; i++) {
        const struct notify_str words[] = {NOTIFY_STR("NOTIFY.SINCE"), far->logs[i].name,
                                           NOTIFY_STR("$")};
        if (!far->logs[i].is_followed)
            (void)send(far, on_end, &far->logs[i], 3, words);
    }
}

/* Which it follows already. */

static void note_followed(struct following_far *far, const struct resp *cursors)
{
    for (size_t n = 0; n + 1 < cursors->len; n += 2)
        for (size_t i = far->from; i < far->to; i++)
            far->logs[i].is_followed |=
                notify_str_eq(resp_str(cursors->items[n]), far->logs[i].name);
}

static void on_cursors(void *ctx, const struct resp *reply)
{
    struct following_far *far = ctx;

    far->under_way--;
    if (resp_is_error(reply, "LIMIT") && far->to - far->from > 1) {
        far->at_once = 1; /* they are that large: one is always given */
        far->to = far->from;
    } else if (reply == NULL || (reply->kind != RESP_MAP && reply->kind != RESP_ARRAY)) {
        fail(far, reply);
    } else {
        note_followed(far, reply);
        ask_ends(far);
    }
    advance(far);
}

/* Words are asked for, which are smaller than cursors may be, and not looked at. */
static void ask_cursors(struct following_far *far)
{
    struct notify_str words[3 + FAR_FOLLOW_AT_ONCE] = {NOTIFY_STR("NOTIFY.CURSORS"), far->inbox,
                                                       NOTIFY_STR("WORDS")};
    size_t len = 3;

    far->from = far->to;
    while (far->to < far->len && far->to - far->from < far->at_once)
        words[len++] = far->logs[far->to++].name;
    (void)send(far, on_cursors, far, len, words);
}

static void advance(struct following_far *far)
{
    const struct resp begun = {.kind = RESP_INTEGER, .integer = far->begun};

    if (far->under_way == 0 && !far->failed && far->to < far->len)
        ask_cursors(far);
    if (far->under_way > 0)
        return;
    far->fn(far->ctx, far->failed ? far->error : &begun);
    resp_arena_release(&far->arena);
    free(far);
}

/* Life. */

static struct following_far *far_new(const struct far_follow *follow)
{
    size_t bytes = follow->inbox.len;
    struct following_far *far;
    char *to;

    for (size_t i = 0; i < follow->len; i++)
        bytes += follow->logs[i].len;
    far = calloc(1, sizeof(*far) + follow->len * sizeof(far->logs[0]) + bytes);
    if (far == NULL)
        return NULL;
    to = (char *)&far->logs[follow->len];
    far->inbox = notify_str_keep(&to, follow->inbox);
    far->len = follow->len;
    for (size_t i = 0; i < follow->len; i++)
        far->logs[i] = (struct log){.far = far, .name = notify_str_keep(&to, follow->logs[i])};
    far->at_once = FAR_FOLLOW_AT_ONCE;
    far->tells = follow->tells;
    return far;
}

int far_follow_begin(struct keyspace *keys, redis_reply_fn fn, void *ctx,
                     const struct far_follow *follow)
{
    struct following_far *far = far_new(follow);

    if (far == NULL)
        return -ENOMEM;
    far->keys = keys;
    far->fn = fn;
    far->ctx = ctx;
    ask_cursors(far);
    if (far->under_way > 0)
        return 0;
    free(far);
    return -ENOTCONN;
}
