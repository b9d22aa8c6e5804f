/* cmd_session_read -- NOTIFY.SESSION LIST, COUNT and HELP. A connection whose lease has passed is
 * left out, also on a replica, which may not remove it. */
#include "commands/commands.h"

#include "server/args.h"
#include "server/clock.h"
#include "server/reply.h"
#include "server/sessions_key.h"

/* A member that has a value. */
static long reply_text(struct rm_ctx *ctx, const char *name, struct notify_str text)
{
    if (text.len == 0)
        return 0;
    reply_field_str(ctx, name, text);
    return 1;
}

static void reply_connection(struct rm_ctx *ctx, const struct sessions_connection *c)
{
    long fields = 4;

    rm_ReplyWithMap(ctx, RM_POSTPONED_LEN);
    reply_field_str(ctx, "session", c->session);
    reply_field_str(ctx, "connection", c->connection);
    fields += reply_text(ctx, "node", c->node);
    fields += reply_text(ctx, "addr", c->addr);
    fields += reply_text(ctx, "meta", c->meta);
    reply_field_number(ctx, "opened_at", c->opened_ms);
    reply_field_number(ctx, "expires_at", c->lease_ms);
    rm_ReplySetMapLength(ctx, fields);
}

/* session: .ptr == NULL: all. */
static void reply_list(struct sessions_key *sk, struct notify_str session)
{
    struct sessions_iter iter = SESSIONS_ITER(sk->set, clock_now(sk->ctx));
    struct sessions_connection c;
    long count = 0;

    rm_ReplyWithArray(sk->ctx, RM_POSTPONED_LEN);
    while (sessions_iter_next(&iter, &c)) {
        if (session.ptr != NULL && !notify_str_eq(session, c.session))
            continue;
        reply_connection(sk->ctx, &c);
        count++;
    }
    rm_ReplySetArrayLength(sk->ctx, count);
}

static bool take_session(struct args *args, void *into)
{
    return args_take_str(args, "SESSION", into);
}

/* NOTIFY.SESSION LIST key [SESSION session] */
int cmd_session_list(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    static const struct arg_option options[] = {ARG_OPTION("SESSION", take_session)};
    struct notify_str session = {NULL, 0};
    struct sessions_key sk;
    struct args args;
    uint32_t seen;

    args_init(&args, argv, argc, 3);
    if (!args_take_options(&args, options, 1, &session, &seen))
        return reply_args_error(ctx, &args);
    if (!sessions_key_open_or_reply(&sk, ctx, argv[2], RM_READ))
        return RM_OK;
    reply_list(&sk, session);
    sessions_key_close(&sk);
    return RM_OK;
}

/* NOTIFY.SESSION COUNT key [CONNECTIONS] */
int cmd_session_count(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    static const struct arg_option options[] = {ARG_OPTION("CONNECTIONS", NULL)};
    struct sessions_counts counts;
    struct sessions_key sk;
    struct args args;
    uint32_t seen;

    args_init(&args, argv, argc, 3);
    if (!args_take_options(&args, options, 1, NULL, &seen))
        return reply_args_error(ctx, &args);
    if (!sessions_key_open_or_reply(&sk, ctx, argv[2], RM_READ))
        return RM_OK;
    counts = sessions_count(sk.set, clock_now(ctx));
    sessions_key_close(&sk);
    return rm_ReplyWithLongLong(ctx, (long long)(seen != 0 ? counts.connections : counts.sessions));
}

/* NOTIFY.SESSION HELP */
int cmd_session_help(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    static const char *const lines[] = {
        "NOTIFY.SESSION <subcommand> [<arg> [value] ...]. Subcommands are:",
        "OPEN <key> <session> <connection> LEASE <ms> [NODE <name>] [ADDR <addr>] [META <json>]",
        "     [MAXCONN <n>] [MAXSESSIONS <n>] [AGAIN]",
        "    Adds a connection (1) or renews it (0), unless a limit is reached.",
        "TOUCH <key> LEASE <ms> <connection> [<connection> ...]",
        "    Renews leases; replies how many of the connections are still alive.",
        "RENEW LEASE <ms> <key> <connection> [<key> <connection> ...]",
        "    Renews one lease in each of many sets; replies which pairs are not alive.",
        "CLOSE <key> <connection> [<connection> ...]",
        "    Removes connections; replies how many there were.",
        "LIST <key> [SESSION <session>]",
        "    Replies the connections, all or those of a session.",
        "COUNT <key> [CONNECTIONS]",
        "    Replies the number of sessions, or of connections.",
        "KICK <key> <session>|*",
        "    Removes the connections of a session, or of all, and tells bridges to close them.",
        "DROPNODE <key> <node>",
        "    Removes the connections that a node held.",
        "HELP",
        "    Prints this help.",
    };

    (void)argv, (void)argc;
    rm_ReplyWithArray(ctx, sizeof lines / sizeof lines[0]);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        rm_ReplyWithSimpleString(ctx, lines[i]);
    return RM_OK;
}
