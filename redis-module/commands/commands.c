/* commands -- see commands.h.
 *
 * No command carries "pubsub" or a channels flag: with those, servers execute a keyed write on the
 * wrong node while its slot moves (redis#13276, valkey#13). Channel permissions are checked by
 * hand. */
#include "commands/commands.h"

#include <stdio.h>
#include <string.h>

#include "server/replay.h"
#include "server/reply.h"

#define SINCE_FIRST "0.1.0"

/* ---- arguments, as COMMAND DOCS shows them ---- */

#define ARG(arg_name, arg_type, arg_token, arg_flags)                                              \
    {                                                                                              \
        .name = (arg_name), .type = (arg_type), .key_spec_index = -1, .token = (arg_token),        \
        .flags = (arg_flags)                                                                       \
    }
#define ARG_SUB(arg_name, arg_type, arg_token, arg_flags, arg_subargs)                             \
    {                                                                                              \
        .name = (arg_name), .type = (arg_type), .key_spec_index = -1, .token = (arg_token),        \
        .flags = (arg_flags), .subargs = (arg_subargs)                                             \
    }
#define TOKEN(arg_name, arg_token) ARG(arg_name, RM_ARG_PURE_TOKEN, arg_token, 0)
#define OPTION(arg_name, arg_token) ARG(arg_name, RM_ARG_PURE_TOKEN, arg_token, RM_ARG_OPTIONAL)
#define OPTION_STR(arg_name, arg_token) ARG(arg_name, RM_ARG_STRING, arg_token, RM_ARG_OPTIONAL)
#define OPTION_INT(arg_name, arg_token) ARG(arg_name, RM_ARG_INTEGER, arg_token, RM_ARG_OPTIONAL)
#define OPTION_TIME(arg_name, arg_token) ARG(arg_name, RM_ARG_UNIX_TIME, arg_token, RM_ARG_OPTIONAL)
#define OPTION_ONEOF(arg_name, arg_token, choices)                                                 \
    ARG_SUB(arg_name, RM_ARG_ONEOF, arg_token, RM_ARG_OPTIONAL, choices)
#define KEY                                                                                        \
    {                                                                                              \
        .name = "key", .type = RM_ARG_KEY, .key_spec_index = 0                                     \
    }
#define IDS ARG("id", RM_ARG_STRING, NULL, RM_ARG_MULTIPLE)
#define NOPUBLISH OPTION("nopublish", "NOPUBLISH")
/* A log beside the key: a key of the second specification. */
#define LOG_ARG(arg_token, arg_flags)                                                              \
    {                                                                                              \
        .name = "log", .type = RM_ARG_KEY, .key_spec_index = 1, .token = (arg_token),              \
        .flags = (arg_flags)                                                                       \
    }
#define LOG LOG_ARG("LOG", RM_ARG_OPTIONAL)
#define BYNAME OPTION("byname", "BYNAME")
#define END                                                                                        \
    {                                                                                              \
        .name = NULL                                                                               \
    }

static struct rm_arg level_names[] = {
    TOKEN("info", "INFO"),   TOKEN("success", "SUCCESS"),   TOKEN("warning", "WARNING"),
    TOKEN("error", "ERROR"), TOKEN("critical", "CRITICAL"), END,
};
#define LEVEL OPTION_ONEOF("level", "LEVEL", level_names)
static struct rm_arg least_level[] = {
    OPTION("or-above", ">="),
    ARG_SUB("level", RM_ARG_ONEOF, NULL, 0, level_names),
    END,
};
#define LEVELS ARG_SUB("levels", RM_ARG_BLOCK, "LEVEL", RM_ARG_OPTIONAL, least_level)

static struct rm_arg nx_or_xx[] = {TOKEN("nx", "NX"), TOKEN("xx", "XX"), END};
#define CONDITION OPTION_ONEOF("condition", NULL, nx_or_xx)

static struct rm_arg entity_parts[] = {
    ARG("type", RM_ARG_STRING, NULL, 0),
    ARG("id", RM_ARG_STRING, NULL, 0),
    END,
};
#define ENTITY ARG_SUB("entity", RM_ARG_BLOCK, "ENTITY", RM_ARG_OPTIONAL, entity_parts)

static struct rm_arg expiries[] = {
    ARG("seconds", RM_ARG_INTEGER, "EX", 0),
    ARG("milliseconds", RM_ARG_INTEGER, "PX", 0),
    ARG("unix-time-seconds", RM_ARG_UNIX_TIME, "EXAT", 0),
    ARG("unix-time-milliseconds", RM_ARG_UNIX_TIME, "PXAT", 0),
    END,
};
#define EXPIRY OPTION_ONEOF("expiry", NULL, expiries)

