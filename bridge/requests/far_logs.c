#include "requests/far_logs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "redis/keyspace.h"
#include "redis/resp.h"
#include "requests/far_private.h"

#define CURSORS_BYTES 65536 /* of a reply with words: mostly they have some hundred */

static const struct far_kind *const kinds[] = {&far_badge,    &far_unread,  &far_range,
                                               &far_revrange, &far_get,     &far_feed,
                                               &far_mark,     &far_readall, &far_seen};

static const struct far_kind *kind_of(const struct turn *turn)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (turn->argc > 1 && notify_str_eq(kinds[i]->name, turn->argv[0]))
            return kinds[i];
    return NULL;
}

bool far_logs_are_named(const struct keyspace *keys, const struct turn *turn)
{
    const struct far_kind *kind = keyspace_is_split(keys) ? kind_of(turn) : NULL;
    size_t first = 0, len = 0;

    if (kind != NULL)
        len = far_words_logs(kind->fixed, turn->argc, turn->argv, &first);
    for (size_t i = 0; i < len; i++)
        if (keyspace_slot(keys, turn->argv[first + i]) != keyspace_slot(keys, turn->argv[1]))
            return true;
    return false;
}

/* Life. */

static void far_free(struct far *far)
{
    if (far->state != NULL && far->kind->release != NULL)
        far->kind->release(far);
    resp_arena_release(&far->arena);
    resp_arena_release(&far->round);
    free(far->state);
    free(far);
}

/* The words, the copies of which lie behind. */
struct room {
    size_t words, bytes;
};

static struct room room_for(const struct turn *turn)
{
    struct room room = {.words = 2 * turn->argc};

    for (size_t i = 0; i < turn->argc; i++)
        room.bytes += turn->argv[i].len;
    return room;
}

static void keep_words(struct far *far, const struct turn *turn, struct notify_str *words)
{
    struct notify_str *kept = words + turn->argc;
    char *to = (char *)(kept + turn->argc);

    for (size_t i = 0; i < turn->argc; i++)
        words[i] = notify_str_keep(&to, turn->argv[i]);
    far_words_read(&far->words, far->kind->fixed, turn->argc, words, kept);
    far->cursors = words; /* the first ones are needed no more: args, filters and logs are kept */
}

/* NULL: out of memory. */
static struct far *far_new(struct turns *turns, const struct turn *turn)
{
    struct room room = room_for(turn);
    struct far *far = calloc(1, sizeof(*far) + room.words * sizeof(struct notify_str) + room.bytes);

    if (far == NULL)
        return NULL;
    far->kind = kind_of(turn);
    far->turns = turns;
    far->turn = *turn;
    far->at_once = FAR_LOGS_AT_ONCE;
    keep_words(far, turn, (struct notify_str *)(far + 1));
    memset(far->cursors, 0, far->words.logs_len * sizeof(far->cursors[0]));
    far->state = calloc(1, far->kind->state_bytes + 1);
    if (far->state != NULL && (far->kind->init == NULL || far->kind->init(far)))
        return far;
    far_free(far);
    return NULL;
}

/* Sending. */

struct part {
    struct far *far;
    far_fn fn;
    size_t which;
};

static void advance(struct far *far);

/* What is said first counts. */
static void fail(struct far *far, const struct resp *reply)
{
    static const struct resp other = {
        .kind = RESP_ERROR, .str = NOTIFY_STR_INIT("ERR a log was answered for otherwise")};

    if (!far->failed && reply != NULL)
        far->reply = resp_arena_copy(&far->arena, reply->kind == RESP_ERROR ? reply : &other);
    far->failed = true;
}

static void on_reply(void *ctx, const struct resp *reply)
{
    struct part part = *(struct part *)ctx;
    struct far *far = part.far;

    free(ctx);
    far->under_way--;
    if (reply == NULL || (!far->failed && !part.fn(far, part.which, reply)))
        fail(far, reply);
    advance(far);
}

/* Its turn has come, of the first command: whoever asks is told. */
static bool on_turn(void *ctx)
{
    const struct far *far = ((const struct part *)ctx)->far;

    return far->turn.on_turn(far->turn.ctx);
}

