/* cmd_follow -- NOTIFY.FOLLOW, UNFOLLOW and CURSORS: inboxes that follow logs, so that a
 * broadcast is stored once and counted for each.
 *
 * FOLLOW is replicated log by log with the id that it starts from. Following and leaving a log is a
 * change of its own: each raises rev and has its message. */
#include "commands/commands.h"

#include <errno.h>

#include "base/limits.h"
#include "server/args.h"
#include "box/box_extra.h"
#include "box/cursor_covers.h"
#include "box/cursor_word.h"
#include "commands/change.h"
#include "commands/log_count.h"
#include "server/config.h"
#include "server/reply.h"
#include "base/scratch.h"
#include "base/utf8.h"
#include "base/mem.h"

/* ---- FOLLOW and UNFOLLOW ---- */

/* A log that the command names. */
struct follow_log {
    struct rm_string *name; /* borrowed */
    struct notify_id start;
    uint64_t rev;    /* of the change; 0: none, it was so already */
    uint64_t unread; /* after it */
};

/* The change comes first: NOPUBLISH is taken into it. */
struct follow {
    struct change change;
    struct rm_string **names; /* the arguments that are logs */
    size_t count;
    struct follow_log *logs; /* owned, one for each name */
    bool from_last;          /* FROM $ */
    struct notify_id from;
};

enum { FIRST_LOG = 2 };

/* FROM $ or FROM id. */
static bool take_from(struct args *args, void *into)
{
    struct follow *follow = into;

    if (args_take_keyword(args, "$"))
        return true;
    follow->from_last = false;
    return args_take_id(args, "FROM", 0, &follow->from);
}

static const struct arg_option follow_options[] = {
    ARG_OPTION("NOPUBLISH", change_take_nopublish), ARG_OPTION_PART("EPOCH", change_take_epoch),
    ARG_OPTION("BYNAME", change_take_by_name),
    ARG_OPTION("FROM", take_from), /* the last: UNFOLLOW has it not */
};
enum {
    FOLLOW_OPTIONS = sizeof follow_options / sizeof follow_options[0],
    UNFOLLOW_OPTIONS = FOLLOW_OPTIONS - 1
};

/* The logs and, with them, where the options begin. */
static bool take_names(struct follow *follow, size_t option_count)
{
    struct args *args = &follow->change.args;
    bool ok = args_take_names(args, "log", follow_options, option_count);

    follow->names = args->argv + FIRST_LOG;
    follow->count = (size_t)(args->pos - FIRST_LOG);
    return ok;
}

static bool take_options(struct follow *follow, size_t option_count)
{
    struct args *args = &follow->change.args;
    uint32_t seen;

    return args_take_options(args, follow_options, option_count, follow, &seen) &&
           args_check_count(args, follow->count, LIMIT_KEYS, "logs") &&
           change_check_by_name(&follow->change);
}

static void follow_init(struct follow *follow, struct rm_ctx *ctx, struct rm_string **argv,
                        int argc)
{
    change_init(&follow->change, ctx, argv, argc, FIRST_LOG);
    follow->logs = NULL;
    follow->from_last = true;
    follow->from = (struct notify_id){0, 0};
}

static void follow_release(struct follow *follow)
{
    mem_free(follow->logs);
    change_release(&follow->change);
}

/* Who is not there cannot be asked for his last id. */
static bool check_from(struct follow *follow)
{
    return !follow->change.by_name || !follow->from_last ||
           args_fail(&follow->change.args,
                     "ERR BYNAME goes with FROM id: the log lies elsewhere and "
                     "is not asked for its last id");
}

/* What can be followed. To leave, any name will do: RENAME may have made a box follow itself. */
static bool check_names(struct follow *follow)
{
    struct args *args = &follow->change.args;
    struct notify_str key = rm_str(follow->change.bk.name);

    for (size_t i = 0; i < follow->count; i++) {
        struct notify_str name = rm_str(follow->names[i]);
        if (limits_forbid(name.len, LIMIT_LOG_NAME))
            return args_fail(args, "ERR log must be at most %d bytes", LIMIT_LOG_NAME);
        if (!utf8_is_valid(name)) /* messages contain it */
            return args_fail(args, "ERR log must be valid UTF-8");
        if (notify_str_eq(name, key))
            return args_fail(args, "ERR log must be another box than the key itself");
    }
    return args_check_key(args, follow->change.bk.name);
}

static bool make_logs(struct follow *follow)
{
    follow->logs = mem_try_alloc(follow->count * sizeof follow->logs[0]);
    if (follow->logs == NULL)
        return args_fail(&follow->change.args, "ERR not enough memory; nothing was changed");
    for (size_t i = 0; i < follow->count; i++)
        follow->logs[i] = (struct follow_log){.name = follow->names[i]};
    return true;
}

