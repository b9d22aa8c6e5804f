#include "channels/router.h"

#include <errno.h>
#include <stdlib.h>

#include "redis/catchup.h"
#include "channels/channel.h"
#include "channels/follow.h"
#include "base/loop.h"
#include "redis/subscription.h"

struct router {
    struct loop *loop; /* borrowed */
    struct router_limits limits;
    struct channel_shared shared;
    struct subscription_set *subscriptions;
    struct channel_queue lingering; /* in the order of linger_until_ms */
    struct loop_timer *linger_timer;
};

static void flush_all(struct router *router)
{
    struct channel *channel;

    while ((channel = TAILQ_FIRST(&router->shared.dirty)) != NULL)
        channel_flush(channel);
}

/* From subscription and catchup to the channel that it concerns. */

static void on_held(void *owner)
{
    channel_on_held(owner);
}

static void on_lost(void *owner)
{
    channel_on_lost(owner);
}

static void on_refused(void *owner)
{
    channel_on_refused(owner);
}

static void on_message(void *owner, struct notify_str payload)
{
    channel_on_message(owner, payload);
}

static void on_read(void *owner, const struct catchup_result *result)
{
    channel_on_read(owner, result);
}

static const struct subscription_handlers subscription_handlers = {
    .on_held = on_held,
    .on_lost = on_lost,
    .on_refused = on_refused,
    .on_message = on_message,
};

/* Channels that nobody follows. */

static void remove_channel(struct router *router, struct channel *channel)
{
    TAILQ_REMOVE(&router->lingering, channel, linger_link);
    subscription_drop(router->subscriptions, channel->sub);
    channel_free(channel);
}

static void on_linger_end(void *ctx)
{
    struct router *router = ctx;
    uint64_t now = loop_now_ms(router->loop);
    struct channel *channel;

    while ((channel = TAILQ_FIRST(&router->lingering)) != NULL) {
        if (channel->linger_until_ms > now) {
            loop_timer_set(router->linger_timer, channel->linger_until_ms - now);
            return;
        }
        if (channel->reading) { /* the answer comes to it: it goes after that */
            TAILQ_REMOVE(&router->lingering, channel, linger_link);
            channel->linger_until_ms = now + router->limits.linger_ms + 1;
            TAILQ_INSERT_TAIL(&router->lingering, channel, linger_link);
        } else {
            remove_channel(router, channel);
        }
    }
}

static void let_linger(struct router *router, struct channel *channel)
{
    channel->lingering = true;
    channel->linger_until_ms = loop_now_ms(router->loop) + router->limits.linger_ms;
    if (TAILQ_EMPTY(&router->lingering))
        loop_timer_set(router->linger_timer, router->limits.linger_ms);
    TAILQ_INSERT_TAIL(&router->lingering, channel, linger_link);
}

/* Following. */

static struct channel *find_or_make(struct router *router, struct notify_str key)
{
    struct channel *channel = subscription_find(router->subscriptions, key);

    if (channel != NULL) {
        subscription_retry(router->subscriptions, channel->sub);
        return channel;
    }
    channel = channel_new(&router->shared);
    if (channel == NULL)
        return NULL;
    channel->sub = subscription_want(router->subscriptions, key, channel);
    if (channel->sub == NULL) {
        channel_free(channel);
        return NULL;
    }
    let_linger(router, channel);
    if (subscription_is_held(channel->sub))
        channel_on_held(channel);
    return channel;
}

int router_add(struct router *router, struct follow *follow, struct notify_str key)
{
    struct channel *channel = find_or_make(router, key);

    if (channel == NULL || channel_add(channel, follow) != 0)
        return -ENOMEM; /* a new channel goes when its time is over */
    if (channel->lingering) {
        TAILQ_REMOVE(&router->lingering, channel, linger_link);
        channel->lingering = false;
    }
    return 0;
}

void router_remove(struct router *router, struct follow *follow)
{
    struct channel *channel = follow->channel;

    if (channel == NULL)
        return;
    channel_remove(channel, follow);
    if (channel->len == 0)
        let_linger(router, channel);
}

struct notify_str follow_key(const struct follow *follow)
{
    return subscription_channel(follow->channel->sub);
}

size_t router_channel_count(const struct router *router)
{
    return subscription_count(router->subscriptions);
}

/* The links. */

void router_subscriber_up(struct router *router, struct redis_link *link)
{
    subscription_set_up(router->subscriptions, link);
}

void router_subscriber_down(struct router *router)
{
    flush_all(router);
    subscription_set_down(router->subscriptions);
}

void router_push(struct router *router, const struct resp *push)
{
    subscription_set_push(router->subscriptions, push);
}

void router_batch_end(struct router *router)
{
    flush_all(router);
}

void router_reader_up(struct router *router, struct redis_link *link)
{
    catchup_up(router->shared.catchup, link);
}

void router_reader_down(struct router *router)
{
    catchup_down(router->shared.catchup);
}

/* Life. */

struct router *router_new(struct loop *loop, const struct router_limits *limits)
{
    struct router *router = calloc(1, sizeof(*router));

    if (router == NULL)
        return NULL;
    router->loop = loop;
    router->shared.loop = loop;
    router->limits = *limits;
    router->shared.recent.bytes_max = limits->recent_bytes;
    router->shared.recent.events_max = limits->recent_events;
    TAILQ_INIT(&router->shared.dirty);
    TAILQ_INIT(&router->lingering);
    router->shared.catchup = catchup_new(loop, on_read);
    router->subscriptions = subscription_set_new(loop, &subscription_handlers);
    router->linger_timer = loop_timer_new(loop, on_linger_end, router);
    if (router->shared.catchup == NULL || router->subscriptions == NULL ||
        router->linger_timer == NULL) {
        router_free(router);
        return NULL;
    }
    return router;
}

void router_free(struct router *router)
{
    struct channel *channel;

    if (router == NULL)
        return;
    catchup_free(router->shared.catchup); /* first: no answer reaches a channel any more */
    while ((channel = TAILQ_FIRST(&router->lingering)) != NULL)
        remove_channel(router, channel);
    subscription_set_free(router->subscriptions);
    loop_timer_free(router->linger_timer);
    free(router);
}
