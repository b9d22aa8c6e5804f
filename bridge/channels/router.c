#include "channels/router.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "redis/catchup.h"
#include "channels/channel.h"
#include "channels/control.h"
#include "channels/follow.h"
#include "redis/redis_link.h"
#include "redis/subscription.h"

struct router {
    struct channel_shared shared;
    struct subscription_set *subscriptions, *patterns;
    struct control *control;
    struct linger *linger;
    size_t max_patterns;
};

static void flush_all(struct router *router)
{
    struct channel *channel;

    while ((channel = TAILQ_FIRST(&router->shared.dirty)) != NULL)
        channel_flush(channel);
}

static void on_flushed(void *ctx)
{
    struct router *router = ctx;

    subscription_each(router->subscriptions, channel_on_flushed);
}

static struct subscription_set *set_of(const struct router *router, bool pattern)
{
    return pattern ? router->patterns : router->subscriptions;
}

static void remove_channel(void *ctx, struct channel *channel)
{
    struct router *router = ctx;

    subscription_drop(set_of(router, channel->pattern), channel->sub);
    channel_free(channel);
}

/* Following. */

/* Whether another channel may be made. Those that are left over, with the subscriptions that Redis
 * has not confirmed to be ended, would grow without end while Redis stands still. */
static bool may_make(struct router *router, const struct linger_account *account)
{
    if (subscription_leaving_count(router->subscriptions) +
            subscription_leaving_count(router->patterns) >=
        SUBSCRIPTIONS_LEAVING_MAX) {
        counter_add(COUNTER_SUBSCRIPTIONS_LEAVING, 1);
        return false;
    }
    return linger_allows(router->linger, account);
}

/* Redis compares each message that anybody publishes with all of them. */
static bool may_make_pattern(const struct router *router)
{
    return subscription_count(router->patterns) < router->max_patterns;
}

static struct channel *make_channel(struct router *router, struct notify_str key, bool plain,
                                    bool pattern)
{
    struct channel *channel = channel_new(&router->shared);

    if (channel == NULL)
        return NULL;
    channel->plain = plain;
    channel->pattern = pattern;
    channel->sub = subscription_want(set_of(router, pattern), key, channel);
    if (channel->sub == NULL) {
        channel_free(channel);
        return NULL;
    }
    linger_begin(router->linger, channel, NULL); /* until it is followed */
    if (subscription_is_held(channel->sub))
        channel_on_held(channel);
    return channel;
}

int router_add(struct router *router, struct follow *follow, struct notify_str key,
               const struct linger_account *account)
{
    bool pattern = follow->plain && memchr(key.ptr, '*', key.len) != NULL;
    struct subscription_set *set = set_of(router, pattern);
    struct channel *channel = subscription_find(set, key);

    if (channel != NULL)
        subscription_retry(set, channel->sub);
    else if (!may_make(router, account))
        return -EBUSY;
    else if (pattern && !may_make_pattern(router))
        return -EUSERS;
    else
        channel = make_channel(router, key, follow->plain, pattern);
    if (channel == NULL || channel_add(channel, follow) != 0)
        return -ENOMEM; /* a new channel goes when its time is over */
    linger_end(router->linger, channel);
    return 0;
}

void router_remove(struct router *router, struct follow *follow, struct linger_account **account)
{
    struct channel *channel = follow->channel;

    if (channel == NULL)
        return;
    channel_remove(channel, follow);
    if (channel->audience.len == 0)
        linger_begin(router->linger, channel, account);
}

size_t router_lingering_count(const struct router *router)
{
    return linger_count(router->linger);
}

size_t router_channel_count(const struct router *router)
{
    return subscription_count(router->subscriptions) + subscription_count(router->patterns);
}

/* The links. */

void router_subscriber_up(void *ctx, struct redis_link *link)
{
    struct router *router = ctx;

    control_up(router->control, link); /* first: see control.h */
    subscription_set_up(router->subscriptions, link);
    subscription_set_up(router->patterns, link);
}

void router_subscriber_down(void *ctx)
{
    struct router *router = ctx;

    flush_all(router);
    control_down(router->control);
    subscription_set_down(router->subscriptions);
    subscription_set_down(router->patterns);
}

void router_push(void *ctx, const struct resp *push)
{
    struct router *router = ctx;

    if (control_push(router->control, push))
        return;
    subscription_set_push(router->subscriptions, push);
    subscription_set_push(router->patterns, push);
}

void router_batch_end(void *ctx)
{
    struct router *router = ctx;

    flush_all(router);
}

void router_reader_up(void *ctx, struct redis_link *link)
{
    struct router *router = ctx;

    catchup_up(router->shared.catchup, link);
}

void router_reader_down(void *ctx)
{
    struct router *router = ctx;

    catchup_down(router->shared.catchup);
}

const struct redis_link_handlers router_subscriber_handlers = {
    .on_up = router_subscriber_up,
    .on_down = router_subscriber_down,
    .on_push = router_push,
    .on_batch_end = router_batch_end,
};

const struct redis_link_handlers router_reader_handlers = {
    .on_up = router_reader_up,
    .on_down = router_reader_down,
    .on_batch_end = router_batch_end,
};

/* Life. */

struct router *router_new(struct loop *loop, const struct router_limits *limits,
                          const struct router_plain *plain, const struct follow_handlers *handlers)
{
    struct router *router = calloc(1, sizeof(*router));

    if (router == NULL)
        return NULL;
    router->shared.loop = loop;
    router->shared.handlers = handlers;
    router->shared.recent.bytes_max = limits->recent_bytes;
    router->shared.recent.events_max = limits->recent_events;
    router->shared.stash_bytes_max = CHANNEL_STASH_BYTES_MAX;
    router->shared.plain_bytes_max = limits->plain_bytes;
    router->max_patterns = limits->patterns;
    router->shared.is_plain = plain->is_plain;
    router->shared.ctx = plain->ctx;
    TAILQ_INIT(&router->shared.dirty);
    router->shared.catchup = catchup_new(loop, channel_on_read);
    router->subscriptions = subscription_set_new(loop, &channel_subscription_handlers);
    router->patterns = subscription_set_new_patterns(loop, &channel_subscription_handlers);
    router->control = control_new(loop, on_flushed, router);
    router->linger = linger_new(loop, &limits->linger, remove_channel, router);
    if (router->shared.catchup == NULL || router->subscriptions == NULL ||
        router->patterns == NULL || router->control == NULL || router->linger == NULL) {
        router_free(router);
        return NULL;
    }
    return router;
}

void router_free(struct router *router)
{
    if (router == NULL)
        return;
    catchup_free(router->shared.catchup); /* first: no answer reaches a channel any more */
    control_free(router->control);
    linger_free(router->linger);
    subscription_set_free(router->subscriptions);
    subscription_set_free(router->patterns);
    free(router);
}
