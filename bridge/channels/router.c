#include "channels/router.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "base/loop.h"
#include "redis/catchup.h"
#include "redis/ears.h"
#include "channels/channel.h"
#include "channels/control.h"
#include "channels/follow.h"
#include "redis/keyspace.h"
#include "redis/redis_link.h"
#include "redis/subscription.h"

/* How long a turn of the loop hands on what was accepted; the rest waits for the next one, in which
 * more may come for the same clients, and goes out with it. What Redis has to say is read for
 * longer than that in between, if it has so much (REDIS_LINK_SLICE_US): a server cuts off whoever
 * does not keep up. */
#define FLUSH_SLICE_US 2000
#define FLUSH_AT_ONCE 4 /* channels, then the clock is looked at */

/* One of the links that channels are spread over. */
struct hearer {
    struct router *router;
    unsigned lane;
};

struct router {
    struct channel_shared shared;
    bool flush_due;                         /* a deferred on_flush_due() is on its way */
    struct subscription_set *subscriptions; /* of the channels of keys */
    struct subscription_set *plain;         /* of those that are none; perhaps the same */
    struct subscription_set *patterns;
    bool has_ears;  /* which hear those of keys */
    unsigned links; /* that hear channels and nothing else */
    struct hearer hearers[ROUTER_LINKS_MAX];
    struct control *control;
    struct linger *linger;
    size_t max_patterns;
};

static void flush_some(struct router *router);

static void on_flush_due(void *ctx)
{
    struct router *router = ctx;

    router->flush_due = false;
    flush_some(router);
}

static void flush_soon(struct router *router)
{
    if (TAILQ_EMPTY(&router->shared.dirty) || router->flush_due)
        return;
    router->flush_due = true;
    loop_defer(router->shared.loop, on_flush_due, router);
}

/* In the order in which something first came for them. The clock is not looked at for a few. */
static void flush_some(struct router *router)
{
    uint64_t until_us = 0, now_us = 0;
    struct channel *channel;

    if (TAILQ_EMPTY(&router->shared.dirty))
        return;
    loop_work(router->shared.loop, LOOP_DELIVERY, "channels");
    for (unsigned n = 1; (channel = TAILQ_FIRST(&router->shared.dirty)) != NULL; n++) {
        channel_take_turn(channel);
        if (n % FLUSH_AT_ONCE == 0)
            now_us = loop_clock_us();
        if (until_us == 0 && now_us > 0)
            until_us = now_us + FLUSH_SLICE_US;
        if (now_us > until_us)
            break;
    }
    flush_soon(router);
}

static size_t dirty_count(const struct router *router)
{
    const struct channel *channel;
    size_t count = 0;

    TAILQ_FOREACH(channel, &router->shared.dirty, dirty_link)
    {
        count++;
    }
    return count;
}

/* Before some of them are told that they are lost. What was missed is not read here: of those it is
 * once they are held again, and of the others when their turn comes. */
static void flush_all(struct router *router)
{
    struct channel *channel;

    for (size_t n = dirty_count(router);
         n > 0 && (channel = TAILQ_FIRST(&router->shared.dirty)) != NULL; n--) {
        channel_flush(channel);
        if (channel->dirty) {
            TAILQ_REMOVE(&router->shared.dirty, channel, dirty_link);
            TAILQ_INSERT_TAIL(&router->shared.dirty, channel, dirty_link);
        }
    }
    flush_soon(router);
}

static void on_flushed(void *ctx, bool was_said)
{
    struct router *router = ctx;

    subscription_each(router->subscriptions,
                      was_said ? channel_on_flushed : channel_on_perhaps_flushed);
}

static struct subscription_set *set_of(const struct router *router, bool plain, bool pattern)
{
    return pattern ? router->patterns : plain ? router->plain : router->subscriptions;
}

static void remove_channel(void *ctx, struct channel *channel)
{
    struct router *router = ctx;

    subscription_drop(set_of(router, channel->plain, channel->pattern), channel->sub);
    channel_free(channel);
}

void router_watch(struct router *router,
                  void (*fn)(void *ctx, struct notify_str key, const struct event *event,
                             size_t followers),
                  void *ctx)
{
    router->shared.watch = (struct channel_watch){.fn = fn, .ctx = ctx};
}