#define TOKENS                                                                                     \
    OPTION_STR("collapse-token", "COLLAPSE"), OPTION_STR("idempotency-token", "IDEMPOTENT")

#define SEND_OPTIONS                                                                               \
    ARG("title", RM_ARG_STRING, NULL, 0), OPTION_STR("text", "CONTENT"),                           \
        OPTION_STR("type", "TYPE"), OPTION_STR("category", "CATEGORY"), LEVEL,                     \
        OPTION_STR("event", "EVENT"), OPTION_STR("action", "ACTION"), ENTITY,                      \
        OPTION_STR("data", "DATA"), EXPIRY, TOKENS, OPTION_INT("maxlen", "MAXLEN"),                \
        OPTION_STR("session", "EXCLUDE"), OPTION_STR("id", "ID"), CONDITION, NOPUBLISH,            \
        OPTION("withinfo", "WITHINFO")

static struct rm_arg send_args[] = {KEY, SEND_OPTIONS, END};
static struct rm_arg sendmany_args[] = {
    ARG("numkeys", RM_ARG_INTEGER, NULL, 0),
    {.name = "key", .type = RM_ARG_KEY, .key_spec_index = 0, .flags = RM_ARG_MULTIPLE},
    SEND_OPTIONS,
    END,
};

static struct rm_arg event_args[] = {
    KEY,
    ARG("name", RM_ARG_STRING, NULL, 0),
    OPTION_STR("data", "DATA"),
    OPTION_STR("category", "CATEGORY"),
    LEVEL,
    EXPIRY,
    TOKENS,
    OPTION_INT("maxlen", "MAXLEN"),
    OPTION_STR("session", "EXCLUDE"),
    OPTION_STR("id", "ID"),
    CONDITION,
    OPTION("nostore", "NOSTORE"),
    NOPUBLISH,
    OPTION("withinfo", "WITHINFO"),
    END,
};

static struct rm_arg signal_args[] = {
    KEY,
    ARG("name", RM_ARG_STRING, NULL, 0),
    OPTION_STR("data", "DATA"),
    OPTION_STR("category", "CATEGORY"),
    LEVEL,
    OPTION_STR("session", "EXCLUDE"),
    OPTION("withinfo", "WITHINFO"),
    END,
};

static struct rm_arg get_args[] = {KEY, IDS, LOG, OPTION("json", "JSON"), END};

static struct rm_arg state_names[] = {
    TOKEN("unread", "UNREAD"),     TOKEN("read", "READ"), TOKEN("unseen", "UNSEEN"),
    TOKEN("archived", "ARCHIVED"), TOKEN("all", "ALL"),   END,
};
#define CATEGORIES ARG("category", RM_ARG_STRING, "CATEGORY", RM_ARG_OPTIONAL | RM_ARG_MULTIPLE)
#define RANGE_OPTIONS                                                                              \
    OPTION_INT("count", "COUNT"), OPTION_ONEOF("state", NULL, state_names), CATEGORIES,            \
        OPTION_STR("type", "TYPE"), OPTION_STR("event", "EVENT"), LEVELS, ENTITY, LOG,             \
        OPTION("json", "JSON"), END

static struct rm_arg range_args[] = {
    KEY,
    ARG("start", RM_ARG_STRING, NULL, 0),
    ARG("end", RM_ARG_STRING, NULL, 0),
    RANGE_OPTIONS,
};
static struct rm_arg revrange_args[] = {
    KEY,
    ARG("end", RM_ARG_STRING, NULL, 0),
    ARG("start", RM_ARG_STRING, NULL, 0),
    RANGE_OPTIONS,
};

static struct rm_arg since_pair[] = {KEY, ARG("id", RM_ARG_STRING, NULL, 0), END};
static struct rm_arg since_args[] = {
    ARG_SUB("position", RM_ARG_BLOCK, NULL, RM_ARG_MULTIPLE, since_pair),
    OPTION_INT("count", "COUNT"),
    END,
};

static struct rm_arg logs_parts[] = {
    ARG("numkeys", RM_ARG_INTEGER, NULL, 0),
    LOG_ARG(NULL, RM_ARG_MULTIPLE),
    END,
};
#define LOGS ARG_SUB("logs", RM_ARG_BLOCK, "LOGS", RM_ARG_OPTIONAL, logs_parts)

static struct rm_arg updated_logs_parts[] = {
    ARG("numkeys", RM_ARG_INTEGER, NULL, 0),
    {.name = "log", .type = RM_ARG_KEY, .key_spec_index = 2, .flags = RM_ARG_MULTIPLE},
    END,
};
static struct rm_arg log_or_logs[] = {
    LOG_ARG("LOG", 0),
    ARG_SUB("logs", RM_ARG_BLOCK, "LOGS", 0, updated_logs_parts),
    END,
};
#define LOG_OR_LOGS OPTION_ONEOF("logs", NULL, log_or_logs)

