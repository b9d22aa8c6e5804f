/* cmd_session -- NOTIFY.SESSION OPEN, TOUCH, RENEW, CLOSE, KICK and DROPNODE: who is connected.
 *
 * Limits are decided here, in one command, and so hold over all bridges. What is replicated is
 * NOTIFY.SESSION APPLY (sessions_effect.h), whatever the command was. */
#include "commands/commands.h"

#include "server/config.h"
#include "server/info.h"
#include "server/publish.h"
#include "base/limits.h"
#include "base/json_text.h"
#include "server/reply.h"
#include "base/scratch.h"
#include "commands/session_change.h"
#include "sessions/sessions_lookup.h"
#include "base/utf8.h"
#include "base/versions.h"

#define RENEW_MAX 64                    /* connections in one RENEW */
#define LEASE_MAX_MS UINT64_C(86400000) /* a day: a lease is there to be renewed */

static bool take_lease(struct args *args, uint64_t *ret_lease_ms)
{
    return args_take_number(args, "LEASE", 1, LEASE_MAX_MS, ret_lease_ms);
}

static uint64_t lease_end(uint64_t now_ms, uint64_t lease_ms)
{
    return now_ms + lease_ms < SESSIONS_TIME_MAX ? now_ms + lease_ms : SESSIONS_TIME_MAX;
}

/* A session, connection, node or address. */
static bool take_name(struct args *args, const char *name, struct notify_str *ret_text)
{
    struct notify_str text;

    if (!args_take_str(args, name, &text))
        return false;
    if (text.len < 1 || text.len > LIMIT_SESSION || !utf8_is_valid(text))
        return args_fail(args, "ERR %s must be 1 to %d bytes of valid UTF-8", name, LIMIT_SESSION);
    *ret_text = text;
    return true;
}

/* ---- OPEN ---- */

struct open {
    struct sessions_connection connection;
    uint64_t lease_ms;                      /* for how long */
    uint64_t max_connections, max_sessions; /* 0: as many as there is room for */
    bool again;                             /* it was open before, and may have been kicked since */
};

static bool take_open_lease(struct args *args, void *into)
{
    return take_lease(args, &((struct open *)into)->lease_ms);
}

static bool take_node(struct args *args, void *into)
{
    return take_name(args, "NODE", &((struct open *)into)->connection.node);
}

static bool take_addr(struct args *args, void *into)
{
    return take_name(args, "ADDR", &((struct open *)into)->connection.addr);
}

static bool take_meta(struct args *args, void *into)
{
    struct text_buf *minified = scratch_body();
    struct open *open = into;
    struct notify_str text;

    if (!args_take_str(args, "META", &text))
        return false;
    if (!json_text_minify(minified, text) || minified->len > LIMIT_META)
        return args_fail(args, "ERR META must be one JSON value of at most %d bytes", LIMIT_META);
    if (minified->failed)
        return args_fail(args, "ERR not enough memory; nothing was changed");
    open->connection.meta = text_buf_str(minified);
    return true;
}

static bool take_limit(struct args *args, const char *name, uint64_t *ret_limit)
{
    return args_take_number(args, name, 1, LIMIT_CONNECTIONS, ret_limit);
}

static bool take_maxconn(struct args *args, void *into)
{
    return take_limit(args, "MAXCONN", &((struct open *)into)->max_connections);
}

static bool take_maxsessions(struct args *args, void *into)
{
    return take_limit(args, "MAXSESSIONS", &((struct open *)into)->max_sessions);
}

static bool take_again(struct args *args, void *into)
{
    (void)args;
    ((struct open *)into)->again = true;
    return true;
}

static const struct arg_option open_options[] = {
    ARG_OPTION("LEASE", take_open_lease), ARG_OPTION("NODE", take_node),
    ARG_OPTION("ADDR", take_addr),        ARG_OPTION_TEXT("META", take_meta),
    ARG_OPTION("MAXCONN", take_maxconn),  ARG_OPTION("MAXSESSIONS", take_maxsessions),
    ARG_OPTION("AGAIN", take_again),
};
enum { OPEN_OPTIONS = sizeof open_options / sizeof open_options[0] };

