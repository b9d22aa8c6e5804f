#include "backend.h"

#include <errno.h>

#include "base/counters.h"
#include "channels/router.h"
#include "clients/client.h"
#include "config.h"
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

/* What the links report. */

static void on_subscriber_up(void *ctx)
{
    struct backend *backend = ctx;

    router_subscriber_up(backend->router, backend->subscriber);
    announce(backend);
}

static void on_subscriber_down(void *ctx)
{
    struct backend *backend = ctx;

    router_subscriber_down(backend->router);
}

static void on_push(void *ctx, const struct resp *push)
{
    struct backend *backend = ctx;

    router_push(backend->router, push);
}

static void on_batch_end(void *ctx)
{
    struct backend *backend = ctx;

    router_batch_end(backend->router);
}

static void on_commands_up(void *ctx)
{
    struct backend *backend = ctx;

    module_check_up(backend->module_check, backend->commands);
    router_reader_up(backend->router, backend->commands);
}

static void on_commands_down(void *ctx)
{
    struct backend *backend = ctx;

    module_check_down(backend->module_check);
    router_reader_down(backend->router);
}

static const struct redis_link_handlers subscriber_handlers = {
    .on_up = on_subscriber_up,
    .on_down = on_subscriber_down,
    .on_push = on_push,
    .on_batch_end = on_batch_end,
};

static const struct redis_link_handlers commands_handlers = {
    .on_up = on_commands_up,
    .on_down = on_commands_down,
    .on_batch_end = on_batch_end,
};

/* Life. */

static struct router *make_router(struct loop *loop, const struct config *config)
{
    const struct router_limits limits = {
        .recent_events = config->recent_events,
        .recent_bytes = config->recent_bytes,
        .linger = {.ms = config->linger_ms,
                   .channels = config->max_lingering,
                   .per_client = config->max_lingering_per_client}};

    return router_new(loop, &limits, &client_follow_handlers);
}

int backend_init(struct backend *ret, struct loop *loop, const struct config *config,
                 const struct key_names *keys, void (*on_ready)(void *ctx), void *ctx)
{
    const char *why;

    *ret = (struct backend){.on_ready = on_ready, .ctx = ctx};
    if (redis_address_parse(&ret->address, &why, config->redis) != 0)
        return -ENOMEM; /* config_read() has looked at it */
    ret->subscriber =
        redis_link_new(loop, "notify-bridge:subscriber", &ret->address, &subscriber_handlers, ret);
    ret->commands =
        redis_link_new(loop, "notify-bridge:commands", &ret->address, &commands_handlers, ret);
    ret->turns = turns_new(ret->commands);
    ret->router = make_router(loop, config);
    ret->module_check = module_check_new(
        loop, key_of(keys, KEY_INBOX, NOTIFY_STR("readyz"), &ret->check_key), announce, ret);
    return ret->subscriber == NULL || ret->commands == NULL || ret->turns == NULL ||
                   ret->router == NULL || ret->module_check == NULL
               ? -ENOMEM
               : 0;
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
    counter_set(COUNTER_COMMANDS_IN_LINE, turns_in_line(backend->turns));
    counter_set(COUNTER_SUBSCRIBER_UP, redis_link_is_up(backend->subscriber));
    counter_set(COUNTER_COMMANDS_UP, redis_link_is_up(backend->commands));
}

void backend_release(struct backend *backend)
{
    redis_link_free(backend->commands);
    turns_free(backend->turns);
    router_free(backend->router);
    redis_link_free(backend->subscriber);
    module_check_free(backend->module_check);
    redis_address_release(&backend->address);
}