static struct rm_arg feed_args[] = {
    KEY,
    LOGS,
    OPTION_STR("position", "BEFORE"),
    OPTION_INT("offset", "OFFSET"),
    OPTION_INT("count", "COUNT"),
    OPTION("total", "TOTAL"),
    OPTION_ONEOF("state", NULL, state_names),
    CATEGORIES,
    OPTION_STR("type", "TYPE"),
    OPTION_STR("event", "EVENT"),
    LEVELS,
    ENTITY,
    OPTION("json", "JSON"),
    END,
};
static struct rm_arg group_names[] = {
    TOKEN("category", "CATEGORY"),
    TOKEN("type", "TYPE"),
    TOKEN("level", "LEVEL"),
    TOKEN("entity", "ENTITY"),
    END,
};
static struct rm_arg unread_args[] = {
    KEY, OPTION_ONEOF("group", "BY", group_names), CATEGORIES, LOGS, END,
};
static struct rm_arg badge_args[] = {KEY, CATEGORIES, LOGS, END};
static struct rm_arg count_args[] = {
    KEY,
    ARG("start", RM_ARG_STRING, NULL, 0),
    ARG("end", RM_ARG_STRING, NULL, 0),
    OPTION_ONEOF("state", NULL, state_names),
    CATEGORIES,
    OPTION_STR("type", "TYPE"),
    OPTION_STR("event", "EVENT"),
    LEVELS,
    ENTITY,
    LOG,
    END,
};
static struct rm_arg follow_args[] = {
    KEY, LOG_ARG(NULL, RM_ARG_MULTIPLE), OPTION_STR("id", "FROM"), BYNAME, NOPUBLISH, END,
};
static struct rm_arg unfollow_args[] = {
    KEY, LOG_ARG(NULL, RM_ARG_MULTIPLE), BYNAME, NOPUBLISH, END,
};
static struct rm_arg key_args[] = {KEY, END};
static struct rm_arg words_parts[] = {
    TOKEN("words", "WORDS"),
    ARG("log", RM_ARG_STRING, NULL, RM_ARG_OPTIONAL | RM_ARG_MULTIPLE),
    END,
};
static struct rm_arg cursors_args[] = {
    KEY,
    ARG_SUB("words", RM_ARG_BLOCK, NULL, RM_ARG_OPTIONAL, words_parts),
    END,
};
static struct rm_arg ends_up[] = {
    ARG("start", RM_ARG_STRING, NULL, 0),
    ARG("end", RM_ARG_STRING, NULL, 0),
    END,
};
static struct rm_arg ends_down[] = {
    ARG("end", RM_ARG_STRING, NULL, 0),
    ARG("start", RM_ARG_STRING, NULL, 0),
    END,
};
static struct rm_arg directions[] = {
    ARG_SUB("range", RM_ARG_BLOCK, "RANGE", 0, ends_up),
    ARG_SUB("revrange", RM_ARG_BLOCK, "REVRANGE", 0, ends_down),
    END,
};
static struct rm_arg view_args[] = {
    KEY,
    ARG("cursor", RM_ARG_STRING, NULL, 0),
    OPTION_ONEOF("entries", NULL, directions),
    OPTION_INT("count", "COUNT"),
    OPTION_ONEOF("state", NULL, state_names),
    CATEGORIES,
    OPTION_STR("type", "TYPE"),
    OPTION_STR("event", "EVENT"),
    LEVELS,
    ENTITY,
    OPTION("json", "JSON"),
    END,
};
static struct rm_arg read_args[] = {KEY, IDS, LOG, BYNAME, NOPUBLISH, END};

static struct rm_arg readall_args[] = {
    KEY,
    OPTION_STR("id", "UPTO"),
    OPTION_STR("category", "CATEGORY"),
    LOG_OR_LOGS,
    BYNAME,
    NOPUBLISH,
    END,
};

static struct rm_arg mark_names[] = {
    TOKEN("read", "READ"),         TOKEN("unread", "UNREAD"),         TOKEN("seen", "SEEN"),
    TOKEN("archived", "ARCHIVED"), TOKEN("unarchived", "UNARCHIVED"), END,
};
static struct rm_arg targets[] = {
    IDS,
    ARG("token", RM_ARG_STRING, "TOKEN", 0),
    ARG_SUB("entity", RM_ARG_BLOCK, "ENTITY", 0, entity_parts),
    END,
};
#define TARGET ARG_SUB("entries", RM_ARG_ONEOF, NULL, 0, targets)

