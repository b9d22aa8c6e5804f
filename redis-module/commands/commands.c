/* commands -- see commands.h.
 *
 * No command carries "pubsub" or a channels flag: with those, servers execute a keyed write on the
 * wrong node while its slot moves (redis#13276, valkey#13). Channel permissions are checked by
 * hand. */
#include "commands/commands.h"

#include <stdio.h>
#include <string.h>

#include "commands/command_args.h"
#include "commands/command_keys.h"
#include "server/replay.h"
#include "server/reply.h"

#define SINCE_FIRST "0.1.0"

/* What is to be known around every command. */
static int run(struct rm_ctx *ctx, struct rm_string **argv, int argc, rm_command_fn command)
{
    int rc;

    replay_begin(ctx, argv, argc);
    rc = command(ctx, argv, argc);
    replay_end();
    return rc;
}

/* run_NAME: cmd_NAME of commands.h. */
#define HANDLER(name)                                                                              \
    static int run_##name(struct rm_ctx *ctx, struct rm_string **argv, int argc)                   \
    {                                                                                              \
        return run(ctx, argv, argc, cmd_##name);                                                   \
    }

/* The same of a command in which only servers talk: a client gets none of it, whatever its rights,
 * and be it out of a script or another module. */
#define INTERNAL_HANDLER(name)                                                                     \
    static int replay_##name(struct rm_ctx *ctx, struct rm_string **argv, int argc)                \
    {                                                                                              \
        return replay_now() ? cmd_##name(ctx, argv, argc) : reply_internal(ctx);                   \
    }                                                                                              \
    static int run_##name(struct rm_ctx *ctx, struct rm_string **argv, int argc)                   \
    {                                                                                              \
        return run(ctx, argv, argc, replay_##name);                                                \
    }

static int reply_internal(struct rm_ctx *ctx)
{
    return reply_error(
        ctx, "ERR this command is internal: it is taken from the primary and the AOF alone");
}

HANDLER(send)
HANDLER(event)
HANDLER(signal)
HANDLER(sendmany)
HANDLER(get)
HANDLER(range)
HANDLER(revrange)
HANDLER(feed)
HANDLER(since)
HANDLER(unread)
HANDLER(badge)
HANDLER(count)
HANDLER(cursors)
HANDLER(view)
HANDLER(follow)
HANDLER(unfollow)
HANDLER(len)
HANDLER(info)
HANDLER(verify)
HANDLER(read)
HANDLER(readall)
HANDLER(mark)
HANDLER(seen)
HANDLER(del)
HANDLER(trim)
HANDLER(mute)
HANDLER(unmute)
HANDLER(help)
INTERNAL_HANDLER(restorebox)
HANDLER(session_open)
HANDLER(session_touch)
HANDLER(session_renew)
HANDLER(session_close)
HANDLER(session_list)
HANDLER(session_count)
HANDLER(session_kick)
HANDLER(session_dropnode)
INTERNAL_HANDLER(session_apply)
HANDLER(session_help)

/* Redis 8 then does not even show such a command to clients. Elsewhere nobody knows the word. */
#define INTERNAL " internal"

static const struct command {
    const char *name;
    rm_command_fn run;
    const char *flags;
    const char *acl; /* categories, where the server lets a module say so */
    int arity;
    enum key_use keys;
    const char *summary;
    const char *complexity;
    const char *tips;
    struct rm_arg *args;
} commands[] = {
    {"NOTIFY.SEND", run_send, "write deny-oom fast", "write fast", -3, KEY_INSERT,
     "Stores a notification in a box, counts it as unread and publishes it on the channel that has "
     "the key's name.",
     "O(1), O(N) when it trims N entries", "nondeterministic_output", command_args_send},
    {"NOTIFY.EVENT", run_event, "write deny-oom fast", "write fast", -3, KEY_INSERT,
     "Stores an event, which is never counted as unread, in a box and publishes it; NOSTORE only "
     "publishes.",
     "O(1), O(N) when it trims N entries", "nondeterministic_output", command_args_event},
    {"NOTIFY.SIGNAL", run_signal, "may-replicate fast", "fast", -3, KEY_READ,
     "Publishes an event on the channel of a box and stores nothing.", "O(1)", NULL,
     command_args_signal},
    {"NOTIFY.SENDMANY", run_sendmany, "write deny-oom getkeys-api", "write slow", -4,
     KEY_INSERT_MANY, "Sends one notification to several boxes.", "O(N) for N keys",
     "nondeterministic_output", command_args_sendmany},
    {"NOTIFY.GET", run_get, "readonly fast getkeys-api", "read fast", -3, KEY_READ_LOG,
     "Returns the entries with the given ids, nil for each that does not exist.",
     "O(N*log(M)) for N ids in a box of M entries", NULL, command_args_get},
    {"NOTIFY.RANGE", run_range, "readonly getkeys-api", "read slow", -4, KEY_READ_LOG,
     "Returns the entries of a box within a range of ids, oldest first.",
     "O(log(M)+N) with N entries looked at in a box of M", NULL, command_args_range},
    {"NOTIFY.REVRANGE", run_revrange, "readonly getkeys-api", "read slow", -4, KEY_READ_LOG,
     "Returns the entries of a box within a range of ids, newest first.",
     "O(log(M)+N) with N entries looked at in a box of M", NULL, command_args_revrange},
    {"NOTIFY.FEED", run_feed, "readonly getkeys-api", "read slow", -2, KEY_READ_LOGS,
     "Returns the entries of a box and of logs that it follows as one list, newest first.",
     "O(N*log(K)) for N entries looked at in K boxes; with TOTAL in all of each", NULL,
     command_args_feed},
    {"NOTIFY.SINCE", run_since, "readonly getkeys-api", "read slow", -3, KEY_PAIRS,
     "Returns, for each box that has news, the messages after the given position and what has been "
     "lost.",
     "O(K+N) for K keys and N messages", NULL, command_args_since},
    {"NOTIFY.UNREAD", run_unread, "readonly getkeys-api", "read slow", -2, KEY_READ_LOGS,
     "Returns the number of unread notifications of a box, or of some of its categories, and of "
     "logs that it follows.",
     "O(1), with CATEGORY O(N) for N categories, with BY O(N) for N entries; for each log as "
     "NOTIFY.COUNT, and "
     "O(E*log(M)) for E entries that were marked out of order",
     NULL, command_args_unread},
    {"NOTIFY.BADGE", run_badge, "readonly getkeys-api", "read slow", -2, KEY_READ_LOGS,
     "Returns what a client shows when it connects: unread and unseen counts, highest unread "
     "level, "
     "last id and revision.",
     "O(N) for N categories of the box, with CATEGORY for N entries; for each log as NOTIFY.UNREAD",
     NULL, command_args_badge},
    {"NOTIFY.COUNT", run_count, "readonly getkeys-api", "read slow", -4, KEY_READ_LOG,
     "Returns the number of notifications of a box within a range of ids, or of entries with a "
     "state.",
     "O(log(M)+S) for S segments in the range of a box of M entries; O(N) for N entries in it with "
     "any option",
     NULL, command_args_count},
    {"NOTIFY.CURSORS", run_cursors, "readonly", "read slow", -2, KEY_READ,
     "Returns where a box stands in each log that it follows, or the words that tell it to "
     "NOTIFY.VIEW.",
     "O(N) for N logs and exceptions", NULL, command_args_cursors},
    {"NOTIFY.VIEW", run_view, "readonly", "read slow", -3, KEY_READ,
     "Returns what a box elsewhere has not read of a log, and entries as it sees them, by the word "
     "for its cursor.",
     "O(N) for the N bytes of the word, then as NOTIFY.UNREAD and NOTIFY.RANGE of a log", NULL,
     command_args_view},
    {"NOTIFY.FOLLOW", run_follow, "write deny-oom getkeys-api", "write slow", -3, KEY_FOLLOW,
     "Makes a box follow logs: other boxes whose notifications count for it until it has read "
     "them.",
     "O(N*log(M)) for N logs of a box that follows M", NULL, command_args_follow},
    {"NOTIFY.UNFOLLOW", run_unfollow, "write getkeys-api", "write slow", -3, KEY_UNFOLLOW,
     "Ends the following of logs and forgets what has been read of them.",
     "O(N*log(M)) for N logs of a box that follows M", NULL, command_args_unfollow},
    {"NOTIFY.LEN", run_len, "readonly fast", "read fast", 2, KEY_READ,
     "Returns the number of live entries of a box.", "O(1)", NULL, command_args_key},
    {"NOTIFY.INFO", run_info, "readonly", "read slow", 2, KEY_READ,
     "Returns lengths, counts, first and last ids, categories and memory of a box.",
     "O(N) for N categories of the box", NULL, command_args_key},
    {"NOTIFY.VERIFY", run_verify, "readonly", "read slow", 2, KEY_READ,
     "Recounts a box and returns its stored and its true counters.", "O(N) for N entries", NULL,
     command_args_key},
    {"NOTIFY.READ", run_read, "write fast getkeys-api", "write fast", -3, KEY_UPDATE_LOG,
     "Marks notifications as read and returns how many were not.",
     "O(N*log(M)) for N ids in a box of M entries", NULL, command_args_read},
    {"NOTIFY.READALL", run_readall, "write getkeys-api", "write slow", -2, KEY_UPDATE_LOGS,
     "Marks all notifications, or those up to an id or of a category, as read.",
     "O(N) for N entries", NULL, command_args_readall},
    {"NOTIFY.MARK", run_mark, "write getkeys-api", "write slow", -4, KEY_UPDATE_LOG,
     "Changes the state of entries: read or unread, seen, archived or unarchived.",
     "O(N*log(M)) for N ids in a box of M entries, O(M) with ENTITY", NULL, command_args_mark},
    {"NOTIFY.SEEN", run_seen, "write getkeys-api", "write slow", -2, KEY_UPDATE_LOGS,
     "Marks all notifications, or those up to an id, as seen.", "O(N) for N entries", NULL,
     command_args_seen},
    {"NOTIFY.DEL", run_del, "write", "write slow", -3, KEY_DELETE,
     "Deletes entries and returns how many there were.",
     "O(N*log(M)) for N ids in a box of M entries, O(M) with ENTITY", NULL, command_args_del},
    {"NOTIFY.TRIM", run_trim, "write", "write slow", -4, KEY_DELETE,
     "Removes the oldest entries: all but the newest n, or those before an id.",
     "O(N) for N entries removed", NULL, command_args_trim},
    {"NOTIFY.MUTE", run_mute, "write deny-oom", "write slow", -3, KEY_INSERT,
     "Mutes categories of a box: their notifications are stored, but not counted.",
     "O(N+M) for N categories in a box of M entries", NULL, command_args_mute},
    {"NOTIFY.UNMUTE", run_unmute, "write", "write slow", -3, KEY_UPDATE,
     "Counts the notifications of muted categories again.",
     "O(N+M) for N categories in a box of M entries", NULL, command_args_mute},
    {"NOTIFY.HELP", run_help, "fast allow-loading allow-stale", "fast", -1, KEY_NONE,
     "Returns how each command is written and what it does.", "O(1)", NULL, command_args_help},
    {"NOTIFY.RESTOREBOX", run_restorebox, "write deny-oom" INTERNAL, "write slow", -3, KEY_INSERT,
     "Internal: restores a box, or the next part of one, from a rewritten AOF or a slot migration.",
     "O(N) for N entries", NULL, command_args_restorebox},
    {"NOTIFY.SESSION", NULL, "", "slow", -2, KEY_NONE,
     "A container for the commands about session sets: who is connected.",
     "O(1), see the subcommands", NULL, command_args_none},
    {"NOTIFY.SESSION|OPEN", run_session_open, "write deny-oom fast", "write fast", -7,
     KEY_SUB_INSERT,
     "Adds a connection to a session set or renews it, unless the session has too many already.",
     "O(N) for N connections of the set", NULL, command_args_session_open},
    {"NOTIFY.SESSION|TOUCH", run_session_touch, "write fast", "write fast", -6, KEY_SUB_UPDATE,
     "Renews the leases of connections and returns how many of them are still alive.",
     "O(N+M) for M connections named and N of the set", NULL, command_args_session_touch},
    {"NOTIFY.SESSION|RENEW", run_session_renew, "write fast", "write fast", -6, KEY_SUB_PAIRS,
     "Renews the lease of one connection in each of many session sets and returns which are gone.",
     "O(N) for N connections of all these sets", NULL, command_args_session_renew},
    {"NOTIFY.SESSION|CLOSE", run_session_close, "write fast", "write fast", -4, KEY_SUB_DELETE,
     "Removes connections and returns how many were alive.",
     "O(N+M) for M connections named and N of the set", NULL, command_args_session_close},
    {"NOTIFY.SESSION|LIST", run_session_list, "readonly", "read slow", -3, KEY_SUB_READ,
     "Returns the connections of a session set, or of one session.",
     "O(N) for N connections of the set", "nondeterministic_output", command_args_session_list},
    {"NOTIFY.SESSION|COUNT", run_session_count, "readonly fast", "read fast", -3, KEY_SUB_READ,
     "Returns the number of sessions of a session set, or of its connections.",
     "O(N) for N connections of the set", "nondeterministic_output", command_args_session_count},
    {"NOTIFY.SESSION|KICK", run_session_kick, "write", "write slow", 4, KEY_SUB_DELETE,
     "Removes the connections of a session, or of all, and publishes that bridges are to close "
     "them.",
     "O(N) for N connections of the set", NULL, command_args_session_kick},
    {"NOTIFY.SESSION|DROPNODE", run_session_dropnode, "write", "write slow", 4, KEY_SUB_DELETE,
     "Removes the connections that a node held and returns how many there were.",
     "O(N) for N connections of the set", NULL, command_args_session_dropnode},
    {"NOTIFY.SESSION|APPLY", run_session_apply, "write deny-oom" INTERNAL, "write slow", -4,
     KEY_SUB_INSERT,
     "Internal: applies the changes of a session set that another server or the AOF tells of.",
     "O(N+M) for M renewed or removed of N connections, O(N) for each one that is added", NULL,
     command_args_session_apply},
    {"NOTIFY.SESSION|HELP", run_session_help, "fast allow-loading allow-stale", "fast", 2, KEY_NONE,
     "Returns helpful text about the subcommands.", "O(1)", NULL, command_args_none},
};

static bool describe(const struct command *row, struct rm_command *command)
{
    static const struct rm_info_version version = {
        1, sizeof(struct rm_history), sizeof(struct rm_key_spec), sizeof(struct rm_arg)};
    struct rm_command_info info = {
        .version = &version,
        .summary = row->summary,
        .complexity = row->complexity,
        .since = SINCE_FIRST,
        .tips = row->tips,
        .arity = row->arity,
        .key_specs = command_keys_specs(row->keys),
        .args = row->args,
    };

    return rm_SetCommandInfo(command, &info) == RM_OK;
}

/* Redis 7.0 lets no module do this; users get their commands by name there. */
static void set_acl_categories(const struct command *row, struct rm_command *command, bool has_own)
{
    char categories[64];

    if (rm_SetCommandACLCategories == NULL)
        return;
    snprintf(categories, sizeof categories, "%s%s", row->acl, has_own ? " notify" : "");
    (void)rm_SetCommandACLCategories(command, categories); /* a help, not a safeguard */
}

/* A row "NAME|SUB" is a subcommand of the row "NAME", which comes before it and has no handler.
 * Real subcommands, as each has its own key specification, flags, documentation and ACL rule. */
static int create_with(struct rm_ctx *ctx, const struct command *row, const char *flags)
{
    const char *bar = strchr(row->name, '|');
    struct command_key_range keys = command_keys_range(row->keys);
    char container[64];

    if (bar == NULL)
        return rm_CreateCommand(ctx, row->name, row->run, flags, keys.first, keys.last, keys.step);
    snprintf(container, sizeof container, "%.*s", (int)(bar - row->name), row->name);
    return rm_CreateSubcommand(rm_GetCommand(ctx, container), bar + 1, row->run, flags, keys.first,
                               keys.last, keys.step);
}

static struct rm_command *create(struct rm_ctx *ctx, const struct command *row)
{
    const char *internal = strstr(row->flags, INTERNAL);
    char flags[64];
    int rc = create_with(ctx, row, row->flags);

    if (rc != RM_OK && internal != NULL) {
        snprintf(flags, sizeof flags, "%.*s", (int)(internal - row->flags), row->flags);
        rc = create_with(ctx, row, flags);
    }
    return rc == RM_OK ? rm_GetCommand(ctx, row->name) : NULL;
}

bool commands_init(struct rm_ctx *ctx)
{
    bool has_own = rm_AddACLCategory != NULL && rm_AddACLCategory(ctx, "notify") == RM_OK;

    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const struct command *row = &commands[i];
        struct rm_command *command = create(ctx, row);

        if (command == NULL || !describe(row, command))
            return false;
        set_acl_categories(row, command, has_own);
    }
    return true;
}

bool commands_at(size_t index, struct command_text *ret_text)
{
    if (index >= sizeof commands / sizeof commands[0])
        return false;
    *ret_text = (struct command_text){commands[index].name, commands[index].summary,
                                      commands[index].complexity, commands[index].args};
    return true;
}
