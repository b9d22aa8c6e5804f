#include "backend.h"

#include <errno.h>

#include "base/counters.h"
#include "channels/router.h"
#include "clients/arrival.h"
#include "clients/client.h"
#include "clients/following.h"
#include "clients/sessions.h"
#include "config.h"
#include "identity/plain_channels.h"
#include "redis/module_check.h"
#include "redis/redis_link.h"
#include "redis/turns.h"

bool backend_is_ready(const struct backend *backend)
{
    return redis_link_is_up(backend->subscriber) && redis_link_is_up(backend->commands) &&
           module_check_passed(backend->module_check);
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

static struct router *make_router(struct loop *loop, const struct config *config,
                                  const struct plain_channels *channels)
{
    const struct router_plain plain = {.is_plain = is_plain, .ctx = (void *)channels};
    const struct router_limits limits = {
        .plain_bytes = config->channel_message_bytes,
        .patterns = config->max_channel_patterns,
        .recent_events = config->recent_events,
        .recent_bytes = config->recent_bytes,
        .linger = {.ms = config->linger_ms,
                   .channels = config->max_lingering,
                   .per_client = config->max_lingering_per_client}};

    return router_new(loop, &limits, &plain, &client_follow_handlers);
}

static void tie(struct backend *backend)
{
    redis_link_listen(backend->subscriber, &router_subscriber_handlers, backend->router);
    redis_link_listen(backend->subscriber, &readiness_handlers, backend);
    redis_link_listen(backend->commands, &module_check_handlers, backend->module_check);
    redis_link_listen(backend->commands, &router_reader_handlers, backend->router);
    redis_link_listen(backend->commands, &followings_commands_handlers, backend->followings);
    if (backend->sessions == NULL)
        return;
    redis_link_listen(backend->subscriber, &sessions_subscriber_handlers, backend->sessions);
    redis_link_listen(backend->commands, &sessions_commands_handlers, backend->sessions);
}

/* False: out of memory. */
static bool make_sessions(struct backend *backend, struct loop *loop, const struct config *config,
                          const struct key_names *keys)
{
    const struct sessions_config sessions = {
        .loop = loop,
        .commands = backend->commands,
        .keys = keys,
        .handlers = &arrival_session_handlers,
        .lease_ms = config->session_lease_ms,
        .connections_per_session = (unsigned)config->max_connections_per_session,
        .sessions_per_user = (unsigned)config->max_sessions_per_user};

    if (config->session_lease_ms == 0)
        return true;
    backend->sessions = sessions_new(&sessions);
    return backend->sessions != NULL;
}

int backend_init(struct backend *ret, struct loop *loop, const struct config *config,
                 const struct plain_channels *channels, void (*on_ready)(void *ctx), void *ctx)
{
    const struct key_names *keys = channels->keys;
    const char *why;

    *ret = (struct backend){.on_ready = on_ready, .ctx = ctx};
    if (redis_address_parse(&ret->address, &why, config->redis) != 0)
        return -ENOMEM; /* config_read() has looked at it */
    ret->subscriber = redis_link_new(loop, "notify-bridge:subscriber", &ret->address);
    ret->commands = redis_link_new(loop, "notify-bridge:commands", &ret->address);
    ret->turns = turns_new(ret->commands);
    ret->router = make_router(loop, config, channels);
    ret->followings = followings_new(loop, ret->commands, arrival_on_logs_followed);
    ret->module_check =
        module_check_new(loop, key_of(keys, KEY_INBOX, NOTIFY_STR("readyz"), &ret->check_key),
                         ret->address.db, announce, ret);
    if (ret->subscriber == NULL || ret->commands == NULL || ret->turns == NULL ||
        ret->router == NULL || ret->followings == NULL || ret->module_check == NULL ||
        !make_sessions(ret, loop, config, keys))
        return -ENOMEM;
    tie(ret);
    return 0;
}

void backend_start(struct backend *backend)
{
    redis_link_start(backend->subscriber);
    redis_link_start(backend->commands);
}

void backend_set_gauges(const struct backend *backend)
{
    counter_set(COUNTER_CHANNELS, router_channel_count(backend->router));
    counter_set(COUNTER_CHANNELS_LINGERING, router_lingering_count(backend->router));
    if (backend->sessions != NULL)
        counter_set(COUNTER_SESSION_SETS, sessions_set_count(backend->sessions));
    counter_set(COUNTER_COMMANDS_IN_LINE, turns_in_line(backend->turns));
    counter_set(COUNTER_SUBSCRIBER_UP, redis_link_is_up(backend->subscriber));
    counter_set(COUNTER_COMMANDS_UP, redis_link_is_up(backend->commands));
}

void backend_release(struct backend *backend)
{
    redis_link_free(backend->commands);
    turns_free(backend->turns);
    router_free(backend->router);
    sessions_free(backend->sessions);
    followings_free(backend->followings);
    redis_link_free(backend->subscriber);
    module_check_free(backend->module_check);
    redis_address_release(&backend->address);
}
