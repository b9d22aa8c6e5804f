/* cmd_mark -- NOTIFY.READ, MARK, READALL and SEEN: change the state of entries.
 *
 * Replicated as MARK, READALL or SEEN with the time (AT) and the ids or the watermark that took
 * effect. With LOG they change what the box has read of a log that it follows; that
 * is log_change.c's. */
#include "commands/commands.h"

#include "server/args.h"
#include "commands/change.h"
#include "commands/log_args.h"
#include "commands/log_change.h"
#include "server/reply.h"

static const struct mark_kind marks[] = {
    {"READ", BOX_MARK_READ, RENDER_READ, "notify.read"},
    {"UNREAD", BOX_MARK_UNREAD, RENDER_UNREAD_AGAIN, "notify.unread"},
    {"SEEN", BOX_MARK_SEEN, RENDER_SEEN, "notify.seen"},
    {"ARCHIVED", BOX_MARK_ARCHIVED, RENDER_ARCHIVED, "notify.archived"},
    {"UNARCHIVED", BOX_MARK_UNARCHIVED, RENDER_UNARCHIVED, "notify.unarchived"},
};
enum { MARKS = sizeof marks / sizeof marks[0], MARK_READ = 0, MARK_SEEN = 2 };

/* Leaves in ids those that changed. */
static void mark_ids(struct change *change, enum box_mark mark)
{
    struct box_key *bk = &change->bk;
    uint64_t now_ms = box_key_now(bk);
    size_t kept = 0;

    for (size_t i = 0; i < change->ids.count; i++) {
        int rc = box_mark(&bk->box, change->ids.ids[i], mark, change->at_ms, now_ms);
        if (rc < 0)
            break; /* no memory: what is done is done and is told as it is */
        if (rc > 0)
            change_keep_id(change, &kept, i);
    }
    change->ids.count = kept;
}

static int run_ids(struct change *change, const struct mark_kind *mark)
{
    struct effect_words tail;
    size_t count;

    if (change->bk.box != NULL)
        mark_ids(change, mark->mark);
    else
        change->ids.count = 0;
    count = change->ids.count;
    if (count == 0) {
        box_key_close(&change->bk);
        return rm_ReplyWithLongLong(change->ctx, 0);
    }
    change_commit(change);
    tail = change_tail(change);
    change_make_texts(change);
    rm_Replicate(change->ctx, "NOTIFY.MARK", "scvclv", change->bk.name, mark->name,
                 change->ids.texts, count, "AT", (long long)change->at_ms, tail.words, tail.count);
    change_free_texts(change);
    change_publish_ids(change, mark->change);
    box_key_changed(&change->bk, mark->event);
    return rm_ReplyWithLongLong(change->ctx, (long long)count);
}

/* taken: the entries have been. */
static int run_mark(struct change *change, const struct mark_kind *mark, bool taken)
{
    if (!taken || !change_take_options(change, true))
        return reply_args_error(change->ctx, &change->args);
    if (change->log != NULL)
        return log_change_ids(change, mark);
    if (!change_open_or_reply(change))
        return RM_OK;
    if (!change_resolve_own(change, log_change_would_mark, mark->mark))
        return reply_args_error(change->ctx, &change->args);
    return run_ids(change, mark);
}

/* NOTIFY.READ key id [id …] [LOG log [BYNAME]] [AT ms] [NOPUBLISH] */
int cmd_read(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct change change;

    if (rm_IsKeysPositionRequest(ctx))
        return log_args_tell_keyword(ctx, argv, argc, 2);
    change_init(&change, ctx, argv, argc, 2);
    (void)run_mark(&change, &marks[MARK_READ], change_take_ids(&change));
    change_release(&change);
    return RM_OK;
}

static const struct mark_kind *find_mark(struct args *args)
{
    struct notify_str word;

    if (!args_take_str(args, "state", &word))
        return NULL;
    for (int i = 0; i < MARKS; i++)
        if (args_is_keyword(word, notify_str_z(marks[i].name)))
            return &marks[i];
    args_fail_value(args, "state", "READ, UNREAD, SEEN, ARCHIVED or UNARCHIVED", word);
    return NULL;
}

/* NOTIFY.MARK key READ|UNREAD|SEEN|ARCHIVED|UNARCHIVED id [id …]|TOKEN token|ENTITY type id
 * [LOG log [BYNAME]] [AT ms] [NOPUBLISH] */
