/* publish -- see publish.h. */
#include "server/publish.h"

#include "base/versions.h"
#include "server/config.h"
#include "server/info.h"
#include "server/replay.h"
#include "server/replication.h"
#include "notify_wire.h"

static bool in_cluster;
static void (*before_publish)(struct rm_ctx *ctx);

void publish_init(struct rm_ctx *ctx)
{
    in_cluster = (rm_GetContextFlags(ctx) & RM_FLAG_CLUSTER) != 0;
}

bool publish_is_on(struct rm_ctx *ctx)
{
    if (config_get()->publish == CONFIG_PUBLISH_OFF ||
        rm_GetSelectedDb(ctx) != config_get()->database)
        return false;
    return in_cluster ? !replay_now() : !replay_now_from_file();
}

bool publish_by_effect(void)
{
    return !in_cluster && config_writes(WRITE_VERSION_TOLD_BY_EFFECT);
}

bool publish_tells_events(struct rm_ctx *ctx)
{
    int flags = rm_GetContextFlags(ctx);

    if ((flags & RM_FLAG_LOADING) != 0 || (in_cluster && (flags & RM_FLAG_REPLICA) != 0))
        return false;
    return publish_is_on(ctx);
}

void publish_before(void (*fn)(struct rm_ctx *ctx))
{
    before_publish = fn;
}

/* The client that was last found to be an ordinary one. An id is never used again, and an ordinary
 * client stays one, so its pipeline is not asked about command by command. */
static unsigned long long ordinary_client;

/* A context without a user: the link to a primary, loading, another module's internal call. There
 * is nobody to ask about, and asking for the name crashes older servers. */
static bool has_user(struct rm_ctx *ctx)
{
    unsigned long long client = rm_GetClientId(ctx);
    int flags;

    if (client == ordinary_client && client != 0)
        return true;
    flags = replay_flags(ctx);
    if ((flags & (RM_FLAG_REPLICATED | RM_FLAG_LOADING)) != 0)
        return false;
    /* A script runs as a client of its own that is in no list, but with its caller's user. */
    if ((flags & RM_FLAG_LUA) != 0)
        return true;
    if (rm_GetClientInfoById(NULL, client) != RM_OK)
        return !module_api_user_name_is_unsafe();
    ordinary_client = client;
    return true;
}

/* The one user who is never deleted: ACL DELUSER refuses it, and ACL SETUSER and ACL LOAD change it
 * where it is. So it is looked up once. */
static struct rm_user *default_user(struct rm_string *name)
{
    static struct rm_user *user; /* owned, for good */

    if (user == NULL)
        user = rm_GetModuleUserFromUserName(name);
    return user;
}

static bool may_publish(struct rm_ctx *ctx, struct rm_string *name, struct rm_string *key)
{
    bool is_default = notify_str_eq(rm_str(name), NOTIFY_STR("default"));
    struct rm_user *user = is_default ? default_user(name) : rm_GetModuleUserFromUserName(name);
    bool permitted;

    if (user == NULL) /* deleted meanwhile */
        return false;
    permitted = rm_ACLCheckChannelPermissions(user, key, RM_CHANNEL_PUBLISH) == RM_OK;
    if (!permitted)
        rm_ACLAddLogEntry(ctx, user, key, RM_ACL_LOG_CHANNEL);
    if (!is_default)
        rm_FreeModuleUser(user);
    return permitted;
}

static bool is_permitted(struct rm_ctx *ctx, struct rm_string *key)
{
    struct rm_string *name = rm_GetCurrentUserName(ctx);
    bool permitted;

    if (name == NULL)
        return true; /* a context without a user, on a server that says so */
    permitted = may_publish(ctx, name, key);
    rm_FreeString(ctx, name);
    return permitted;
}

bool publish_permitted_or_reply(struct rm_ctx *ctx, struct rm_string *key)
{
    if (!has_user(ctx) || is_permitted(ctx, key))
        return true;
    info_count(INFO_PUBLISHES_DENIED, 1);
    rm_ReplyWithError(ctx, "NOPERM this user may not publish on the channel of this key");
    return false;
}

/* notify.publish is not "off". */
static bool is_sharded(void)
{
    int mode = config_get()->publish;

    return mode == CONFIG_PUBLISH_SHARD || (mode == CONFIG_PUBLISH_AUTO && in_cluster);
}

static int send_out(struct rm_ctx *ctx, struct rm_string *key, struct rm_string *text, bool shard)
{
    int receivers =
        shard ? rm_PublishMessageShard(ctx, key, text) : rm_PublishMessage(ctx, key, text);

    info_count(INFO_PUBLISHES, 1);
    info_count(INFO_RECEIVERS, (uint64_t)receivers);
    return receivers;
}

static int publish(struct rm_ctx *ctx, struct rm_string *key, struct notify_str message,
                   bool replicated)
{
    bool shard = is_sharded();
    struct rm_string *text;
    int receivers;

    if (!publish_is_on(ctx))
        return 0;
    if (before_publish != NULL)
        before_publish(ctx);
    text = rm_CreateString(ctx, message.ptr, message.len);
    receivers = send_out(ctx, key, text, shard);
    if (replicated && !in_cluster && !replay_now() && replication_has_replicas(ctx))
        rm_Replicate(ctx, shard ? "SPUBLISH" : "PUBLISH", "Ass", key, text);
    rm_FreeString(ctx, text);
    return receivers;
}

int publish_message(struct rm_ctx *ctx, struct rm_string *key, struct notify_str message)
{
    return publish(ctx, key, message, true);
}

int publish_effect(struct rm_ctx *ctx, struct rm_string *key, struct notify_str message)
{
    return publish(ctx, key, message, !publish_by_effect());
}

void publish_here(struct rm_ctx *ctx, struct rm_string *key, struct notify_str message)
{
    struct rm_string *text = rm_CreateString(ctx, message.ptr, message.len);

    (void)send_out(ctx, key, text, is_sharded());
    rm_FreeString(ctx, text);
}

void publish_control(struct rm_ctx *ctx, struct notify_str message)
{
    struct rm_string *channel =
        rm_CreateString(ctx, NOTIFY_CONTROL_CHANNEL, sizeof NOTIFY_CONTROL_CHANNEL - 1);
    struct rm_string *text = rm_CreateString(ctx, message.ptr, message.len);

    (void)rm_PublishMessage(ctx, channel, text);
    rm_FreeString(ctx, text);
    rm_FreeString(ctx, channel);
}