static struct rm_arg mark_args[] = {
    KEY, ARG_SUB("state", RM_ARG_ONEOF, NULL, 0, mark_names), TARGET, LOG, BYNAME, NOPUBLISH, END,
};

static struct rm_arg seen_args[] = {KEY, OPTION_STR("id", "UPTO"), LOG_OR_LOGS, BYNAME, NOPUBLISH,
                                    END};
static struct rm_arg del_args[] = {KEY, TARGET, NOPUBLISH, END};
static struct rm_arg mute_args[] = {
    KEY,
    ARG("category", RM_ARG_STRING, NULL, RM_ARG_MULTIPLE),
    NOPUBLISH,
    END,
};

static struct rm_arg trim_strategies[] = {
    ARG("maxlen", RM_ARG_INTEGER, "MAXLEN", 0),
    ARG("minid", RM_ARG_STRING, "MINID", 0),
    END,
};
static struct rm_arg trim_args[] = {
    KEY,
    ARG_SUB("strategy", RM_ARG_ONEOF, NULL, 0, trim_strategies),
    NOPUBLISH,
    END,
};

static struct rm_arg restorebox_args[] = {
    KEY,
    ARG("block", RM_ARG_STRING, NULL, RM_ARG_MULTIPLE),
    END,
};

#define SESSION ARG("session", RM_ARG_STRING, NULL, 0)
#define CONNECTIONS ARG("connection", RM_ARG_STRING, NULL, RM_ARG_MULTIPLE)
#define LEASE ARG("milliseconds", RM_ARG_INTEGER, "LEASE", 0)

static struct rm_arg session_open_args[] = {
    KEY,
    SESSION,
    ARG("connection", RM_ARG_STRING, NULL, 0),
    LEASE,
    OPTION_STR("node", "NODE"),
    OPTION_STR("addr", "ADDR"),
    OPTION_STR("meta", "META"),
    OPTION_INT("max-connections", "MAXCONN"),
    OPTION_INT("max-sessions", "MAXSESSIONS"),
    END,
};
static struct rm_arg session_touch_args[] = {KEY, LEASE, CONNECTIONS, END};
static struct rm_arg session_close_args[] = {KEY, CONNECTIONS, END};
static struct rm_arg session_list_args[] = {KEY, OPTION_STR("session", "SESSION"), END};
static struct rm_arg session_count_args[] = {KEY, OPTION("connections", "CONNECTIONS"), END};
static struct rm_arg session_dropnode_args[] = {KEY, ARG("node", RM_ARG_STRING, NULL, 0), END};

static struct rm_arg kick_targets[] = {SESSION, TOKEN("all", "*"), END};
static struct rm_arg session_kick_args[] = {
    KEY,
    ARG_SUB("target", RM_ARG_ONEOF, NULL, 0, kick_targets),
    END,
};

static struct rm_arg session_put_parts[] = {
    SESSION,
    ARG("connection", RM_ARG_STRING, NULL, 0),
    ARG("lease", RM_ARG_UNIX_TIME, NULL, 0),
    ARG("opened", RM_ARG_UNIX_TIME, NULL, 0),
    ARG("node", RM_ARG_STRING, NULL, 0),
    ARG("addr", RM_ARG_STRING, NULL, 0),
    ARG("meta", RM_ARG_STRING, NULL, 0),
    END,
};
static struct rm_arg session_lease_parts[] = {
    ARG("connection", RM_ARG_STRING, NULL, 0),
    ARG("lease", RM_ARG_UNIX_TIME, NULL, 0),
    END,
};
static struct rm_arg session_changes[] = {
    ARG_SUB("put", RM_ARG_BLOCK, "PUT", 0, session_put_parts),
    ARG_SUB("lease", RM_ARG_BLOCK, "LEASE", 0, session_lease_parts),
    ARG("close", RM_ARG_STRING, "CLOSE", 0),
    END,
};
static struct rm_arg session_apply_args[] = {
    KEY,
    ARG("rev", RM_ARG_INTEGER, NULL, 0),
    ARG_SUB("change", RM_ARG_ONEOF, NULL, RM_ARG_OPTIONAL | RM_ARG_MULTIPLE, session_changes),
    END,
};

static struct rm_arg help_args[] = {
    OPTION_STR("command", NULL),
    OPTION_STR("subcommand", NULL),
    END,
};

static struct rm_arg no_args[] = {END};

/* ---- keys ---- */