/* Finds where each log starts; nothing is changed yet. False: a key of another type, replied. */
static bool look_at_logs(struct follow *follow)
{
    for (size_t i = 0; i < follow->count; i++) {
        struct follow_log *log = &follow->logs[i];
        struct box_key bk;
        log->start = follow->from;
        if (follow->change.by_name)
            continue;
        if (!box_key_open_or_reply(&bk, follow->change.ctx, log->name, RM_READ))
            return false;
        if (follow->from_last && bk.box != NULL)
            log->start = box_last_id(bk.box);
        box_key_close(&bk);
    }
    return true;
}

/* What the box has not read of the log it has just begun to follow. */
static uint64_t count_unread(const struct follow *follow, const struct follow_log *log)
{
    const struct box *box = follow->change.bk.box;
    struct box_key bk;
    uint64_t unread;

    if (!box_key_open_or_reply(&bk, follow->change.ctx, log->name, RM_READ))
        return 0; /* look_at_logs has found a box or nothing there */
    bk.is_told = true;
    unread = log_count(log_cursor(box, log->name), &bk, log_wish(box, NULL)).unread;
    box_key_close(&bk);
    return unread;
}

/* Adds the cursors. How many are new, or a negative error and nothing has changed. */
static int add_cursors(struct follow *follow)
{
    struct box_key *bk = &follow->change.bk;
    struct box_extra *extra;
    int added = 0;
    int rc = 0;

    if (bk->box == NULL)
        bk->box = box_new();
    extra = bk->box == NULL ? NULL : box_need_extra(&bk->box);
    if (extra == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < follow->count && rc >= 0; i++) {
        rc = cursors_add(&extra->cursors, rm_str(follow->logs[i].name), follow->logs[i].start);
        follow->logs[i].rev = rc > 0;
        added += rc > 0;
    }
    if (rc >= 0)
        return added;
    for (size_t i = 0; i < follow->count; i++)
        if (follow->logs[i].rev > 0)
            (void)cursors_remove(&extra->cursors, rm_str(follow->logs[i].name));
    return rc;
}

/* Nothing came of it: the key gets back what it had. */
static void give_up(struct follow *follow)
{
    struct box_key *bk = &follow->change.bk;

    if (bk->stored == NULL) {
        box_free(bk->box);
        bk->box = NULL;
    }
    box_key_close(bk);
}

/* Gives each change its rev; the last of them is change_commit's. */
static void commit(struct follow *follow)
{
    struct change *change = &follow->change;
    size_t last = 0;

    for (size_t i = 0; i < follow->count; i++)
        if (follow->logs[i].rev != 0)
            last = i;
    for (size_t i = 0; i < last; i++)
        if (follow->logs[i].rev != 0)
            follow->logs[i].rev = box_raise_rev(change->bk.box);
    change_commit(change);
    follow->logs[last].rev = change->box.rev;
}

static void publish(struct follow *follow, enum render_change what)
{
    struct change *change = &follow->change;

    for (size_t i = 0; i < follow->count; i++) {
        struct follow_log *log = &follow->logs[i];
        if (log->rev == 0)
            continue;
        change->box.rev = log->rev;
        change->box.log = rm_str(log->name);
        change->box.log_unread = log->unread;
        change->box.log_is_elsewhere = change->by_name;
        change_publish_follow(change, what, log->start);
        change->box.epoch = 0; /* it has been told */
    }
}

static int reply_refused(struct follow *follow, int error)
{
    struct rm_ctx *ctx = follow->change.ctx;

    if (error != -ENOSPC)
        return reply_no_memory(ctx);
    args_fail(&follow->change.args, "LIMIT a box may follow at most %d logs", LIMIT_LOGS);
    return reply_args_error(ctx, &follow->change.args);
}

static int run_follow(struct follow *follow)
{
    struct change *change = &follow->change;
    struct effect_words tail;
    int added = add_cursors(follow);

    if (added <= 0) {
        give_up(follow);
        return added < 0 ? reply_refused(follow, added) : rm_ReplyWithLongLong(change->ctx, 0);
    }
    for (size_t i = 0; i < follow->count && !follow->from_last && !change->by_name; i++)
        if (follow->logs[i].rev != 0)
            follow->logs[i].unread = count_unread(follow, &follow->logs[i]);
    commit(follow);
    tail = change_tail(change);
    for (size_t i = 0; i < follow->count; i++) {
        char id[NOTIFY_ID_TEXT_MAX + 1];
        size_t len = notify_id_format(id, follow->logs[i].start);
        if (follow->logs[i].rev != 0)
            rm_Replicate(change->ctx, "NOTIFY.FOLLOW", "sscbv", change->bk.name,
                         follow->logs[i].name, "FROM", id, len, tail.words, tail.count);
    }
    publish(follow, RENDER_FOLLOWED);
    box_key_changed(&change->bk, "notify.follow");
    return rm_ReplyWithLongLong(change->ctx, added);
}

