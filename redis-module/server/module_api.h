/* module_api -- our own declarations of exactly the part of the Redis module API that we use.
 *
 * One notify.so has to load into Redis 7.0 .. 8.x and Valkey 7.2 .. 9, so nothing is linked: each
 * function is looked up by name when the module is loaded. A required one that is missing refuses
 * the load; an optional one stays NULL and must be tested before use. Versions are never compared:
 * what is there is used. The numbers and structs are those of the 7.0 API as documented at
 * redis.io ("Modules API reference") and are the same on all servers named above; the few later
 * ones are marked.
 *
 * The types are opaque except those that the API passes by layout. */
#ifndef MODULE_API_H
#define MODULE_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_str.h"

struct rm_ctx;         /* a command's (or callback's) context */
struct rm_string;      /* a string object of the server */
struct rm_key;         /* an open key */
struct rm_type;        /* a registered data type */
struct rm_command;     /* a registered command */
struct rm_user;        /* an ACL user */
struct rm_io;          /* an RDB or AOF stream */
struct rm_digest;      /* a DEBUG DIGEST in the making */
struct rm_server_info; /* an INFO reply that we asked for */
struct rm_info;        /* an INFO reply in the making */
struct rm_optctx;      /* context of the type callbacks of version 4 */
struct rm_defrag;      /* the active defragmentation of one value */

typedef int (*rm_command_fn)(struct rm_ctx *ctx, struct rm_string **argv, int argc);

enum { RM_OK = 0, RM_ERR = 1 };

/* OpenKey modes and KeyType results */
enum { RM_READ = 1 << 0, RM_WRITE = 1 << 1, RM_NOTOUCH = 1 << 16 /* idle time, frequency */ };
enum { RM_KEYTYPE_EMPTY = 0, RM_KEYTYPE_MODULE = 6 };

/* GetContextFlags */
enum {
    RM_FLAG_LUA = 1 << 0,
    RM_FLAG_MULTI = 1 << 1,
    RM_FLAG_REPLICA = 1 << 3,
    RM_FLAG_CLUSTER = 1 << 5,
    RM_FLAG_AOF = 1 << 6,
    RM_FLAG_REPLICATED = 1 << 12,
    RM_FLAG_LOADING = 1 << 13,
    RM_FLAG_STALE = 1 << 14, /* a replica that does not follow its primary just now */
    RM_FLAG_ASYNC_LOADING = 1 << 23
};

/* SetModuleOptions; the last one exists on Valkey 9 only and means something else elsewhere */
enum {
    RM_OPTION_HANDLE_IO_ERRORS = 1 << 0,
    RM_OPTION_NO_IMPLICIT_SIGNAL_MODIFIED = 1 << 1,
    RM_OPTION_HANDLE_REPL_ASYNC_LOAD = 1 << 2,
    RM_OPTION_VALKEY_ATOMIC_SLOT_MIGRATION = 1 << 5
};

/* keyspace events: classes 'g', 'x', 'e', 'd' */
enum {
    RM_NOTIFY_GENERIC = 1 << 2,
    RM_NOTIFY_EXPIRED = 1 << 8,
    RM_NOTIFY_EVICTED = 1 << 9,
    RM_NOTIFY_MODULE = 1 << 13
};
typedef int (*rm_keyspace_fn)(struct rm_ctx *ctx, int type, const char *event,
                              struct rm_string *key);

enum { RM_NO_EXPIRE = -1 };           /* GetAbsExpire, SetAbsExpire */
enum { RM_CHANNEL_PUBLISH = 1 << 1 }; /* ACLCheckChannelPermissions */
enum { RM_ACL_LOG_CHANNEL = 3 };      /* ACLAddLogEntry */
enum { RM_POSTPONED_LEN = -1 };       /* ReplyWithArray, ReplyWithMap */
enum { RM_CONFIG_DEFAULT = 0, RM_CONFIG_MEMORY = 1 << 7 };

/* Key specifications of SetCommandInfo, also the flags of KeyAtPosWithFlags */
enum {
    RM_KEY_RO = 1 << 0,
    RM_KEY_RW = 1 << 1,
    RM_KEY_OW = 1 << 2,
    RM_KEY_RM = 1 << 3,
    RM_KEY_ACCESS = 1 << 4,
    RM_KEY_UPDATE = 1 << 5,
    RM_KEY_INSERT = 1 << 6,
    RM_KEY_DELETE = 1 << 7,
    RM_KEY_INCOMPLETE = 1 << 9
};