enum key_use {
    KEY_READ,
    KEY_INSERT,
    KEY_UPDATE,
    KEY_DELETE,
    KEY_INSERT_MANY, /* numkeys, keys */
    KEY_PAIRS,
    KEY_READ_LOG,    /* a key, and a log behind LOG */
    KEY_READ_LOGS,   /* a key, and logs behind LOGS */
    KEY_UPDATE_LOG,  /* a key, and a log behind LOG */
    KEY_UPDATE_LOGS, /* or behind LOGS several */
    KEY_FOLLOW,      /* a key, and logs up to the options */
    KEY_UNFOLLOW,
    KEY_SUB_READ, /* of a subcommand, whose name comes before the key */
    KEY_SUB_INSERT,
    KEY_SUB_UPDATE,
    KEY_SUB_DELETE,
    KEY_NONE
};

#define ONE_KEY(at, spec_flags)                                                                    \
    {                                                                                              \
        {.flags = (spec_flags),                                                                    \
         .begin_search = RM_BEGIN_INDEX,                                                           \
         .bs.index.pos = (at),                                                                     \
         .find_keys = RM_FIND_RANGE,                                                               \
         .fk.range = {0, 1, 0}},                                                                   \
        {                                                                                          \
            .begin_search = 0                                                                      \
        }                                                                                          \
    }

#define INDEX_SPEC(at, spec_flags)                                                                 \
    {                                                                                              \
        .flags = (spec_flags), .begin_search = RM_BEGIN_INDEX, .bs.index.pos = (at),               \
        .find_keys = RM_FIND_RANGE, .fk.range = {                                                  \
            0,                                                                                     \
            1,                                                                                     \
            0                                                                                      \
        }                                                                                          \
    }
#define LOG_SPEC_FLAGS (RM_KEY_RO | RM_KEY_ACCESS | RM_KEY_INCOMPLETE)
#define NAMED_LOGS_SPEC(spec_flags)                                                                \
    {                                                                                              \
        .notes = "up to the options", .flags = (spec_flags), .begin_search = RM_BEGIN_INDEX,       \
        .bs.index.pos = 2, .find_keys = RM_FIND_RANGE, .fk.range = {                               \
            -1,                                                                                    \
            1,                                                                                     \
            0                                                                                      \
        }                                                                                          \
    }

#define LOG_SPEC                                                                                   \
    {                                                                                              \
        .notes = "the word is an option unless it is the name of a category",                      \
        .flags = LOG_SPEC_FLAGS, .begin_search = RM_BEGIN_KEYWORD, .bs.keyword = {"LOG", 2},       \
        .find_keys = RM_FIND_RANGE, .fk.range = {                                                  \
            0,                                                                                     \
            1,                                                                                     \
            0                                                                                      \
        }                                                                                          \
    }
#define LOGS_SPEC                                                                                  \
    {                                                                                              \
        .notes = "the word is an option unless it is the name of a category",                      \
        .flags = LOG_SPEC_FLAGS, .begin_search = RM_BEGIN_KEYWORD, .bs.keyword = {"LOGS", 2},      \
        .find_keys = RM_FIND_KEYNUM, .fk.keynum = {                                                \
            0,                                                                                     \
            1,                                                                                     \
            1                                                                                      \
        }                                                                                          \
    }
#define KEY_AND_LOG(spec_flags)                                                                    \
    {                                                                                              \
        INDEX_SPEC(1, spec_flags), LOG_SPEC,                                                       \
        {                                                                                          \
            .begin_search = 0                                                                      \
        }                                                                                          \
    }

/* By enum key_use. Some specs are incomplete on purpose, so that the server asks the command itself
 * ("getkeys-api"): COUNT n at the end of pairs stands where a pair could, options stand where logs
 * could, and the first word LOGS may be the name of a category. */