/* Key and logs, as the server asks for them. */
static int tell_keys(const struct follow *follow, struct rm_ctx *ctx, int key_flags, int log_flags)
{
    size_t count = follow->change.by_name ? 0 : follow->count;

    rm_KeyAtPosWithFlags(ctx, 1, RM_KEY_RW | key_flags);
    for (size_t i = 0; i < count; i++)
        rm_KeyAtPosWithFlags(ctx, FIRST_LOG + (int)i, RM_KEY_RO | log_flags);
    return RM_OK;
}

/* NOTIFY.FOLLOW key log [log …] [FROM id|$] [BYNAME] [NOPUBLISH] */
int cmd_follow(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct follow follow;
    bool named;

    follow_init(&follow, ctx, argv, argc);
    named = take_names(&follow, FOLLOW_OPTIONS) && take_options(&follow, FOLLOW_OPTIONS);
    if (rm_IsKeysPositionRequest(ctx))
        return tell_keys(&follow, ctx, RM_KEY_INSERT, RM_KEY_ACCESS);
    if (!named || !check_from(&follow) || !check_names(&follow) || !make_logs(&follow))
        (void)reply_args_error(ctx, &follow.change.args);
    else if (look_at_logs(&follow) && change_open_or_reply(&follow.change))
        (void)run_follow(&follow);
    follow_release(&follow);
    return RM_OK;
}

static int run_unfollow(struct follow *follow)
{
    struct change *change = &follow->change;
    struct box_extra *extra = change->bk.box == NULL ? NULL : box_extra(change->bk.box);
    struct change_ids *gone = &change->ids; /* their names */
    struct effect_words tail;

    for (size_t i = 0; i < follow->count && extra != NULL; i++) {
        struct follow_log *log = &follow->logs[i];
        if (!cursors_remove(&extra->cursors, rm_str(log->name)))
            continue;
        log->rev = 1;
        gone->texts[gone->count++] = log->name;
    }
    if (gone->count == 0) {
        box_key_close(&change->bk);
        return rm_ReplyWithLongLong(change->ctx, 0);
    }
    commit(follow);
    tail = change_tail(change);
    rm_Replicate(change->ctx, "NOTIFY.UNFOLLOW", "svv", change->bk.name, gone->texts, gone->count,
                 tail.words, tail.count);
    publish(follow, RENDER_UNFOLLOWED);
    box_key_changed(&change->bk, "notify.unfollow");
    return rm_ReplyWithLongLong(change->ctx, (long long)gone->count);
}

/* NOTIFY.UNFOLLOW key log [log …] [BYNAME] [NOPUBLISH] */
int cmd_unfollow(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct follow follow;
    bool named;

    follow_init(&follow, ctx, argv, argc);
    named = take_names(&follow, UNFOLLOW_OPTIONS) && take_options(&follow, UNFOLLOW_OPTIONS);
    if (rm_IsKeysPositionRequest(ctx))
        return tell_keys(&follow, ctx, RM_KEY_UPDATE, 0);
    if (!named || !make_logs(&follow) || !change_reserve_ids(&follow.change, follow.count))
        (void)reply_args_error(ctx, &follow.change.args);
    else if (change_open_or_reply(&follow.change))
        (void)run_unfollow(&follow);
    follow_release(&follow);
    return RM_OK;
}

/* ---- CURSORS ---- */

static const struct mark_list {
    const char *name;
    enum cursor_mark_kind kind;
} mark_lists[] = {
    {"read_ids", CURSOR_READ},
    {"unread_ids", CURSOR_UNREAD},
    {"seen_ids", CURSOR_SEEN},
    {"archived_ids", CURSOR_ARCHIVED},
};
enum { MARK_LISTS = sizeof mark_lists / sizeof mark_lists[0] };

static void reply_marks(struct rm_ctx *ctx, const struct cursor *cursor,
                        const struct mark_list *list)
{
    struct notify_id id;
    uint32_t pos = 0;
    long count = 0;

    reply_str(ctx, notify_str_z(list->name));
    rm_ReplyWithArray(ctx, RM_POSTPONED_LEN);
    for (; cursor_next_mark(cursor, list->kind, &pos, &id); count++)
        reply_id(ctx, id);
    rm_ReplySetArrayLength(ctx, count);
}