enum rm_begin_search { RM_BEGIN_UNKNOWN = 1, RM_BEGIN_INDEX, RM_BEGIN_KEYWORD };
enum rm_find_keys { RM_FIND_OMITTED = 0, RM_FIND_UNKNOWN, RM_FIND_RANGE, RM_FIND_KEYNUM };

struct rm_key_spec {
    const char *notes;
    uint64_t flags;
    enum rm_begin_search begin_search;
    union {
        struct {
            int pos;
        } index;
        struct {
            const char *keyword;
            int startfrom;
        } keyword;
    } bs;
    enum rm_find_keys find_keys;
    union {
        struct {
            int lastkey, keystep, limit;
        } range;
        struct {
            int keynumidx, firstkey, keystep;
        } keynum;
    } fk;
};

enum rm_arg_type {
    RM_ARG_STRING,
    RM_ARG_INTEGER,
    RM_ARG_DOUBLE,
    RM_ARG_KEY,
    RM_ARG_PATTERN,
    RM_ARG_UNIX_TIME,
    RM_ARG_PURE_TOKEN,
    RM_ARG_ONEOF,
    RM_ARG_BLOCK
};
enum { RM_ARG_OPTIONAL = 1 << 0, RM_ARG_MULTIPLE = 1 << 1, RM_ARG_MULTIPLE_TOKEN = 1 << 2 };

struct rm_arg {
    const char *name;
    enum rm_arg_type type;
    int key_spec_index; /* -1: not a key */
    const char *token;
    const char *summary;
    const char *since;
    int flags;
    const char *deprecated_since;
    struct rm_arg *subargs; /* ends with a zeroed element, as every array here */
    const char *display_text;
};

struct rm_history {
    const char *since;
    const char *changes;
};

/* SetCommandInfo is told the sizes of our structs, so that a server that knows shorter ones copes.
 */
struct rm_info_version {
    int version;
    size_t sizeof_history, sizeof_key_spec, sizeof_arg;
};

struct rm_command_info {
    const struct rm_info_version *version;
    const char *summary, *complexity, *since;
    struct rm_history *history;
    const char *tips;
    int arity;
    struct rm_key_spec *key_specs;
    struct rm_arg *args;
};

/* Callbacks of a data type. The server reads as much as it knows; the rest may be NULL. */
struct rm_type_methods {
    uint64_t version; /* RM_TYPE_METHODS_VERSION */
    void *(*rdb_load)(struct rm_io *io, int encver);
    void (*rdb_save)(struct rm_io *io, void *value);
    void (*aof_rewrite)(struct rm_io *io, struct rm_string *key, void *value);
    size_t (*mem_usage)(const void *value);
    void (*digest)(struct rm_digest *digest, void *value);
    void (*free)(void *value);
    int (*aux_load)(struct rm_io *io, int encver, int when);
    void (*aux_save)(struct rm_io *io, int when);
    int aux_save_triggers;
    size_t (*free_effort)(struct rm_string *key, const void *value);
    void (*unlink)(struct rm_string *key, const void *value);
    void *(*copy)(struct rm_string *from, struct rm_string *to, const void *value);
    int (*defrag)(struct rm_defrag *ctx, struct rm_string *key, void **value);
    size_t (*mem_usage2)(struct rm_optctx *ctx, const void *value, size_t sample_size);
    size_t (*free_effort2)(struct rm_optctx *ctx, const void *value);
    void (*unlink2)(struct rm_optctx *ctx, const void *value);
    void *(*copy2)(struct rm_optctx *ctx, const void *value);
    void (*aux_save2)(struct rm_io *io, int when); /* 7.2 */
};
enum { RM_TYPE_METHODS_VERSION = 5 };

typedef long long (*rm_get_numeric_fn)(const char *name, void *privdata);
typedef int (*rm_set_numeric_fn)(const char *name, long long value, void *privdata,
                                 struct rm_string **error);
typedef int (*rm_get_enum_fn)(const char *name, void *privdata);
typedef int (*rm_set_enum_fn)(const char *name, int value, void *privdata,
                              struct rm_string **error);
typedef int (*rm_apply_fn)(struct rm_ctx *ctx, void *privdata, struct rm_string **error);
typedef void (*rm_info_fn)(struct rm_info *info, int for_crash_report);

