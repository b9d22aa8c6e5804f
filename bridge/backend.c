#include "backend.h"

#include <errno.h>

#include "base/counters.h"
#include "channels/router.h"
#include "clients/arrival.h"
#include "clients/client.h"
#include "clients/following.h"
#include "clients/poll_box.h"
#include "clients/sessions.h"
#include "config.h"
#include "identity/plain_channels.h"
#include "redis/ears.h"
#include "redis/keyspace.h"
#include "redis/listening_post.h"
#include "redis/module_check.h"
#include "redis/redis_link.h"
#include "redis/turns.h"

/* In a cluster each server is asked by itself. */
static bool has_module(const struct backend *backend)
{
    return backend->commands == NULL ? topology_is_ready(backend->topology)
                                     : module_check_passed(backend->module_check);
}

/* Everything that is to be heard? */
static bool hears(const struct backend *backend)
{
    for (unsigned i = 0; i < backend->hearer_count; i++)
        if (!redis_link_is_up(backend->hearers[i]))
            return false;
    return redis_link_is_up(backend->subscriber);
}

bool backend_is_ready(const struct backend *backend)
{
    if (!hears(backend) || !topology_is_ready(backend->topology) ||
        !poll_boxes_settled(backend->polls))
        return false;
    return backend->commands == NULL ||
           (redis_link_is_up(backend->commands) && module_check_passed(backend->module_check));
}

static void announce(void *ctx)
{
    struct backend *backend = ctx;

    if (backend_is_ready(backend))
        backend->on_ready(backend->ctx);
}

static void on_subscriber_up(void *ctx, struct redis_link *link)
{
    (void)link;
    announce(ctx);
}

static const struct redis_link_handlers readiness_handlers = {.on_up = on_subscriber_up};

/* Life. */

static bool is_plain(void *ctx, struct notify_str channel)
{
    return plain_channels_have(ctx, channel);
}

static struct router *make_router(const struct backend *backend, struct loop *loop,
                                  const struct config *config,
                                  const struct plain_channels *channels)
{
    const struct router_plain plain = {.is_plain = is_plain, .ctx = (void *)channels};
    const struct router_limits limits = {
        .plain_bytes = config->channel_message_bytes,
        .patterns = config->max_channel_patterns,
        .recent_events = config->recent_events,
        .recent_bytes = config->recent_bytes,
        .ahead_bytes = config->read_ahead_bytes,
        .hears_replicas = config->redis_subscribe == CONFIG_SUBSCRIBE_REPLICAS,
        .hears_former = config->redis_mode == TOPOLOGY_CLUSTER,
        .links = backend->hearer_count,
        .linger = {.ms = config->linger_ms,
                   .channels = config->max_lingering,
                   .per_client = config->max_lingering_per_client}};

    return router_new(loop, topology_ears(backend->topology), &limits, &plain,
                      &client_follow_handlers);
}

static void tie_hearers(struct backend *backend)
{
    for (unsigned i = 0; i < backend->hearer_count; i++) {
        redis_link_read_ahead(backend->hearers[i]);
        redis_link_tell_with(backend->hearers[i], backend->subscriber);
        redis_link_listen(backend->hearers[i], &router_hearer_handlers,
                          router_hearer(backend->router, i));
        redis_link_listen(backend->hearers[i], &readiness_handlers, backend);
    }
}

static void tie(struct backend *backend)
{
    struct ears *ears = topology_ears(backend->topology);

    redis_link_read_ahead(backend->subscriber);
    redis_link_listen(backend->subscriber, &router_subscriber_handlers, backend->router);
    redis_link_listen(backend->subscriber, &readiness_handlers, backend);
    tie_hearers(backend);
    if (backend->commands != NULL)
        redis_link_listen(backend->commands, &module_check_handlers, backend->module_check);
    if (ears == NULL)
        redis_link_listen(backend->waker != NULL ? backend->waker : backend->subscriber,
                          &poll_boxes_subscriber_handlers, backend->polls);
    else
        ears_listen(ears, &router_ears_handlers, backend->router);
    keyspace_listen(backend->keys, &router_reader_handlers, backend->router);
    keyspace_listen(backend->keys, &followings_commands_handlers, backend->followings);
    if (backend->post != NULL)
        listening_post_tie(backend->post, backend->commands, backend->subscriber);
    if (backend->sessions == NULL)
        return;
    if (ears == NULL)
        redis_link_listen(backend->subscriber, &sessions_subscriber_handlers, backend->sessions);
    keyspace_listen(backend->keys, &sessions_commands_handlers, backend->sessions);
}