static bool parse_open(struct args *args, struct open *open)
{
    uint32_t seen;

    if (!take_name(args, "session", &open->connection.session) ||
        !take_name(args, "connection", &open->connection.connection))
        return false;
    if (notify_str_eq(open->connection.session, NOTIFY_STR("*")))
        return args_fail(args, "ERR session must not be '*', which KICK takes for every session");
    if (!args_take_options(args, open_options, OPEN_OPTIONS, open, &seen))
        return false;
    if (open->lease_ms == 0)
        return args_fail(args, "ERR syntax error: OPEN needs LEASE ms");
    return args_check_key(args, args->argv[2]);
}

/* How many connections a set may have. Of an upgrade that is under way not all can load more. */
static long long most_connections(void)
{
    long long most = config_get()->session_max_connections;

    return config_writes(WRITE_VERSION_LARGE_SETS) || most < WRITE_SMALL_SET ? most
                                                                             : WRITE_SMALL_SET;
}

/* Is there room for a connection that is not there yet? */
static bool check_limits(struct session_change *change, const struct open *open)
{
    const struct sessions *set = change->sk.set;
    size_t connections = sessions_connections_of(set, open->connection.session, change->now_ms);
    struct sessions_counts all = sessions_count(set, change->now_ms);
    long long most = most_connections();

    if (open->max_connections > 0 && connections >= open->max_connections)
        return args_fail(&change->args,
                         "LIMIT too many connections: the session has %zu, MAXCONN is %d",
                         connections, (int)open->max_connections);
    if (open->max_sessions > 0 && connections == 0 && all.sessions >= open->max_sessions)
        return args_fail(&change->args,
                         "LIMIT too many sessions: the set has %zu, MAXSESSIONS is %d",
                         all.sessions, (int)open->max_sessions);
    if (all.connections >= (size_t)most)
        return args_fail(&change->args,
                         "LIMIT too many connections: a session set holds at most %lld "
                         "(notify.session-max-connections)",
                         most);
    return true;
}

/* Whether the connection may be opened; completes what is to be known of it. */
static bool check_open(struct session_change *change, struct open *open, bool *ret_is_new)
{
    struct sessions_connection *connection = &open->connection;
    struct sessions_connection known;
    bool is_known = sessions_find(change->sk.set, connection->connection, &known);

    *ret_is_new = !is_known || known.lease_ms <= change->now_ms;
    if (is_known && !notify_str_eq(known.session, connection->session))
        return args_fail(&change->args, "ERR connection belongs to another session");
    if (*ret_is_new && open->again && session_change_was_kicked(change, connection->connection))
        return args_fail(&change->args, "KICKED the connection was kicked while its lease lasted");
    if (*ret_is_new && !check_limits(change, open)) {
        info_count(INFO_OPENS_REFUSED, 1);
        return false;
    }
    connection->lease_ms = lease_end(change->now_ms, open->lease_ms);
    connection->opened_ms = *ret_is_new ? change->now_ms : known.opened_ms;
    return true;
}

static int run_open(struct session_change *change)
{
    struct open open = {.lease_ms = 0};
    bool is_new;

    if (!parse_open(&change->args, &open))
        return reply_args_error(change->ctx, &change->args);
    if (!session_change_open_or_reply(change) ||
        !session_change_sweep_or_reply(change, &open.connection))
        return RM_OK;
    if (!check_open(change, &open, &is_new))
        return reply_args_error(change->ctx, &change->args);
    if (!session_change_prepare_or_reply(change, 1))
        return RM_OK;
    /* Everything else has been checked. */
    if (sessions_plan_put(&change->sk.set, &open.connection, change->now_ms) < 0)
        return reply_no_memory(change->ctx);
    session_change_commit(change, "notify.session.open");
    return rm_ReplyWithLongLong(change->ctx, is_new);
}

/* NOTIFY.SESSION OPEN key session connection LEASE ms [NODE name] [ADDR addr] [META json]
 * [MAXCONN n] [MAXSESSIONS n] [AGAIN] */
int cmd_session_open(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct session_change change;

    session_change_init(&change, ctx, argv, argc);
    (void)run_open(&change);
    session_change_release(&change);
    return RM_OK;
}

