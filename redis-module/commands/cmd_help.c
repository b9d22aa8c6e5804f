/* cmd_help -- NOTIFY.HELP: the table of commands as text, so that it cannot say anything else than
 * COMMAND DOCS does. */
#include "commands/commands.h"

#include <string.h>
#include <strings.h>

#include "server/args.h"
#include "server/reply.h"
#include "base/scratch.h"

static void add_args(struct text_buf *out, const struct rm_arg *args, const char *between);

static void add_z(struct text_buf *out, const char *text)
{
    text_buf_add(out, notify_str_z(text));
}

/* What stands for the value: <name>, the choices, or the parts. */
static void add_value(struct text_buf *out, const struct rm_arg *arg)
{
    if (arg->type == RM_ARG_ONEOF || arg->type == RM_ARG_BLOCK) {
        add_args(out, arg->subargs, arg->type == RM_ARG_ONEOF ? "|" : " ");
        return;
    }
    text_buf_add_char(out, '<');
    add_z(out, arg->name);
    text_buf_add_char(out, '>');
}

static void add_arg(struct text_buf *out, const struct rm_arg *arg)
{
    if ((arg->flags & RM_ARG_OPTIONAL) != 0)
        text_buf_add_char(out, '[');
    if (arg->token != NULL)
        add_z(out, arg->token);
    if (arg->type != RM_ARG_PURE_TOKEN) {
        if (arg->token != NULL)
            text_buf_add_char(out, ' ');
        add_value(out, arg);
    }
    if ((arg->flags & RM_ARG_MULTIPLE) != 0) {
        add_z(out, " [");
        add_value(out, arg);
        add_z(out, " ...]");
    }
    if ((arg->flags & RM_ARG_OPTIONAL) != 0)
        text_buf_add_char(out, ']');
}

static void add_args(struct text_buf *out, const struct rm_arg *args, const char *between)
{
    for (const struct rm_arg *arg = args; arg != NULL && arg->name != NULL; arg++) {
        if (arg != args)
            add_z(out, between);
        add_arg(out, arg);
    }
}

/* The name of a subcommand with a blank, as it is typed. */
static void add_name(struct text_buf *out, const char *name)
{
    const char *bar = strchr(name, '|');

    if (bar == NULL) {
        add_z(out, name);
        return;
    }
    text_buf_add(out, notify_str_of(name, (size_t)(bar - name)));
    text_buf_add_char(out, ' ');
    add_z(out, bar + 1);
}

static void reply_line(struct rm_ctx *ctx, struct text_buf *out, const char *without_memory)
{
    text_buf_add_char(out, '\0');
    rm_ReplyWithSimpleString(ctx, out->failed ? without_memory : out->ptr);
    text_buf_clear(out);
}

static void reply_usage(struct rm_ctx *ctx, struct text_buf *out, const struct command_text *text)
{
    add_name(out, text->name);
    if (text->args != NULL && text->args->name != NULL)
        text_buf_add_char(out, ' ');
    add_args(out, text->args, " ");
    reply_line(ctx, out, text->name);
}

static void reply_below(struct rm_ctx *ctx, struct text_buf *out, const char *before,
                        const char *text)
{
    add_z(out, "    ");
    add_z(out, before);
    add_z(out, text);
    reply_line(ctx, out, text);
}

/* Whether the words name this row: SEND or NOTIFY.SEND; SESSION, which names its subcommands, too;
 * SESSION OPEN. Any case. */
static bool is_named(const char *row, struct notify_str command, struct notify_str sub)
{
    static const char prefix[] = "NOTIFY.";
    size_t len = strcspn(row, "|");

    if (command.len + strlen(prefix) == len) {
        row += strlen(prefix);
        len -= strlen(prefix);
    }
    if (command.len != len || strncasecmp(command.ptr, row, len) != 0)
        return false;
    if (sub.len == 0)
        return true;
    return row[len] == '|' && strlen(row + len + 1) == sub.len &&
           strncasecmp(sub.ptr, row + len + 1, sub.len) == 0;
}

/* One command: its complexity is told as well. */
static int help_on(struct rm_ctx *ctx, struct args *args)
{
    struct text_buf *out = scratch_message();
    struct notify_str command = args_at(args, 1), sub = {NULL, 0};
    struct command_text text;
    long lines = 0;

    if (args->argc > 2)
        sub = args_at(args, 2);
    for (size_t i = 0; commands_at(i, &text); i++)
        lines += is_named(text.name, command, sub) ? 3 : 0;
    if (lines == 0) {
        args_fail(args, "ERR no such command; NOTIFY.HELP lists them");
        return reply_args_error(ctx, args);
    }
    text_buf_clear(out);
    rm_ReplyWithArray(ctx, lines);
    for (size_t i = 0; commands_at(i, &text); i++) {
        if (!is_named(text.name, command, sub))
            continue;
        reply_usage(ctx, out, &text);
        reply_below(ctx, out, "", text.summary);
        reply_below(ctx, out, "Complexity: ", text.complexity);
    }
    return RM_OK;
}

/* NOTIFY.HELP [command [subcommand]]: without one two lines for each command, how it is written and
 * what it does. */
int cmd_help(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct text_buf *out = scratch_message();
    struct command_text text;
    struct args args;
    size_t count = 0;

    if (argc > 3)
        return rm_WrongArity(ctx);
    args_init(&args, argv, argc, 1);
    if (argc > 1)
        return help_on(ctx, &args);
    text_buf_clear(out);
    rm_ReplyWithArray(ctx, RM_POSTPONED_LEN);
    for (; commands_at(count, &text); count++) {
        reply_usage(ctx, out, &text);
        reply_below(ctx, out, "", text.summary);
    }
    rm_ReplySetArrayLength(ctx, (long)count * 2);
    return RM_OK;
}