/* An upgrade that does not come to its end by then has failed. */
#define UPGRADE_TIMEOUT_MS 10000
/* A client sends no more than one POST at a time, and whoever holds its session reads it at once.
 */
#define POLL_INPUT_POSTS 4
/* What a session goes on with has its input in it that was not come to, what each of its clients
 * may have us hold, and besides: */
#define POLL_STATE_BYTES 262144

static size_t input_max(const struct config *config)
{
    size_t bytes = POLL_INPUT_POSTS * config->max_message_bytes;

    return bytes < POLL_BOX_PART_MAX ? bytes : POLL_BOX_PART_MAX;
}

static size_t state_max(const struct config *config)
{
    size_t bytes = POLL_STATE_BYTES + input_max(config) +
                   config->socketio_namespaces.len * config->outbox_bytes;

    return bytes < POLL_BOX_PART_MAX ? bytes : POLL_BOX_PART_MAX;
}

static struct poll_boxes *make_polls(struct backend *backend, struct loop *loop,
                                     const struct config *config)
{
    const struct poll_boxes_config polls = {.loop = loop,
                                            .commands = backend->turns,
                                            .ears = topology_ears(backend->topology),
                                            .ping_interval_ms = config->socketio_ping_interval_ms,
                                            .ping_timeout_ms = config->socketio_ping_timeout_ms,
                                            .upgrade_timeout_ms = UPGRADE_TIMEOUT_MS,
                                            .input_max = input_max(config),
                                            .state_max = state_max(config),
                                            .on_settled = announce,
                                            .ctx = backend};

    return poll_boxes_new(&polls);
}

/* Of what is published before a kick, where it comes over another link: as a rule it is heard
 * within a few milliseconds. */
#define KICK_AFTER_MS 50

static bool hears_apart(const struct backend *backend)
{
    return backend->hearer_count > 0 || topology_ears(backend->topology) != NULL;
}

/* False: out of memory. */
static bool make_sessions(struct backend *backend, struct loop *loop, const struct config *config,
                          const struct key_names *keys, struct session_journal *journal)
{
    const struct sessions_config sessions = {
        .loop = loop,
        .commands = backend->keys,
        .ears = topology_ears(backend->topology),
        .keys = keys,
        .handlers = &arrival_session_handlers,
        .journal = journal,
        .lease_ms = config->session_lease_ms,
        .kick_after_ms = hears_apart(backend) ? KICK_AFTER_MS : 0,
        .connections_per_session = (unsigned)config->max_connections_per_session,
        .sessions_per_user = (unsigned)config->max_sessions_per_user};

    if (config->session_lease_ms == 0)
        return true;
    backend->sessions = sessions_new(&sessions);
    return backend->sessions != NULL;
}

static void configure_topology(struct backend *backend, struct loop *loop,
                               const struct config *config, const struct key_names *keys)
{
    backend->topology_config = (struct topology_config){
        .loop = loop,
        .mode = (enum topology_mode)config->redis_mode,
        .url = config->redis,
        .tls = {.ca = config->redis_tls_ca,
                .cert = config->redis_tls_cert,
                .key = config->redis_tls_key,
                .name = config->redis_tls_name,
                .least = (enum tls_version)config->redis_tls_least},
        .sentinel_master = config->sentinel_master,
        .sentinel_user = config->sentinel_user,
        .sentinel_password = config->sentinel_password,
        .sentinel_tls = (enum topology_sentinel_tls)config->sentinel_tls,
        .subscriber_links = (unsigned)config->cluster_subscriber_links,
        .check_key = key_of(keys, KEY_INBOX, NOTIFY_STR("readyz"), &backend->check_key),
        .on_ready = announce,
        .ctx = backend};
}

static struct redis_link *make_link(struct backend *backend, struct loop *loop, const char *name,
                                    const struct redis_route *route)
{
    struct redis_link *link = redis_link_new(loop, name, route);

    if (link != NULL)
        topology_add_link(backend->topology, link);
    return link;
}

static int make_subscriber(struct backend *backend, struct loop *loop, const struct config *config)
{
    const struct redis_route *route = topology_route(backend->topology);

    if (config->redis_subscribe == CONFIG_SUBSCRIBE_REPLICAS) {
        backend->post = listening_post_new(loop, route);
        backend->waker = make_link(backend, loop, "notify-bridge:waker", route);
        if (backend->post == NULL || backend->waker == NULL)
            return -ENOMEM;
        route = listening_post_route(backend->post);
    }
    backend->subscriber = make_link(backend, loop, "notify-bridge:subscriber", route);
    return backend->subscriber == NULL ? -ENOMEM : 0;
}