static size_t count_all(const struct router *router,
                        size_t (*count)(const struct subscription_set *set))
{
    size_t all = count(router->subscriptions) + count(router->patterns);

    return router->has_ears ? all + count(router->plain) : all;
}

/* Following. */

/* Whether another channel may be made. Those that are left over, with the subscriptions that Redis
 * has not confirmed to be ended, would grow without end while Redis stands still. */
static bool may_make(struct router *router, const struct linger_account *account)
{
    if (count_all(router, subscription_leaving_count) >= SUBSCRIPTIONS_LEAVING_MAX) {
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
    channel->sub = subscription_want(set_of(router, plain, pattern), key, channel);
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
    struct subscription_set *set = set_of(router, follow->plain, pattern);
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

size_t router_ahead_bytes(const struct router *router)
{
    return router->shared.ahead_bytes;
}

size_t router_channel_count(const struct router *router)
{
    return count_all(router, subscription_count);
}

/* Of one walk: those so far, and how many may still be looked at. */
struct ranking {
    struct router_followed *at;
    size_t len, max, left;
};

static bool rank(void *ctx, void *owner)
{
    struct ranking *ranking = ctx;
    const struct channel *channel = owner;
    size_t followers = channel->audience.len, i = ranking->len;

    if (ranking->left-- == 0)
        return false;
    if (followers == 0 || (i == ranking->max && ranking->at[i - 1].followers >= followers))
        return true;
    if (i < ranking->max)
        ranking->len++;
    else
        i--;
    for (; i > 0 && ranking->at[i - 1].followers < followers; i--)
        ranking->at[i] = ranking->at[i - 1];
    ranking->at[i] = (struct router_followed){subscription_channel(channel->sub), followers};
    return true;
}

size_t router_most_followed(const struct router *router, struct router_followed *ret, size_t max,
                            size_t looked_at, bool *ret_whole)
{
    struct ranking ranking = {.at = ret, .max = max, .left = looked_at};

    *ret_whole = subscription_walk(router->subscriptions, rank, &ranking) &&
                 subscription_walk(router->patterns, rank, &ranking) &&
                 (!router->has_ears || subscription_walk(router->plain, rank, &ranking));
    return ranking.len;
}

size_t router_recent_bytes(const struct router *router)
{
    return recent_taken(&router->shared.recent);
}

size_t router_stash_bytes(const struct router *router)
{
    return router->shared.stash_bytes;
}

/* The links. */

void router_subscriber_up(void *ctx, struct redis_link *link)
{
    struct router *router = ctx;

    control_up(router->control, link); /* first: see control.h */
    if (router->links == 0)
        subscription_set_up(router->plain, link);
    subscription_set_up(router->patterns, link);
}

void router_subscriber_down(void *ctx)
{
    struct router *router = ctx;

    flush_all(router);
    control_down(router->control);
    if (router->links == 0)
        subscription_set_down(router->plain);
    subscription_set_down(router->patterns);
}

void router_push(void *ctx, const struct resp *push)
{
    struct router *router = ctx;

    if (control_push(router->control, push))
        return;
    if (router->links == 0)
        subscription_set_push(router->plain, push);
    subscription_set_push(router->patterns, push);
}

static void on_hearer_up(void *ctx, struct redis_link *link)
{
    const struct hearer *hearer = ctx;

    subscription_set_lane_up(hearer->router->plain, hearer->lane, link);
}

static void on_hearer_down(void *ctx)
{
    const struct hearer *hearer = ctx;

    flush_all(hearer->router);
    subscription_set_lane_down(hearer->router->plain, hearer->lane);
}

static void on_hearer_push(void *ctx, const struct resp *push)
{
    const struct hearer *hearer = ctx;

    subscription_set_lane_push(hearer->router->plain, hearer->lane, push);
}

static void on_hearer_batch_end(void *ctx)
{
    router_batch_end(((const struct hearer *)ctx)->router);
}

const struct redis_link_handlers router_hearer_handlers = {.on_up = on_hearer_up,
                                                           .on_down = on_hearer_down,
                                                           .on_push = on_hearer_push,
                                                           .on_batch_end = on_hearer_batch_end};

void *router_hearer(struct router *router, unsigned number)
{
    router->hearers[number] = (struct hearer){.router = router, .lane = number};
    return &router->hearers[number];
}

void router_batch_end(void *ctx)
{
    struct router *router = ctx;

    if (!router->flush_due) /* else more waits than a turn can hand on */
        flush_some(router);
}

void router_reader_up(void *ctx, struct keyspace *keys, const struct keyspace_part *part)
{
    struct router *router = ctx;

    (void)part;
    catchup_up(router->shared.catchup, keys);
}

void router_reader_down(void *ctx, struct keyspace *keys, const struct keyspace_part *part)
{
    struct router *router = ctx;

    (void)part;
    if (!keyspace_is_up(keys))
        catchup_down(router->shared.catchup);
}

static void on_ear_down(void *ctx)
{
    flush_all(ctx);
}

const struct redis_link_handlers router_ears_handlers = {
    .on_down = on_ear_down,
    .on_batch_end = router_batch_end,
};

const struct redis_link_handlers router_subscriber_handlers = {
    .on_up = router_subscriber_up,
    .on_down = router_subscriber_down,
    .on_push = router_push,
    .on_batch_end = router_batch_end,
};

const struct keyspace_handlers router_reader_handlers = {
    .on_up = router_reader_up,
    .on_down = router_reader_down,
    .on_batch_end = router_batch_end,
};

/* Life. */

static void configure(struct router *router, const struct router_limits *limits,
                      const struct router_plain *plain, const struct follow_handlers *handlers)
{
    struct channel_shared *shared = &router->shared;

    shared->handlers = handlers;
    shared->recent.bytes_max = limits->recent_bytes;
    shared->recent.events_max = limits->recent_events;
    shared->stash_bytes_max = CHANNEL_STASH_BYTES_MAX;
    shared->ahead_bytes_max = limits->ahead_bytes;
    shared->plain_bytes_max = limits->plain_bytes;
    shared->hears_replicas = limits->hears_replicas;
    shared->hears_former = limits->hears_former;
    shared->is_plain = plain->is_plain;
    shared->ctx = plain->ctx;
    TAILQ_INIT(&shared->dirty);
    router->max_patterns = limits->patterns;
}

/* False: out of memory. */
static bool make_sets(struct router *router, struct loop *loop, struct ears *ears)
{
    const struct subscription_handlers *handlers = &channel_subscription_handlers;

    router->has_ears = ears != NULL;
    router->plain =
        subscription_set_new_spread(loop, handlers, router->links == 0 ? 1 : router->links);
    router->patterns = subscription_set_new_patterns(loop, handlers);
    router->subscriptions = ears == NULL ? router->plain : ears_new_set(ears, handlers);
    return router->plain != NULL && router->patterns != NULL && router->subscriptions != NULL;
}

struct router *router_new(struct loop *loop, struct ears *ears, const struct router_limits *limits,
                          const struct router_plain *plain, const struct follow_handlers *handlers)
{
    struct router *router = calloc(1, sizeof(*router));

    if (router == NULL)
        return NULL;
    router->shared.loop = loop;
    router->links = limits->links;
    configure(router, limits, plain, handlers);
    router->shared.catchup = catchup_new(loop, channel_on_read);
    router->control = control_new(loop, on_flushed, router);
    router->linger = linger_new(loop, &limits->linger, remove_channel, router);
    if (!make_sets(router, loop, ears) || router->shared.catchup == NULL ||
        router->control == NULL || router->linger == NULL) {
        router_free(router);
        return NULL;
    }
    return router;
}

void router_free(struct router *router)
{
    if (router == NULL)
        return;
    loop_undefer(router->shared.loop, on_flush_due, router);
    catchup_free(router->shared.catchup); /* first: no answer reaches a channel any more */
    control_free(router->control);
    linger_free(router->linger);
    if (router->has_ears)
        subscription_set_free(router->subscriptions);
    subscription_set_free(router->plain);
    subscription_set_free(router->patterns);
    free(router);
}