static struct rm_key_spec key_specs[][4] = {
    [KEY_READ] = ONE_KEY(1, RM_KEY_RO | RM_KEY_ACCESS),
    [KEY_INSERT] = ONE_KEY(1, RM_KEY_RW | RM_KEY_INSERT),
    [KEY_UPDATE] = ONE_KEY(1, RM_KEY_RW | RM_KEY_UPDATE),
    [KEY_DELETE] = ONE_KEY(1, RM_KEY_RW | RM_KEY_DELETE),
    [KEY_INSERT_MANY] = {{.flags = RM_KEY_RW | RM_KEY_INSERT,
                          .begin_search = RM_BEGIN_INDEX,
                          .bs.index.pos = 1,
                          .find_keys = RM_FIND_KEYNUM,
                          .fk.keynum = {0, 1, 1}},
                         {.begin_search = 0}},
    [KEY_PAIRS] = {{.notes = "every second argument, but for COUNT n at the end",
                    .flags = RM_KEY_RO | RM_KEY_ACCESS | RM_KEY_INCOMPLETE,
                    .begin_search = RM_BEGIN_INDEX,
                    .bs.index.pos = 1,
                    .find_keys = RM_FIND_RANGE,
                    .fk.range = {-1, 2, 0}},
                   {.begin_search = 0}},
    [KEY_READ_LOGS] = {INDEX_SPEC(1, RM_KEY_RO | RM_KEY_ACCESS), LOGS_SPEC, {.begin_search = 0}},
    [KEY_READ_LOG] = KEY_AND_LOG(RM_KEY_RO | RM_KEY_ACCESS),
    [KEY_UPDATE_LOG] = KEY_AND_LOG(RM_KEY_RW | RM_KEY_UPDATE),
    [KEY_UPDATE_LOGS] = {INDEX_SPEC(1, RM_KEY_RW | RM_KEY_UPDATE),
                         LOG_SPEC,
                         LOGS_SPEC,
                         {.begin_search = 0}},
    [KEY_FOLLOW] = {INDEX_SPEC(1, RM_KEY_RW | RM_KEY_INSERT),
                    NAMED_LOGS_SPEC(LOG_SPEC_FLAGS),
                    {.begin_search = 0}},
    [KEY_UNFOLLOW] = {INDEX_SPEC(1, RM_KEY_RW | RM_KEY_UPDATE),
                      NAMED_LOGS_SPEC(RM_KEY_RO | RM_KEY_INCOMPLETE),
                      {.begin_search = 0}},
    [KEY_SUB_READ] = ONE_KEY(2, RM_KEY_RO | RM_KEY_ACCESS),
    [KEY_SUB_INSERT] = ONE_KEY(2, RM_KEY_RW | RM_KEY_INSERT),
    [KEY_SUB_UPDATE] = ONE_KEY(2, RM_KEY_RW | RM_KEY_UPDATE),
    [KEY_SUB_DELETE] = ONE_KEY(2, RM_KEY_RW | RM_KEY_DELETE),
    [KEY_NONE] = {{.begin_search = 0}, {.begin_search = 0}},
};

/* The same for servers and clients that know only this: first key, last key, step. */
static const struct {
    int first, last, step;
} key_ranges[] = {
    [KEY_READ] = {1, 1, 1},       [KEY_INSERT] = {1, 1, 1},      [KEY_UPDATE] = {1, 1, 1},
    [KEY_DELETE] = {1, 1, 1},     [KEY_PAIRS] = {1, -1, 2},      [KEY_READ_LOGS] = {1, 1, 1},
    [KEY_READ_LOG] = {1, 1, 1},   [KEY_UPDATE_LOG] = {1, 1, 1},  [KEY_UPDATE_LOGS] = {1, 1, 1},
    [KEY_FOLLOW] = {1, 1, 1},     [KEY_UNFOLLOW] = {1, 1, 1},    [KEY_SUB_READ] = {2, 2, 1},
    [KEY_SUB_INSERT] = {2, 2, 1}, [KEY_SUB_UPDATE] = {2, 2, 1},  [KEY_SUB_DELETE] = {2, 2, 1},
    [KEY_NONE] = {0, 0, 0},       [KEY_INSERT_MANY] = {0, 0, 0},
};