/* Where one server has all keys. */
static int make_commands(struct backend *backend, struct loop *loop)
{
    backend->commands =
        make_link(backend, loop, "notify-bridge:commands", topology_route(backend->topology));
    if (backend->commands == NULL)
        return -ENOMEM;
    backend->keys = backend->own_keys = keyspace_new_single(backend->commands);
    backend->module_check =
        module_check_new(loop, backend->topology_config.check_key,
                         topology_database(backend->topology), announce, backend);
    return backend->keys == NULL || backend->module_check == NULL ? -ENOMEM : 0;
}

/* Where one server has all keys, and hears them itself; one link hears everything, or so many the
 * channels. */
static int make_hearers(struct backend *backend, struct loop *loop, uint64_t count)
{
    const struct redis_route *route = topology_route(backend->topology);

    for (unsigned i = 0; i < count && count > 1 && backend->post == NULL; i++) {
        backend->hearers[i] = make_link(backend, loop, "notify-bridge:subscriber", route);
        if (backend->hearers[i] == NULL)
            return -ENOMEM;
        backend->hearer_count++;
    }
    return 0;
}

int backend_init(struct backend *ret, struct loop *loop, const struct config *config,
                 const struct plain_channels *channels, struct session_journal *journal,
                 void (*on_ready)(void *ctx), void *ctx)
{
    const struct key_names *keys = channels->keys;

    *ret = (struct backend){.on_ready = on_ready, .ctx = ctx};
    configure_topology(ret, loop, config, keys);
    ret->topology = topology_new(&ret->topology_config);
    if (ret->topology == NULL)
        return -EINVAL;
    if (make_subscriber(ret, loop, config) != 0)
        return -ENOMEM;
    ret->keys = topology_keys(ret->topology);
    if (ret->keys == NULL &&
        (make_commands(ret, loop) != 0 || make_hearers(ret, loop, config->subscriber_links) != 0))
        return -ENOMEM;
    ret->turns = turns_new(ret->keys);
    ret->router = make_router(ret, loop, config, channels);
    ret->polls = ret->turns == NULL ? NULL : make_polls(ret, loop, config);
    ret->followings = followings_new(loop, ret->keys, arrival_on_logs_followed);
    if (ret->turns == NULL || ret->router == NULL || ret->followings == NULL ||
        ret->polls == NULL || !make_sessions(ret, loop, config, keys, journal))
        return -ENOMEM;
    tie(ret);
    return 0;
}

void backend_start(struct backend *backend)
{
    topology_start(backend->topology);
    redis_link_start(backend->subscriber);
    if (backend->waker != NULL)
        redis_link_start(backend->waker);
    for (unsigned i = 0; i < backend->hearer_count; i++)
        redis_link_start(backend->hearers[i]);
    if (backend->commands != NULL)
        redis_link_start(backend->commands);
}

#define PRIMARIES_USUAL 32 /* of a cluster, at most */

size_t backend_links_besides(const struct backend *backend)
{
    return backend->commands != NULL
               ? backend->hearer_count
               : PRIMARIES_USUAL * (size_t)(1 + backend->topology_config.subscriber_links);
}

void backend_set_gauges(const struct backend *backend)
{
    counter_set(COUNTER_CHANNELS, router_channel_count(backend->router));
    counter_set(COUNTER_CHANNELS_LINGERING, router_lingering_count(backend->router));
    counter_set(COUNTER_READ_AHEAD, router_ahead_bytes(backend->router));
    if (backend->sessions != NULL)
        counter_set(COUNTER_SESSION_SETS, sessions_set_count(backend->sessions));
    counter_set(COUNTER_COMMANDS_IN_LINE, turns_in_line(backend->turns));
    counter_set(COUNTER_SUBSCRIBER_UP, hears(backend));
    counter_set(COUNTER_COMMANDS_UP, keyspace_is_up(backend->keys));
    counter_set(COUNTER_MODULE_UP, has_module(backend));
    counter_set(COUNTER_MEMORY_RECENT, router_recent_bytes(backend->router));
    counter_set(COUNTER_MEMORY_STASHED, router_stash_bytes(backend->router));
}

void backend_release(struct backend *backend)
{
    topology_stop(backend->topology);
    redis_link_free(backend->commands);
    poll_boxes_free(backend->polls);
    turns_free(backend->turns);
    router_free(backend->router);
    sessions_free(backend->sessions);
    followings_free(backend->followings);
    for (unsigned i = 0; i < backend->hearer_count; i++)
        redis_link_free(backend->hearers[i]);
    redis_link_free(backend->subscriber);
    redis_link_free(backend->waker);
    module_check_free(backend->module_check);
    keyspace_free(backend->own_keys);
    listening_post_free(backend->post);
    topology_free(backend->topology);
}