static void reply_covers(struct rm_ctx *ctx, const struct cursor_covers *covers)
{
    uint32_t count = cursor_covers_count(covers);

    reply_str(ctx, NOTIFY_STR("read_categories"));
    rm_ReplyWithMap(ctx, (long)count);
    for (uint32_t i = 0; i < count; i++) {
        struct cursor_cover cover = cursor_covers_at(covers, i);
        reply_str(ctx, cover.category);
        reply_id(ctx, cover.upto);
    }
}

static void reply_cursor(struct rm_ctx *ctx, const struct cursor *cursor)
{
    reply_str(ctx, cursor_name(cursor));
    rm_ReplyWithMap(ctx, 4 + MARK_LISTS);
    reply_field_id(ctx, "start", cursor->start);
    reply_field_id(ctx, "read", cursor->read_mark);
    reply_field_id(ctx, "seen", cursor->seen_mark);
    for (size_t i = 0; i < MARK_LISTS; i++)
        reply_marks(ctx, cursor, &mark_lists[i]);
    reply_covers(ctx, cursor->covers);
}

/* ---- their words ---- */

/* Which cursors are asked for: those of the named logs, or all. */
struct words {
    struct args *args;
    int first; /* name */
    size_t name_count;
    const struct cursors *cursors;
};

/* How many there may be. */
static size_t words_count(const struct words *words)
{
    return words->name_count > 0 ? words->name_count : cursors_count(words->cursors);
}

/* NULL: the box does not follow that log. */
static const struct cursor *words_at(const struct words *words, size_t index)
{
    if (words->name_count == 0)
        return cursors_at(words->cursors, (uint32_t)index);
    return cursors_find(words->cursors, args_at(words->args, words->first + (int)index));
}

/* A word for a browser is short, but one of a box that has muted thousands of categories is not. */
static bool check_size(const struct words *words, const struct box *carrier)
{
    size_t most = (size_t)config_get()->max_reply_bytes;
    size_t size = 0;

    for (size_t i = 0; i < words_count(words); i++) {
        const struct cursor *cursor = words_at(words, i);
        size += cursor == NULL ? 0 : cursor_word_size(carrier, cursor);
    }
    return size <= most || words_count(words) == 1 ||
           args_fail(words->args, "LIMIT the words have more than %zu bytes: name fewer logs",
                     most);
}

static void reply_words(struct rm_ctx *ctx, const struct words *words, struct box **carrier)
{
    long count = 0;

    rm_ReplyWithMap(ctx, RM_POSTPONED_LEN);
    for (size_t i = 0; i < words_count(words); i++) {
        const struct cursor *cursor = words_at(words, i);
        struct text_buf *word = scratch_message();
        if (cursor == NULL)
            continue;
        reply_str(ctx, cursor_name(cursor));
        if (cursor_word_add(word, carrier, cursor) == 0)
            reply_str(ctx, text_buf_str(word));
        else
            (void)reply_error(ctx, "ERR not enough memory for the word");
        count++;
    }
    rm_ReplySetMapLength(ctx, count);
}

static void run_words(struct box_key *bk, struct words *words)
{
    struct box *carrier = cursor_word_carrier(bk->box);

    words->cursors = box_cursors(bk->box);
    if (carrier == NULL)
        (void)reply_no_memory(bk->ctx);
    else if (!check_size(words, carrier))
        (void)reply_args_error(bk->ctx, words->args);
    else
        reply_words(bk->ctx, words, &carrier);
    box_free(carrier);
    scratch_shrink();
}

static void run_cursors(struct box_key *bk)
{
    const struct cursors *cursors = box_cursors(bk->box);

    rm_ReplyWithMap(bk->ctx, (long)cursors_count(cursors));
    for (uint32_t i = 0; i < cursors_count(cursors); i++)
        reply_cursor(bk->ctx, cursors_at(cursors, i));
}

/* WORDS [log …] */
static bool take_words(struct args *args, struct words *ret_words)
{
    if (!args_take_keyword(args, "WORDS"))
        return args_fail(args, "ERR syntax error: only WORDS may follow the key");
    *ret_words = (struct words){
        .args = args, .first = args->pos, .name_count = (size_t)(args->argc - args->pos)};
    return args_check_count(args, ret_words->name_count, LIMIT_KEYS, "logs");
}

/* NOTIFY.CURSORS key [WORDS [log …]] */
int cmd_cursors(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct words words = {NULL, 0, 0, NULL};
    struct box_key bk;
    struct args args;

    args_init(&args, argv, argc, 2);
    if (!args_done(&args) && !take_words(&args, &words))
        return reply_args_error(ctx, &args);
    if (!box_key_open_or_reply(&bk, ctx, argv[1], RM_READ))
        return RM_OK;
    if (words.args == NULL)
        run_cursors(&bk);
    else
        run_words(&bk, &words);
    box_key_close(&bk);
    return RM_OK;
}