/* ---- TOUCH and CLOSE ---- */

/* The connections that a command names: the rest of its arguments. */
static bool check_names(struct args *args)
{
    return args->argc - args->pos <= LIMIT_CONNECTIONS ||
           args_fail(args, "ERR there must be at most %d connections", LIMIT_CONNECTIONS);
}

/* Notes something about the connection at index. */
typedef void (*note_fn)(struct sessions *set, uint32_t index, uint64_t lease_ms);

/* How many of the connections named are alive: each is noted. */
static size_t note_named(struct session_change *change, note_fn note, uint64_t lease_ms)
{
    struct args *args = &change->args;
    struct sessions_lookup lookup;
    size_t count = 0;

    sessions_lookup_init(&lookup, change->sk.set, (size_t)(args->argc - args->pos));
    for (; !args_done(args); args->pos++) {
        uint32_t index = sessions_lookup_find(&lookup, args_at(args, args->pos));
        if (index == SESSIONS_NOWHERE)
            continue;
        note(change->sk.set, index, lease_ms);
        count++;
    }
    sessions_lookup_release(&lookup);
    return count;
}

static void note_removal(struct sessions *set, uint32_t index, uint64_t lease_ms)
{
    (void)lease_ms;
    sessions_plan_remove(set, index);
}

static int run_touch(struct session_change *change, uint64_t lease_ms)
{
    size_t named = (size_t)(change->args.argc - change->args.pos);
    size_t count;

    if (!session_change_open_or_reply(change))
        return RM_OK;
    if (change->sk.set == NULL)
        return rm_ReplyWithLongLong(change->ctx, 0);
    if (!session_change_sweep_or_reply(change, NULL) ||
        !session_change_prepare_or_reply(change, named))
        return RM_OK;
    count = note_named(change, sessions_plan_lease, lease_end(change->now_ms, lease_ms));
    session_change_commit(change, "notify.session.touch");
    return rm_ReplyWithLongLong(change->ctx, (long long)count);
}

/* NOTIFY.SESSION TOUCH key LEASE ms connection [connection …] */
int cmd_session_touch(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct session_change change;
    uint64_t lease_ms;

    session_change_init(&change, ctx, argv, argc);
    if (!args_take_keyword(&change.args, "LEASE"))
        (void)reply_error(ctx, "ERR syntax error: TOUCH needs LEASE ms before the connections");
    else if (!take_lease(&change.args, &lease_ms) || !check_names(&change.args))
        (void)reply_args_error(ctx, &change.args);
    else
        (void)run_touch(&change, lease_ms);
    session_change_release(&change);
    return RM_OK;
}

/* ---- RENEW ---- */

#define FIRST_PAIR 4
#define PAIR_WORDS 2

/* Is the connection alive, and so renewed? What is in a key of another type is not. pair: a key and
 * a connection, with at least two words before them. */
static bool renew(struct rm_ctx *ctx, struct rm_string **pair, uint64_t lease_ms)
{
    struct session_change change;
    size_t count = 0;

    session_change_init(&change, ctx, pair - 2, 2 + PAIR_WORDS);
    if (session_change_fetch(&change, 1)) {
        count = note_named(&change, sessions_plan_lease, lease_end(change.now_ms, lease_ms));
        session_change_commit(&change, "notify.session.touch");
    }
    session_change_release(&change);
    return count > 0;
}

/* May the user tell those who listen to each set? Replies if not; then nothing is done. */
static bool may_tell_all_or_reply(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    for (int at = FIRST_PAIR; publish_is_on(ctx) && at < argc; at += PAIR_WORDS)
        if (!publish_permitted_or_reply(ctx, argv[at]))
            return false;
    return true;
}

/* Published before the reply is begun (publish.h). */
static int run_renew(struct rm_ctx *ctx, struct rm_string **argv, int argc, uint64_t lease_ms)
{
    int lost[RENEW_MAX], count = 0;

    if (!may_tell_all_or_reply(ctx, argv, argc))
        return RM_OK;
    for (int at = FIRST_PAIR; at < argc; at += PAIR_WORDS)
        if (!renew(ctx, &argv[at], lease_ms))
            lost[count++] = (at - FIRST_PAIR) / PAIR_WORDS;
    rm_ReplyWithArray(ctx, count);
    for (int i = 0; i < count; i++)
        rm_ReplyWithLongLong(ctx, lost[i]);
    return RM_OK;
}

