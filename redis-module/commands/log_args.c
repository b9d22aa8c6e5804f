/* log_args -- see log_args.h. */
#include "commands/log_args.h"

#include "server/reply.h"

enum { KEY_AT = 1, LOG_FLAGS = RM_KEY_RO | RM_KEY_ACCESS };

/* Counted twice, a log would make a wrong sum. */
static bool check_unique(struct args *args, const struct log_args *logs)
{
    int first = (int)(logs->names - args->argv);

    for (int i = 1; i < (int)logs->count; i++)
        for (int k = 0; k < i; k++)
            if (notify_str_eq(args_at(args, first + i), args_at(args, first + k)))
                return args_fail(args, "ERR LOGS must name each log once");
    return true;
}

bool log_args_take(struct args *args, struct log_args *ret_logs)
{
    uint64_t count;

    if (!args_take_count(args, "LOGS", "logs", LOG_ARGS_MAX, &count))
        return false;
    if (count > (uint64_t)(args->argc - args->pos))
        return args_fail(args, "ERR LOGS must be the number of the logs that follow it");
    *ret_logs = (struct log_args){args->argv + args->pos, (size_t)count};
    args->pos += (int)count;
    return check_unique(args, ret_logs);
}

bool log_args_take_one(struct args *args, struct rm_string **ret_log)
{
    struct notify_str name;

    if (!args_take_str(args, "LOG", &name))
        return false;
    *ret_log = args->argv[args->pos - 1];
    return true;
}

bool log_args_check_or_reply(struct rm_ctx *ctx, const struct rm_string *key,
                             const struct rm_string *log)
{
    if (!notify_str_eq(rm_str(key), rm_str(log)))
        return true;
    (void)reply_error(ctx, "ERR LOG must be another box than the key itself");
    return false;
}

static int tell_logs(struct rm_ctx *ctx, struct rm_string **argv, const struct log_args *logs)
{
    for (size_t i = 0; logs != NULL && i < logs->count; i++)
        rm_KeyAtPosWithFlags(ctx, (int)(logs->names - argv) + (int)i, LOG_FLAGS);
    return RM_OK;
}

int log_args_tell_many(struct rm_ctx *ctx, struct rm_string **argv, const struct log_args *logs)
{
    rm_KeyAtPosWithFlags(ctx, KEY_AT, RM_KEY_RO | RM_KEY_ACCESS);
    return tell_logs(ctx, argv, logs);
}

static int tell_pair(struct rm_ctx *ctx, struct rm_string **argv, int argc,
                     const struct rm_string *log, int key_flags)
{
    rm_KeyAtPosWithFlags(ctx, KEY_AT, key_flags);
    for (int i = KEY_AT + 1; i < argc && log != NULL; i++)
        if (argv[i] == log)
            rm_KeyAtPosWithFlags(ctx, i, LOG_FLAGS);
    return RM_OK;
}

int log_args_tell_read(struct rm_ctx *ctx, struct rm_string **argv, int argc,
                       const struct rm_string *log)
{
    return tell_pair(ctx, argv, argc, log, RM_KEY_RO | RM_KEY_ACCESS);
}

int log_args_tell_one(struct rm_ctx *ctx, struct rm_string **argv, int argc,
                      const struct rm_string *log)
{
    return tell_pair(ctx, argv, argc, log, RM_KEY_RW | RM_KEY_UPDATE);
}

int log_args_tell_all(struct rm_ctx *ctx, struct rm_string **argv, int argc,
                      const struct rm_string *log, const struct log_args *logs)
{
    (void)log_args_tell_one(ctx, argv, argc, log);
    return tell_logs(ctx, argv, logs);
}

int log_args_tell_keyword(struct rm_ctx *ctx, struct rm_string **argv, int argc, int from)
{
    const struct rm_string *log = NULL;
    bool by_name = false;
    struct args args;

    args_init(&args, argv, argc, from);
    if (args_take_keyword(&args, "TOKEN"))
        from += 2;
    else if (args_take_keyword(&args, "ENTITY"))
        from += 3;
    for (int i = from; i < argc; i++) {
        struct notify_str word = args_at(&args, i);
        if (args_is_keyword(word, NOTIFY_STR("BYNAME")))
            by_name = true;
        if (args_is_keyword(word, NOTIFY_STR("LOG")) && i + 1 < argc)
            log = argv[++i];
    }
    return log_args_tell_one(ctx, argv, argc, by_name ? NULL : log);
}
