/* command_args -- see command_args.h. */
#include "commands/command_args.h"

#include <stddef.h>

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

struct rm_arg command_args_send[] = {KEY, SEND_OPTIONS, END};
struct rm_arg command_args_sendmany[] = {
    ARG("numkeys", RM_ARG_INTEGER, NULL, 0),
    {.name = "key", .type = RM_ARG_KEY, .key_spec_index = 0, .flags = RM_ARG_MULTIPLE},
    SEND_OPTIONS,
    END,
};

struct rm_arg command_args_event[] = {
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

struct rm_arg command_args_signal[] = {
    KEY,
    ARG("name", RM_ARG_STRING, NULL, 0),
    OPTION_STR("data", "DATA"),
    OPTION_STR("category", "CATEGORY"),
    LEVEL,
    OPTION_STR("session", "EXCLUDE"),
    OPTION("withinfo", "WITHINFO"),
    END,
};

struct rm_arg command_args_get[] = {KEY, IDS, LOG, OPTION("json", "JSON"), END};

static struct rm_arg state_names[] = {
    TOKEN("notifications", "NOTIFICATIONS"),
    TOKEN("unread", "UNREAD"),
    TOKEN("read", "READ"),
    TOKEN("unseen", "UNSEEN"),
    TOKEN("archived", "ARCHIVED"),
    TOKEN("all", "ALL"),
    END,
};
#define RANGE_START ARG("start", RM_ARG_STRING, NULL, 0)
#define RANGE_END ARG("end", RM_ARG_STRING, NULL, 0)
#define CATEGORIES ARG("category", RM_ARG_STRING, "CATEGORY", RM_ARG_OPTIONAL | RM_ARG_MULTIPLE)
#define FILTERS                                                                                    \
    OPTION_ONEOF("state", NULL, state_names), CATEGORIES, OPTION_STR("type", "TYPE"),              \
        OPTION_STR("event", "EVENT"), LEVELS, ENTITY
#define RANGE_OPTIONS OPTION_INT("count", "COUNT"), FILTERS, LOG, OPTION("json", "JSON"), END

struct rm_arg command_args_range[] = {
    KEY,
    RANGE_START,
    RANGE_END,
    RANGE_OPTIONS,
};
struct rm_arg command_args_revrange[] = {
    KEY,
    RANGE_END,
    RANGE_START,
    RANGE_OPTIONS,
};

static struct rm_arg since_pair[] = {KEY, ARG("id", RM_ARG_STRING, NULL, 0), END};
struct rm_arg command_args_since[] = {
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

struct rm_arg command_args_feed[] = {
    KEY,
    LOGS,
    OPTION_STR("position", "BEFORE"),
    OPTION_INT("offset", "OFFSET"),
    OPTION_INT("count", "COUNT"),
    OPTION("total", "TOTAL"),
    FILTERS,
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
struct rm_arg command_args_unread[] = {
    KEY, OPTION_ONEOF("group", "BY", group_names), CATEGORIES, LOGS, END,
};
struct rm_arg command_args_badge[] = {KEY, CATEGORIES, LOGS, END};
struct rm_arg command_args_count[] = {
    KEY, RANGE_START, RANGE_END, FILTERS, LOG, END,
};
struct rm_arg command_args_follow[] = {
    KEY, LOG_ARG(NULL, RM_ARG_MULTIPLE), OPTION_STR("id", "FROM"), BYNAME, NOPUBLISH, END,
};
struct rm_arg command_args_unfollow[] = {
    KEY, LOG_ARG(NULL, RM_ARG_MULTIPLE), BYNAME, NOPUBLISH, END,
};
struct rm_arg command_args_key[] = {KEY, END};
static struct rm_arg words_parts[] = {
    TOKEN("words", "WORDS"),
    ARG("log", RM_ARG_STRING, NULL, RM_ARG_OPTIONAL | RM_ARG_MULTIPLE),
    END,
};
struct rm_arg command_args_cursors[] = {
    KEY,
    ARG_SUB("words", RM_ARG_BLOCK, NULL, RM_ARG_OPTIONAL, words_parts),
    END,
};
static struct rm_arg ends_up[] = {
    RANGE_START,
    RANGE_END,
    END,
};
static struct rm_arg ends_down[] = {
    RANGE_END,
    RANGE_START,
    END,
};
static struct rm_arg directions[] = {
    ARG_SUB("range", RM_ARG_BLOCK, "RANGE", 0, ends_up),
    ARG_SUB("revrange", RM_ARG_BLOCK, "REVRANGE", 0, ends_down),
    END,
};
struct rm_arg command_args_view[] = {
    KEY,
    ARG("cursor", RM_ARG_STRING, NULL, 0),
    OPTION_ONEOF("group", "BY", group_names),
    OPTION_ONEOF("entries", NULL, directions),
    OPTION_INT("count", "COUNT"),
    OPTION("total", "TOTAL"),
    FILTERS,
    OPTION("json", "JSON"),
    END,
};
struct rm_arg command_args_read[] = {KEY, IDS, LOG, BYNAME, NOPUBLISH, END};

struct rm_arg command_args_readall[] = {
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

struct rm_arg command_args_mark[] = {
    KEY, ARG_SUB("state", RM_ARG_ONEOF, NULL, 0, mark_names), TARGET, LOG, BYNAME, NOPUBLISH, END,
};

struct rm_arg command_args_seen[] = {KEY, OPTION_STR("id", "UPTO"), LOG_OR_LOGS, BYNAME, NOPUBLISH,
                                     END};
struct rm_arg command_args_del[] = {KEY, TARGET, NOPUBLISH, END};
struct rm_arg command_args_mute[] = {
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
struct rm_arg command_args_trim[] = {
    KEY,
    ARG_SUB("strategy", RM_ARG_ONEOF, NULL, 0, trim_strategies),
    NOPUBLISH,
    END,
};

struct rm_arg command_args_restorebox[] = {
    KEY,
    ARG("block", RM_ARG_STRING, NULL, RM_ARG_MULTIPLE),
    END,
};

#define SESSION ARG("session", RM_ARG_STRING, NULL, 0)
#define CONNECTIONS ARG("connection", RM_ARG_STRING, NULL, RM_ARG_MULTIPLE)
#define LEASE ARG("milliseconds", RM_ARG_INTEGER, "LEASE", 0)

struct rm_arg command_args_session_open[] = {
    KEY,
    SESSION,
    ARG("connection", RM_ARG_STRING, NULL, 0),
    LEASE,
    OPTION_STR("node", "NODE"),
    OPTION_STR("addr", "ADDR"),
    OPTION_STR("meta", "META"),
    OPTION_INT("max-connections", "MAXCONN"),
    OPTION_INT("max-sessions", "MAXSESSIONS"),
    OPTION("again", "AGAIN"),
    END,
};
struct rm_arg command_args_session_touch[] = {KEY, LEASE, CONNECTIONS, END};
static struct rm_arg renew_pair[] = {KEY, ARG("connection", RM_ARG_STRING, NULL, 0), END};
struct rm_arg command_args_session_renew[] = {
    LEASE,
    ARG_SUB("pair", RM_ARG_BLOCK, NULL, RM_ARG_MULTIPLE, renew_pair),
    END,
};
struct rm_arg command_args_session_close[] = {KEY, CONNECTIONS, END};
struct rm_arg command_args_session_list[] = {KEY, OPTION_STR("session", "SESSION"), END};
struct rm_arg command_args_session_count[] = {KEY, OPTION("connections", "CONNECTIONS"), END};
struct rm_arg command_args_session_dropnode[] = {KEY, ARG("node", RM_ARG_STRING, NULL, 0), END};

static struct rm_arg kick_targets[] = {SESSION, TOKEN("all", "*"), END};
struct rm_arg command_args_session_kick[] = {
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
struct rm_arg command_args_session_apply[] = {
    KEY,
    ARG("rev", RM_ARG_INTEGER, NULL, 0),
    ARG_SUB("change", RM_ARG_ONEOF, NULL, RM_ARG_OPTIONAL | RM_ARG_MULTIPLE, session_changes),
    END,
};

struct rm_arg command_args_help[] = {
    OPTION_STR("command", NULL),
    OPTION_STR("subcommand", NULL),
    END,
};

struct rm_arg command_args_none[] = {END};