/* Server events; passed by value. */
struct rm_event {
    uint64_t id;
    uint64_t dataver; /* 1 */
};
enum {
    RM_EVENT_ROLE_CHANGED = 0,
    RM_EVENT_PERSISTENCE = 1,
    RM_EVENT_FLUSHDB = 2,
    RM_EVENT_LOADING = 3,
    RM_EVENT_REPLICA_CHANGE = 6,
    RM_EVENT_CRON_LOOP = 8,
    RM_EVENT_SWAPDB = 11,
    RM_EVENT_FORK_CHILD = 13,
    RM_EVENT_REPL_ASYNC_LOAD = 14
};
/* Subevents. */
enum { RM_ROLE_NOW_PRIMARY = 0 };
enum { RM_FLUSHDB_END = 1 };
enum { RM_LOADING_ENDED = 3, RM_LOADING_FAILED = 4 };
enum { RM_REPL_ASYNC_LOAD_COMPLETED = 2 };

/* What comes with a flush, and with a swap of two databases. */
struct rm_flush_info {
    uint64_t version;
    int32_t sync;
    int32_t database; /* -1: all */
};
struct rm_swap_info {
    uint64_t version;
    int32_t first, second;
};
typedef void (*rm_timer_fn)(struct rm_ctx *ctx, void *data);
typedef void (*rm_event_fn)(struct rm_ctx *ctx, struct rm_event event, uint64_t subevent,
                            void *data);

/* X(need, result, name, arguments): the one list of functions. Log comes first so that a missing
 * one can be reported. */