int cmd_mark(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    const struct mark_kind *mark;
    struct change change;

    if (rm_IsKeysPositionRequest(ctx))
        return log_args_tell_keyword(ctx, argv, argc, 3);
    change_init(&change, ctx, argv, argc, 2);
    mark = find_mark(&change.args);
    if (mark == NULL)
        (void)reply_args_error(ctx, &change.args);
    else
        (void)run_mark(&change, mark, change_take_target(&change));
    change_release(&change);
    return RM_OK;
}

/* ---- up to an id ---- */

/* What READALL and SEEN ask for. The change comes first: AT, NOPUBLISH and LOG are taken into it.
 */
struct upto {
    struct change change;
    struct notify_id id;        /* the greatest possible: all */
    struct notify_str category; /* .ptr == NULL: of all */
    struct log_args logs;
};

static bool take_upto(struct args *args, void *into)
{
    struct upto *upto = into;

    return args_take_id(args, "UPTO", UINT64_MAX, &upto->id);
}

static bool take_category(struct args *args, void *into)
{
    struct upto *upto = into;

    return args_take_str(args, "CATEGORY", &upto->category);
}

static bool take_logs(struct args *args, void *into)
{
    struct upto *upto = into;

    return log_args_take(args, &upto->logs);
}

static const struct arg_option upto_options[] = {
    ARG_OPTION("UPTO", take_upto),
    ARG_OPTION("NOPUBLISH", change_take_nopublish),
    ARG_OPTION_PART("EPOCH", change_take_epoch),
    ARG_OPTION_INTERNAL("AT", change_take_at),
    ARG_OPTION("LOG", change_take_log),
    ARG_OPTION("BYNAME", change_take_by_name),
    ARG_OPTION("LOGS", take_logs),
    ARG_OPTION("CATEGORY", take_category), /* the last: SEEN has it not */
};
enum {
    READALL_OPTIONS = sizeof upto_options / sizeof upto_options[0],
    SEEN_OPTIONS = READALL_OPTIONS - 1
};

/* How many changed of the box's own. */
static int64_t mark_upto(struct upto *upto, enum box_mark mark)
{
    struct box_key *bk = &upto->change.bk;
    struct notify_id last;

    if (bk->box == NULL)
        return 0;
    last = box_last_id(bk->box);
    if (notify_id_cmp(upto->id, last) > 0)
        upto->id = last; /* what arrives later stays as it is */
    return box_mark_upto(&bk->box, upto->id, upto->category, mark, upto->change.at_ms,
                         box_key_now(bk));
}

static void replicate_upto(struct upto *upto, const char *command)
{
    struct change *change = &upto->change;
    struct notify_str category = upto->category;
    struct effect_words tail = change_tail(change);
    char id[NOTIFY_ID_TEXT_MAX + 1];
    size_t len = notify_id_format(id, upto->id);

    if (category.ptr == NULL)
        rm_Replicate(change->ctx, command, "scbclv", change->bk.name, "UPTO", id, len, "AT",
                     (long long)change->at_ms, tail.words, tail.count);
    else
        rm_Replicate(change->ctx, command, "scbcbclv", change->bk.name, "UPTO", id, len, "CATEGORY",
                     category.ptr, category.len, "AT", (long long)change->at_ms, tail.words,
                     tail.count);
}

/* False: an error has been replied. */
static bool run_own(struct upto *upto, const struct mark_kind *mark, const char *command,
                    uint64_t *ret_count)
{
    struct change *change = &upto->change;
    int64_t count;

    if (!change_open_or_reply(change))
        return false;
    count = mark_upto(upto, mark->mark);
    *ret_count = count > 0 ? (uint64_t)count : 0;
    if (count <= 0) {
        box_key_close(&change->bk);
        if (count < 0)
            (void)reply_no_memory(change->ctx);
        return count == 0;
    }
    change_commit(change);
    replicate_upto(upto, command);
    change_publish_upto(change, mark->change, upto->id, upto->category);
    box_key_changed(&change->bk, mark->event);
    return true;
}

/* The box itself, or with a log what it has read there; upto is what the command said and stays so.
 * only_check: nothing is changed, but what would be refused is. False: an error has been replied.
 */
