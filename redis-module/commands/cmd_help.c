/* cmd_help -- NOTIFY.HELP: the table of commands as text, so that it cannot say anything else than
 * COMMAND DOCS does. */
#include "commands/commands.h"

#include <string.h>

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

/* NOTIFY.HELP: two lines for each command, how it is written and what it does. */
int cmd_help(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct text_buf *out = scratch_message();
    struct command_text text;
    size_t count = 0;

    (void)argv, (void)argc;
    rm_ReplyWithArray(ctx, RM_POSTPONED_LEN);
    for (; commands_at(count, &text); count++) {
        text_buf_clear(out);
        add_name(out, text.name);
        if (text.args != NULL)
            text_buf_add_char(out, ' ');
        add_args(out, text.args, " ");
        text_buf_add_char(out, '\0'); /* without memory the name alone */
        rm_ReplyWithSimpleString(ctx, out->failed ? text.name : out->ptr);
        text_buf_clear(out);
        add_z(out, "    ");
        add_z(out, text.summary);
        text_buf_add_char(out, '\0');
        rm_ReplyWithSimpleString(ctx, out->failed ? text.summary : out->ptr);
    }
    rm_ReplySetArrayLength(ctx, (long)count * 2);
    return RM_OK;
}