/* ---- the table ---- */

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
     "O(1), O(N) when it trims N entries", "nondeterministic_output", send_args},
    {"NOTIFY.EVENT", run_event, "write deny-oom fast", "write fast", -3, KEY_INSERT,
     "Stores an event, which is never counted as unread, in a box and publishes it; NOSTORE only "
     "publishes.",
     "O(1), O(N) when it trims N entries", "nondeterministic_output", event_args},
    {"NOTIFY.SIGNAL", run_signal, "may-replicate fast", "fast", -3, KEY_READ,
     "Publishes an event on the channel of a box and stores nothing.", "O(1)", NULL, signal_args},
    {"NOTIFY.SENDMANY", run_sendmany, "write deny-oom getkeys-api", "write slow", -4,
     KEY_INSERT_MANY, "Sends one notification to several boxes.", "O(N) for N keys",
     "nondeterministic_output", sendmany_args},
    {"NOTIFY.GET", run_get, "readonly fast getkeys-api", "read fast", -3, KEY_READ_LOG,
     "Returns the entries with the given ids, nil for each that does not exist.",
     "O(N*log(M)) for N ids in a box of M entries", NULL, get_args},
    {"NOTIFY.RANGE", run_range, "readonly getkeys-api", "read slow", -4, KEY_READ_LOG,
     "Returns the entries of a box within a range of ids, oldest first.",
     "O(log(M)+N) with N entries looked at in a box of M", NULL, range_args},
    {"NOTIFY.REVRANGE", run_revrange, "readonly getkeys-api", "read slow", -4, KEY_READ_LOG,
     "Returns the entries of a box within a range of ids, newest first.",
     "O(log(M)+N) with N entries looked at in a box of M", NULL, revrange_args},
    {"NOTIFY.FEED", run_feed, "readonly getkeys-api", "read slow", -2, KEY_READ_LOGS,
     "Returns the entries of a box and of logs that it follows as one list, newest first.",
     "O(N*log(K)) for N entries looked at in K boxes; with TOTAL in all of each", NULL, feed_args},
    {"NOTIFY.SINCE", run_since, "readonly getkeys-api", "read slow", -3, KEY_PAIRS,
     "Returns, for each box that has news, the messages after the given position and what has been "
     "lost.",
     "O(K+N) for K keys and N messages", NULL, since_args},
    {"NOTIFY.UNREAD", run_unread, "readonly getkeys-api", "read slow", -2, KEY_READ_LOGS,
     "Returns the number of unread notifications of a box, or of some of its categories, and of "
     "logs that it follows.",
     "O(1), with CATEGORY O(N) for N categories, with BY O(N) for N entries; for each log as "
     "NOTIFY.COUNT, and "
     "O(E*log(M)) for E entries that were marked out of order",
     NULL, unread_args},
    {"NOTIFY.BADGE", run_badge, "readonly getkeys-api", "read slow", -2, KEY_READ_LOGS,
     "Returns what a client shows when it connects: unread and unseen counts, highest unread "
     "level, "
     "last id and revision.",
     "O(N) for N categories of the box, with CATEGORY for N entries; for each log as NOTIFY.UNREAD",
     NULL, badge_args},
    {"NOTIFY.COUNT", run_count, "readonly getkeys-api", "read slow", -4, KEY_READ_LOG,
     "Returns the number of notifications of a box within a range of ids, or of entries with a "
     "state.",
     "O(log(M)+S) for S segments in the range of a box of M entries; O(N) for N entries in it with "
     "any option",
     NULL, count_args},
    {"NOTIFY.CURSORS", run_cursors, "readonly", "read slow", -2, KEY_READ,
     "Returns where a box stands in each log that it follows, or the words that tell it to "
     "NOTIFY.VIEW.",
     "O(N) for N logs and exceptions", NULL, cursors_args},
    {"NOTIFY.VIEW", run_view, "readonly", "read slow", -3, KEY_READ,
     "Returns what a box elsewhere has not read of a log, and entries as it sees them, by the word "
     "for its cursor.",
     "O(N) for the N bytes of the word, then as NOTIFY.UNREAD and NOTIFY.RANGE of a log", NULL,
     view_args},
    {"NOTIFY.FOLLOW", run_follow, "write deny-oom getkeys-api", "write slow", -3, KEY_FOLLOW,
     "Makes a box follow logs: other boxes whose notifications count for it until it has read "
     "them.",
     "O(N*log(M)) for N logs of a box that follows M", NULL, follow_args},
    {"NOTIFY.UNFOLLOW", run_unfollow, "write getkeys-api", "write slow", -3, KEY_UNFOLLOW,
     "Ends the following of logs and forgets what has been read of them.",
     "O(N*log(M)) for N logs of a box that follows M", NULL, unfollow_args},
    {"NOTIFY.LEN", run_len, "readonly fast", "read fast", 2, KEY_READ,
     "Returns the number of live entries of a box.", "O(1)", NULL, key_args},
    {"NOTIFY.INFO", run_info, "readonly", "read slow", 2, KEY_READ,
     "Returns lengths, counts, first and last ids, categories and memory of a box.",
     "O(N) for N categories of the box", NULL, key_args},
    {"NOTIFY.VERIFY", run_verify, "readonly", "read slow", 2, KEY_READ,
     "Recounts a box and returns its stored and its true counters.", "O(N) for N entries", NULL,
     key_args},
    {"NOTIFY.READ", run_read, "write fast getkeys-api", "write fast", -3, KEY_UPDATE_LOG,
     "Marks notifications as read and returns how many were not.",
     "O(N*log(M)) for N ids in a box of M entries", NULL, read_args},
    {"NOTIFY.READALL", run_readall, "write getkeys-api", "write slow", -2, KEY_UPDATE_LOGS,
     "Marks all notifications, or those up to an id or of a category, as read.",
     "O(N) for N entries", NULL, readall_args},
    {"NOTIFY.MARK", run_mark, "write getkeys-api", "write slow", -4, KEY_UPDATE_LOG,
     "Changes the state of entries: read or unread, seen, archived or unarchived.",
     "O(N*log(M)) for N ids in a box of M entries, O(M) with ENTITY", NULL, mark_args},
    {"NOTIFY.SEEN", run_seen, "write getkeys-api", "write slow", -2, KEY_UPDATE_LOGS,
     "Marks all notifications, or those up to an id, as seen.", "O(N) for N entries", NULL,
     seen_args},
    {"NOTIFY.DEL", run_del, "write", "write slow", -3, KEY_DELETE,
     "Deletes entries and returns how many there were.",
     "O(N*log(M)) for N ids in a box of M entries, O(M) with ENTITY", NULL, del_args},
    {"NOTIFY.TRIM", run_trim, "write", "write slow", -4, KEY_DELETE,
     "Removes the oldest entries: all but the newest n, or those before an id.",
     "O(N) for N entries removed", NULL, trim_args},
    {"NOTIFY.MUTE", run_mute, "write deny-oom", "write slow", -3, KEY_INSERT,
     "Mutes categories of a box: their notifications are stored, but not counted.",
     "O(N+M) for N categories in a box of M entries", NULL, mute_args},
    {"NOTIFY.UNMUTE", run_unmute, "write", "write slow", -3, KEY_UPDATE,
     "Counts the notifications of muted categories again.",
     "O(N+M) for N categories in a box of M entries", NULL, mute_args},
    {"NOTIFY.HELP", run_help, "fast allow-loading allow-stale", "fast", -1, KEY_NONE,
     "Returns how each command is written and what it does.", "O(1)", NULL, help_args},
    {"NOTIFY.RESTOREBOX", run_restorebox, "write deny-oom" INTERNAL, "write slow", -3, KEY_INSERT,
     "Internal: restores a box, or the next part of one, from a rewritten AOF or a slot migration.",
     "O(N) for N entries", NULL, restorebox_args},
    {"NOTIFY.SESSION", NULL, "", "slow", -2, KEY_NONE,
     "A container for the commands about session sets: who is connected.",
     "O(1), see the subcommands", NULL, no_args},
    {"NOTIFY.SESSION|OPEN", run_session_open, "write deny-oom fast", "write fast", -7,
     KEY_SUB_INSERT,
     "Adds a connection to a session set or renews it, unless the session has too many already.",
     "O(N) for N connections of the set", NULL, session_open_args},
    {"NOTIFY.SESSION|TOUCH", run_session_touch, "write fast", "write fast", -6, KEY_SUB_UPDATE,
     "Renews the leases of connections and returns how many of them are still alive.",
     "O(N+M) for M connections named and N of the set", NULL, session_touch_args},
    {"NOTIFY.SESSION|CLOSE", run_session_close, "write fast", "write fast", -4, KEY_SUB_DELETE,
     "Removes connections and returns how many were alive.",
     "O(N+M) for M connections named and N of the set", NULL, session_close_args},
    {"NOTIFY.SESSION|LIST", run_session_list, "readonly", "read slow", -3, KEY_SUB_READ,
     "Returns the connections of a session set, or of one session.",
     "O(N) for N connections of the set", "nondeterministic_output", session_list_args},
    {"NOTIFY.SESSION|COUNT", run_session_count, "readonly fast", "read fast", -3, KEY_SUB_READ,
     "Returns the number of sessions of a session set, or of its connections.",
     "O(N) for N connections of the set", "nondeterministic_output", session_count_args},
    {"NOTIFY.SESSION|KICK", run_session_kick, "write", "write slow", 4, KEY_SUB_DELETE,
     "Removes the connections of a session, or of all, and publishes that bridges are to close "
     "them.",
     "O(N) for N connections of the set", NULL, session_kick_args},
    {"NOTIFY.SESSION|DROPNODE", run_session_dropnode, "write", "write slow", 4, KEY_SUB_DELETE,
     "Removes the connections that a node held and returns how many there were.",
     "O(N) for N connections of the set", NULL, session_dropnode_args},
    {"NOTIFY.SESSION|APPLY", run_session_apply, "write deny-oom" INTERNAL, "write slow", -4,
     KEY_SUB_INSERT,
     "Internal: applies the changes of a session set that another server or the AOF tells of.",
     "O(N+M) for M renewed or removed of N connections, O(N) for each one that is added", NULL,
     session_apply_args},
    {"NOTIFY.SESSION|HELP", run_session_help, "fast allow-loading allow-stale", "fast", 2, KEY_NONE,
     "Returns helpful text about the subcommands.", "O(1)", NULL, no_args},
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
        .key_specs = key_specs[row->keys],
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
    int first = key_ranges[row->keys].first;
    int last = key_ranges[row->keys].last;
    int step = key_ranges[row->keys].step;
    char container[64];

    if (bar == NULL)
        return rm_CreateCommand(ctx, row->name, row->run, flags, first, last, step);
    snprintf(container, sizeof container, "%.*s", (int)(bar - row->name), row->name);
    return rm_CreateSubcommand(rm_GetCommand(ctx, container), bar + 1, row->run, flags, first, last,
                               step);
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