static bool run_one(const struct upto *upto, struct rm_string *log, const struct mark_kind *mark,
                    const char *command, bool only_check, uint64_t *ret_count)
{
    struct log_upto wanted = {.id = upto->id, .category = upto->category};
    struct upto one = {.id = upto->id, .category = upto->category};
    const struct args *args = &upto->change.args;
    bool done;

    *ret_count = 0;
    change_init(&one.change, upto->change.ctx, args->argv, args->argc, 2);
    one.change.at_ms = upto->change.at_ms;
    one.change.nopublish = upto->change.nopublish;
    one.change.log = log;
    one.change.by_name = upto->change.by_name;
    one.change.epoch = upto->change.epoch;
    if (only_check)
        done = log_change_check_or_reply(&one.change, &wanted);
    else if (log != NULL)
        done = log_change_upto(&one.change, &wanted, mark, command, ret_count);
    else
        done = run_own(&one, mark, command, ret_count);
    change_release(&one.change);
    return done;
}

/* Either all are changed, or an error has been replied before anything was. */
static bool run_all(const struct upto *upto, const struct mark_kind *mark, const char *command,
                    uint64_t *ret_count)
{
    const struct log_args *logs = &upto->logs;
    uint64_t count = 0;

    for (size_t i = 0; i < logs->count; i++)
        if (!run_one(upto, logs->names[i], mark, command, true, &count))
            return false;
    if (!run_one(upto, NULL, mark, command, false, ret_count))
        return false;
    for (size_t i = 0; i < logs->count; i++) {
        if (!run_one(upto, logs->names[i], mark, command, false, &count))
            return false; /* for want of memory */
        *ret_count += count;
    }
    return true;
}

static int run(const struct upto *upto, const struct mark_kind *mark, const char *command)
{
    struct rm_string *log = upto->change.log;
    uint64_t count;
    bool done;

    if (log == NULL)
        done = run_all(upto, mark, command, &count);
    else
        done = run_one(upto, log, mark, command, false, &count);
    return done ? rm_ReplyWithLongLong(upto->change.ctx, (long long)count) : RM_OK;
}

/* Who is not there cannot be asked for his last id, nor which entries are of a category. */
static bool check_by_name(struct upto *upto)
{
    struct args *args = &upto->change.args;

    if (upto->change.by_name && (upto->change.log == NULL || upto->id.ms == UINT64_MAX))
        return args_fail(args, "ERR BYNAME goes with LOG and UPTO: the log lies elsewhere and is "
                               "not asked for its last id");
    if (upto->change.by_name && upto->category.ptr != NULL)
        return args_fail(args,
                         "ERR BYNAME goes with no CATEGORY: only the log itself knows what is "
                         "of it");
    return change_check_by_name(&upto->change);
}

static bool parse_upto(struct upto *upto, size_t option_count)
{
    struct args *args = &upto->change.args;
    uint32_t seen;

    upto->id = NOTIFY_ID_GREATEST;
    upto->category = (struct notify_str){NULL, 0};
    upto->logs = (struct log_args){NULL, 0};
    if (!args_take_options(args, upto_options, option_count, upto, &seen))
        return false;
    if (upto->change.log != NULL && upto->logs.count > 0)
        return args_fail(args, "ERR syntax error: only one of LOG and LOGS may be given");
    return check_by_name(upto);
}

static int mark_all(struct rm_ctx *ctx, struct rm_string **argv, int argc,
                    const struct mark_kind *mark, const char *command, size_t option_count)
{
    static const struct log_args none = {NULL, 0};
    struct upto upto;
    bool parsed;

    change_init(&upto.change, ctx, argv, argc, 2);
    parsed = parse_upto(&upto, option_count);
    if (rm_IsKeysPositionRequest(ctx))
        (void)log_args_tell_all(ctx, argv, argc,
                                parsed && !upto.change.by_name ? upto.change.log : NULL,
                                parsed ? &upto.logs : &none);
    else if (!parsed)
        (void)reply_args_error(ctx, &upto.change.args);
    else
        (void)run(&upto, mark, command);
    change_release(&upto.change);
    return RM_OK;
}

/* NOTIFY.READALL key [UPTO id] [CATEGORY c] [LOG log [BYNAME]|LOGS numkeys log …] [AT ms]
 * [NOPUBLISH] */
int cmd_readall(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    return mark_all(ctx, argv, argc, &marks[MARK_READ], "NOTIFY.READALL", READALL_OPTIONS);
}

/* NOTIFY.SEEN key [UPTO id] [LOG log [BYNAME]|LOGS numkeys log …] [AT ms] [NOPUBLISH] */
int cmd_seen(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    return mark_all(ctx, argv, argc, &marks[MARK_SEEN], "NOTIFY.SEEN", SEEN_OPTIONS);
}