#define RM_API(X)                                                                                  \
    X(RM_REQUIRED, void, Log, (struct rm_ctx *, const char *, const char *, ...))                  \
    X(RM_REQUIRED, int, IsModuleNameBusy, (const char *))                                          \
    X(RM_REQUIRED, void, SetModuleAttribs, (struct rm_ctx *, const char *, int, int))              \
    X(RM_REQUIRED, void, SetModuleOptions, (struct rm_ctx *, int))                                 \
    X(RM_OPTIONAL, int, GetModuleOptionsAll, (void))                                               \
    X(RM_REQUIRED, int, GetServerVersion, (void))                                                  \
    X(RM_REQUIRED, int, GetContextFlags, (struct rm_ctx *))                                        \
    X(RM_REQUIRED, long long, Milliseconds, (void))                                                \
    X(RM_OPTIONAL, int64_t, CachedMicroseconds, (void)) /* 7.2 */                                  \
    X(RM_REQUIRED, uint64_t, CreateTimer, (struct rm_ctx *, long long, rm_timer_fn, void *))       \
    X(RM_REQUIRED, int, GetSelectedDb, (struct rm_ctx *))                                          \
    X(RM_REQUIRED, int, SelectDb, (struct rm_ctx *, int))                                          \
    /* commands */                                                                                 \
    X(RM_REQUIRED, int, CreateCommand,                                                             \
      (struct rm_ctx *, const char *, rm_command_fn, const char *, int, int, int))                 \
    X(RM_REQUIRED, int, CreateSubcommand,                                                          \
      (struct rm_command *, const char *, rm_command_fn, const char *, int, int, int))             \
    X(RM_REQUIRED, struct rm_command *, GetCommand, (struct rm_ctx *, const char *))               \
    X(RM_REQUIRED, int, SetCommandInfo, (struct rm_command *, const struct rm_command_info *))     \
    X(RM_OPTIONAL, int, AddACLCategory, (struct rm_ctx *, const char *))                           \
    X(RM_OPTIONAL, int, SetCommandACLCategories, (struct rm_command *, const char *))              \
    X(RM_REQUIRED, int, WrongArity, (struct rm_ctx *))                                             \
    X(RM_REQUIRED, int, IsKeysPositionRequest, (struct rm_ctx *))                                  \
    X(RM_REQUIRED, void, KeyAtPosWithFlags, (struct rm_ctx *, int, int))                           \
    /* memory */                                                                                   \
    X(RM_REQUIRED, void *, Alloc, (size_t))                                                        \
    X(RM_REQUIRED, void *, Realloc, (void *, size_t))                                              \
    X(RM_REQUIRED, void *, TryAlloc, (size_t))                                                     \
    X(RM_OPTIONAL, void *, TryRealloc, (void *, size_t)) /* 7.4 */                                 \
    X(RM_REQUIRED, void, Free, (void *))                                                           \
    X(RM_REQUIRED, void, GetRandomBytes, (unsigned char *, size_t))                                \
    X(RM_REQUIRED, size_t, MallocUsableSize, (void *))                                             \
    /* strings */                                                                                  \
    X(RM_REQUIRED, const char *, StringPtrLen, (const struct rm_string *, size_t *))               \
    X(RM_REQUIRED, struct rm_string *, CreateString, (struct rm_ctx *, const char *, size_t))      \
    X(RM_REQUIRED, void, FreeString, (struct rm_ctx *, struct rm_string *))                        \
    /* keys */                                                                                     \
    X(RM_REQUIRED, struct rm_key *, OpenKey, (struct rm_ctx *, struct rm_string *, int))           \
    X(RM_REQUIRED, void, CloseKey, (struct rm_key *))                                              \
    X(RM_REQUIRED, int, KeyType, (struct rm_key *))                                                \
    X(RM_REQUIRED, struct rm_type *, CreateDataType,                                               \
      (struct rm_ctx *, const char *, int, struct rm_type_methods *))                              \
    X(RM_REQUIRED, struct rm_type *, ModuleTypeGetType, (struct rm_key *))                         \
    X(RM_REQUIRED, void *, ModuleTypeGetValue, (struct rm_key *))                                  \
    X(RM_REQUIRED, int, ModuleTypeSetValue, (struct rm_key *, struct rm_type *, void *))           \
    X(RM_REQUIRED, int, ModuleTypeReplaceValue,                                                    \
      (struct rm_key *, struct rm_type *, void *, void **))                                        \
    X(RM_REQUIRED, int, DeleteKey, (struct rm_key *))                                              \
    X(RM_REQUIRED, int, SetAbsExpire, (struct rm_key *, long long))                                \
    X(RM_REQUIRED, long long, GetAbsExpire, (struct rm_key *))                                     \
    X(RM_REQUIRED, int, SignalModifiedKey, (struct rm_ctx *, struct rm_string *))                  \
    X(RM_REQUIRED, int, NotifyKeyspaceEvent,                                                       \
      (struct rm_ctx *, int, const char *, struct rm_string *))                                    \
    X(RM_REQUIRED, int, SubscribeToKeyspaceEvents, (struct rm_ctx *, int, rm_keyspace_fn))         \
    X(RM_REQUIRED, const struct rm_string *, GetKeyNameFromOptCtx, (struct rm_optctx *))           \
    X(RM_REQUIRED, int, GetDbIdFromOptCtx, (struct rm_optctx *))                                   \
    /* replies */                                                                                  \
    X(RM_REQUIRED, int, ReplyWithError, (struct rm_ctx *, const char *))                           \
    X(RM_REQUIRED, int, ReplyWithSimpleString, (struct rm_ctx *, const char *))                    \
    X(RM_REQUIRED, int, ReplyWithNull, (struct rm_ctx *))                                          \
    X(RM_REQUIRED, int, ReplyWithLongLong, (struct rm_ctx *, long long))                           \
    X(RM_REQUIRED, int, ReplyWithStringBuffer, (struct rm_ctx *, const char *, size_t))            \
    X(RM_REQUIRED, int, ReplyWithString, (struct rm_ctx *, struct rm_string *))                    \
    X(RM_REQUIRED, int, ReplyWithArray, (struct rm_ctx *, long))                                   \
    X(RM_REQUIRED, int, ReplyWithMap, (struct rm_ctx *, long))                                     \
    X(RM_REQUIRED, void, ReplySetArrayLength, (struct rm_ctx *, long))                             \
    X(RM_REQUIRED, void, ReplySetMapLength, (struct rm_ctx *, long))                               \
    /* replication and publishing */                                                               \
    X(RM_REQUIRED, int, Replicate, (struct rm_ctx *, const char *, const char *, ...))             \
    X(RM_REQUIRED, int, ReplicateVerbatim, (struct rm_ctx *))                                      \
    X(RM_REQUIRED, struct rm_server_info *, GetServerInfo, (struct rm_ctx *, const char *))        \
    X(RM_REQUIRED, unsigned long long, ServerInfoGetFieldUnsigned,                                 \
      (struct rm_server_info *, const char *, int *))                                              \
    X(RM_REQUIRED, void, FreeServerInfo, (struct rm_ctx *, struct rm_server_info *))               \
    X(RM_REQUIRED, int, SubscribeToServerEvent, (struct rm_ctx *, struct rm_event, rm_event_fn))   \
    X(RM_REQUIRED, int, PublishMessage, (struct rm_ctx *, struct rm_string *, struct rm_string *)) \
    X(RM_REQUIRED, int, PublishMessageShard,                                                       \
      (struct rm_ctx *, struct rm_string *, struct rm_string *))                                   \
    /* who is asking */                                                                            \
    X(RM_REQUIRED, unsigned long long, GetClientId, (struct rm_ctx *))                             \
    X(RM_REQUIRED, int, GetClientInfoById, (void *, uint64_t))                                     \
    X(RM_REQUIRED, struct rm_string *, GetCurrentUserName, (struct rm_ctx *))                      \
    X(RM_REQUIRED, struct rm_user *, GetModuleUserFromUserName, (struct rm_string *))              \
    X(RM_REQUIRED, int, FreeModuleUser, (struct rm_user *))                                        \
    X(RM_REQUIRED, int, ACLCheckChannelPermissions, (struct rm_user *, struct rm_string *, int))   \
    X(RM_REQUIRED, void, ACLAddLogEntry,                                                           \
      (struct rm_ctx *, struct rm_user *, struct rm_string *, int))                                \
    /* configuration and INFO */                                                                   \
    X(RM_REQUIRED, int, RegisterNumericConfig,                                                     \
      (struct rm_ctx *, const char *, long long, unsigned int, long long, long long,               \
       rm_get_numeric_fn, rm_set_numeric_fn, rm_apply_fn, void *))                                 \
    X(RM_REQUIRED, int, RegisterEnumConfig,                                                        \
      (struct rm_ctx *, const char *, int, unsigned int, const char **, const int *, int,          \
       rm_get_enum_fn, rm_set_enum_fn, rm_apply_fn, void *))                                       \
    X(RM_REQUIRED, int, LoadConfigs, (struct rm_ctx *))                                            \
    X(RM_REQUIRED, int, RegisterInfoFunc, (struct rm_ctx *, rm_info_fn))                           \
    X(RM_REQUIRED, int, InfoAddSection, (struct rm_info *, const char *))                          \
    X(RM_REQUIRED, int, InfoAddFieldULongLong,                                                     \
      (struct rm_info *, const char *, unsigned long long))                                        \
    X(RM_REQUIRED, int, InfoAddFieldCString, (struct rm_info *, const char *, const char *))       \
    /* RDB, AOF, digest */                                                                         \
    X(RM_REQUIRED, void, SaveUnsigned, (struct rm_io *, uint64_t))                                 \
    X(RM_REQUIRED, uint64_t, LoadUnsigned, (struct rm_io *))                                       \
    X(RM_REQUIRED, void, SaveStringBuffer, (struct rm_io *, const char *, size_t))                 \
    X(RM_REQUIRED, char *, LoadStringBuffer, (struct rm_io *, size_t *))                           \
    X(RM_REQUIRED, int, IsIOError, (struct rm_io *))                                               \
    X(RM_REQUIRED, void, LogIOError, (struct rm_io *, const char *, const char *, ...))            \
    X(RM_REQUIRED, void, EmitAOF, (struct rm_io *, const char *, const char *, ...))               \
    X(RM_REQUIRED, void, DigestAddStringBuffer, (struct rm_digest *, const char *, size_t))        \
    X(RM_REQUIRED, void, DigestAddLongLong, (struct rm_digest *, long long))                       \
    X(RM_REQUIRED, void, DigestEndSequence, (struct rm_digest *))                                  \
    /* active defragmentation; the cursor exists only for a value that is done in several steps */ \
    X(RM_REQUIRED, void *, DefragAlloc, (struct rm_defrag *, void *))                              \
    X(RM_REQUIRED, int, DefragShouldStop, (struct rm_defrag *))                                    \
    X(RM_REQUIRED, int, DefragCursorGet, (struct rm_defrag *, unsigned long *))                    \
    X(RM_REQUIRED, int, DefragCursorSet, (struct rm_defrag *, unsigned long))

#define RM_DECLARE(need, result, name, args) extern result(*rm_##name) args;
RM_API(RM_DECLARE)
#undef RM_DECLARE

/* Borrowed, and good as long as the string is. */
static inline struct notify_str rm_str(const struct rm_string *string)
{
    struct notify_str text;

    text.ptr = rm_StringPtrLen(string, &text.len);
    return text;
}

/* Looks every function up and names the module. False when a required one is missing (each is
 * logged) or a module of this name is loaded already. */
bool module_api_init(struct rm_ctx *ctx, const char *module, int version);

/* Valkey, as opposed to Redis and other forks: it alone has names that begin with ValkeyModule_. */
bool module_api_is_valkey(void);

/* GetCurrentUserName() of these servers reads through NULL when the context has no user: Redis
 * before 8.0, Valkey before 8.1 and forks of those. */
bool module_api_user_name_is_unsafe(void);

#endif