/* NOTIFY.SESSION RENEW LEASE ms key connection [key connection …]: a bridge has a connection in
 * each of thousands of sets, and a command for each would cost more than what it does. */
int cmd_session_renew(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct args args;
    uint64_t lease_ms;

    args_init(&args, argv, argc, 2);
    if (!args_take_keyword(&args, "LEASE"))
        return reply_error(ctx, "ERR syntax error: RENEW needs LEASE ms before the keys");
    if (!take_lease(&args, &lease_ms))
        return reply_args_error(ctx, &args);
    if (argc % PAIR_WORDS != 0)
        return reply_error(ctx, "ERR syntax error: each key needs its connection behind it");
    if (argc > FIRST_PAIR + PAIR_WORDS * RENEW_MAX) {
        args_fail(&args, "ERR there must be at most %d keys", RENEW_MAX);
        return reply_args_error(ctx, &args);
    }
    return run_renew(ctx, argv, argc, lease_ms);
}

/* ---- what removes ---- */

/* Notes in change->sk.set what goes; returns how many. */
typedef size_t (*remove_fn)(struct session_change *change, void *ctx);

static int run_removal(struct session_change *change, const char *event, remove_fn remove,
                       void *ctx)
{
    size_t count;

    if (!session_change_open_or_reply(change))
        return RM_OK;
    if (change->sk.set == NULL)
        return rm_ReplyWithLongLong(change->ctx, 0);
    if (!session_change_sweep_or_reply(change, NULL))
        return RM_OK;
    count = remove(change, ctx);
    if (!session_change_prepare_or_reply(change, 0))
        return RM_OK;
    session_change_commit(change, event);
    return rm_ReplyWithLongLong(change->ctx, (long long)count);
}

static size_t remove_named(struct session_change *change, void *ctx)
{
    (void)ctx;
    return note_named(change, note_removal, 0);
}

/* NOTIFY.SESSION CLOSE key connection [connection …] */
int cmd_session_close(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct session_change change;

    session_change_init(&change, ctx, argv, argc);
    if (!check_names(&change.args))
        (void)reply_args_error(ctx, &change.args);
    else
        (void)run_removal(&change, "notify.session.close", remove_named, NULL);
    session_change_release(&change);
    return RM_OK;
}

static bool is_of_session(void *ctx, const struct sessions_connection *connection)
{
    const struct notify_str *session = ctx;

    return notify_str_eq(*session, NOTIFY_STR("*")) || notify_str_eq(*session, connection->session);
}

static size_t remove_kicked(struct session_change *change, void *ctx)
{
    (void)ctx;
    return sessions_plan_remove_if(change->sk.set, is_of_session, &change->kicked);
}

/* NOTIFY.SESSION KICK key session|* */
int cmd_session_kick(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct session_change change;

    session_change_init(&change, ctx, argv, argc);
    if (!take_name(&change.args, "session", &change.kicked))
        (void)reply_args_error(ctx, &change.args);
    else
        (void)run_removal(&change, "notify.session.kick", remove_kicked, NULL);
    session_change_release(&change);
    return RM_OK;
}

static bool is_of_node(void *ctx, const struct sessions_connection *connection)
{
    return notify_str_eq(*(const struct notify_str *)ctx, connection->node);
}

static size_t remove_of_node(struct session_change *change, void *ctx)
{
    return sessions_plan_remove_if(change->sk.set, is_of_node, ctx);
}

/* NOTIFY.SESSION DROPNODE key node */
int cmd_session_dropnode(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct session_change change;
    struct notify_str node;

    session_change_init(&change, ctx, argv, argc);
    if (!take_name(&change.args, "node", &node))
        (void)reply_args_error(ctx, &change.args);
    else
        (void)run_removal(&change, "notify.session.dropnode", remove_of_node, &node);
    session_change_release(&change);
    return RM_OK;
}