void far_send(struct far *far, far_fn fn, size_t which, const struct words *words,
              size_t reply_bytes)
{
    struct part *part = malloc(sizeof(*part));
    const struct turn turn = {.argc = words->len,
                              .argv = words->at,
                              .reply_bytes = reply_bytes,
                              .fn = on_reply,
                              .on_turn =
                                  far->has_sent || far->turn.on_turn == NULL ? NULL : on_turn,
                              .ctx = part};
    int ret = -ENOMEM;

    if (part != NULL) {
        *part = (struct part){far, fn, which};
        ret = turns_command(far->turns, &turn);
    }
    if (ret < 0) {
        free(part);
        far->error = ret;
        fail(far, NULL);
        return;
    }
    far->waits |= !far->has_sent && ret == 1;
    far->has_sent = true;
    far->under_way++;
}

struct words far_view(const struct far *far, size_t i)
{
    return (struct words){.len = 3,
                          .at = {NOTIFY_STR("NOTIFY.VIEW"), far->words.logs[i], far->cursors[i]}};
}

bool far_view_entry(const struct far *far, size_t i, struct notify_str id,
                    char text[NOTIFY_ID_TEXT_MAX + 1], struct words *ret)
{
    struct notify_id parsed;

    if (!notify_id_parse(id, 0, &parsed))
        return false;
    notify_id_format(text, parsed);
    *ret = far_view(far, i);
    words_add(ret, NOTIFY_STR("RANGE"));
    words_add(ret, notify_str_z(text));
    words_add(ret, notify_str_z(text));
    words_add(ret, NOTIFY_STR("ALL"));
    return true;
}

/* Cursors. */

static bool on_cursors(struct far *far, size_t which, const struct resp *reply)
{
    (void)which;
    if (resp_is_error(reply, "LIMIT") && far->to - far->from > 1) {
        far->at_once = 1; /* so large are they: one is always given */
        far->at = FAR_BEGIN;
        return true;
    }
    if (reply->kind != RESP_MAP && reply->kind != RESP_ARRAY)
        return false;
    for (size_t i = 0; i + 1 < reply->len; i += 2)
        for (size_t log = far->from; log < far->to; log++)
            if (notify_str_eq(resp_str(reply->items[i]), far->words.logs[log]))
                far->cursors[log] = resp_arena_str(&far->round, resp_str(reply->items[i + 1]));
    if (far->round.failed)
        fail(far, NULL);
    return true;
}

void far_ask_cursors(struct far *far)
{
    struct words words = {
        .len = 3, .at = {NOTIFY_STR("NOTIFY.CURSORS"), far->words.inbox, NOTIFY_STR("WORDS")}};

    resp_arena_release(&far->round);
    far->to = far->words.logs_len - far->from < far->at_once ? far->words.logs_len
                                                             : far->from + far->at_once;
    for (size_t i = far->from; i < far->to; i++) {
        words_add(&words, far->words.logs[i]);
        far->cursors[i] = (struct notify_str){NULL, 0};
    }
    far->at = FAR_CURSORS;
    far_send(far, on_cursors, 0, &words, CURSORS_BYTES);
}

/* The steps. */

void far_answer(struct far *far, const struct resp *reply)
{
    far->reply = far->arena.failed ? NULL : reply;
    far->answered = true;
}

static void leave_logs(struct far *far)
{
    if (far->kind->behind_logs != NULL && far->kind->behind_logs(far))
        return;
    far->from = far->to;
    if (far->from < far->words.logs_len)
        far_ask_cursors(far);
    else
        far->at = FAR_END;
}

static void step(struct far *far)
{
    switch (far->at) {
    case FAR_BEGIN:
        if (!far->has_sent && far->kind->ask_own != NULL)
            far->kind->ask_own(far);
        far_ask_cursors(far);
        break;
    case FAR_CURSORS:
        far->at = FAR_LOGS;
        for (size_t i = far->from; i < far->to; i++)
            far->kind->ask_log(far, i);
        break;
    case FAR_LOGS:
        leave_logs(far);
        break;
    case FAR_END:
        far->kind->end(far);
        break;
    }
}

/* Until something is under way, or nothing more is to be. */
static void advance(struct far *far)
{
    while (far->under_way == 0 && !far->failed && !far->answered)
        step(far);
    if (far->under_way > 0)
        return;
    far->turn.fn(far->turn.ctx, far->reply);
    far_free(far);
}

int far_logs_command(struct turns *turns, const struct turn *turn)
{
    struct far *far = far_new(turns, turn);
    int ret;

    if (far == NULL)
        return -ENOMEM;
    step(far);
    if (far->has_sent)
        return far->waits;
    ret = far->error;
    far_free(far);
    return ret;
}
