#include "channels/linger.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "base/counters.h"
#include "base/loop.h"
#include "channels/channel.h"

#define ROOM_TRIES 64 /* channels that are looked at for one that can go */

struct linger_account {
    size_t count;
    bool released; /* by the client: the last channel takes it along */
};

struct linger {
    struct linger_limits limits;
    struct loop *loop; /* borrowed */
    linger_fn fn;
    void *ctx;
    struct channel_queue queue; /* in the order of linger_until_ms */
    size_t count;               /* in it */
    struct channel_queue ended; /* go in the next turn: whoever has just left may stand on them */
    struct loop_timer *timer, *end_timer; /* owned */
};

static void on_timer(void *ctx);
static void on_end_timer(void *ctx);

struct linger *linger_new(struct loop *loop, const struct linger_limits *limits, linger_fn fn,
                          void *ctx)
{
    struct linger *linger = calloc(1, sizeof(*linger));

    if (linger == NULL)
        return NULL;
    linger->limits = *limits;
    linger->loop = loop;
    linger->fn = fn;
    linger->ctx = ctx;
    TAILQ_INIT(&linger->queue);
    TAILQ_INIT(&linger->ended);
    linger->timer = loop_timer_new(loop, on_timer, linger);
    linger->end_timer = loop_timer_new(loop, on_end_timer, linger);
    if (linger->timer == NULL || linger->end_timer == NULL) {
        linger_free(linger);
        return NULL;
    }
    return linger;
}

size_t linger_count(const struct linger *linger)
{
    return linger->count;
}

/* The account of what one client has left. */

static void account_free_when_done(struct linger_account *account)
{
    if (account->released && account->count == 0)
        free(account);
}

void linger_account_release(struct linger_account *account)
{
    if (account == NULL)
        return;
    account->released = true;
    account_free_when_done(account);
}

/* Without memory for an account a channel just stays in nobody's. */
static struct linger_account *account_of(struct linger_account **account)
{
    if (account == NULL)
        return NULL;
    if (*account == NULL)
        *account = calloc(1, sizeof(**account));
    return *account;
}

/* Coming and going. */

#define ENDED 0 /* as linger_until_ms: it is in ended */

static void insert(struct linger *linger, struct channel *channel, uint64_t ms)
{
    channel->lingering = true;
    channel->linger_until_ms = loop_now_ms(linger->loop) + ms;
    if (TAILQ_EMPTY(&linger->queue))
        loop_timer_set(linger->timer, ms);
    TAILQ_INSERT_TAIL(&linger->queue, channel, linger_link);
    linger->count++;
}

static void insert_ended(struct linger *linger, struct channel *channel)
{
    channel->lingering = true;
    channel->linger_until_ms = ENDED;
    if (TAILQ_EMPTY(&linger->ended))
        loop_timer_set(linger->end_timer, 0);
    TAILQ_INSERT_TAIL(&linger->ended, channel, linger_link);
}

static void take_out(struct linger *linger, struct channel *channel)
{
    channel->lingering = false;
    if (channel->linger_until_ms == ENDED) {
        TAILQ_REMOVE(&linger->ended, channel, linger_link);
    } else {
        TAILQ_REMOVE(&linger->queue, channel, linger_link);
        linger->count--;
    }
}

void linger_end(struct linger *linger, struct channel *channel)
{
    struct linger_account *account = channel->left_by;

    if (!channel->lingering)
        return;
    take_out(linger, channel);
    channel->left_by = NULL;
    if (account == NULL)
        return;
    account->count--;
    account_free_when_done(account);
}

static void let_go(struct linger *linger, struct channel *channel)
{
    linger_end(linger, channel);
    linger->fn(linger->ctx, channel);
}

/* One that is being read for waits for that: the answer comes to it. */
static void stay_on(struct linger *linger, struct channel *channel)
{
    take_out(linger, channel);
    insert(linger, channel, linger->limits.ms + 1);
}

static void on_timer(void *ctx)
{
    struct linger *linger = ctx;
    uint64_t now = loop_now_ms(linger->loop);
    struct channel *channel;

    while ((channel = TAILQ_FIRST(&linger->queue)) != NULL) {
        if (channel->linger_until_ms > now) {
            loop_timer_set(linger->timer, channel->linger_until_ms - now);
            return;
        }
        if (channel->reading)
            stay_on(linger, channel);
        else
            let_go(linger, channel);
    }
}

static void on_end_timer(void *ctx)
{
    struct linger *linger = ctx;
    struct channel *channel;

    while ((channel = TAILQ_FIRST(&linger->ended)) != NULL) {
        if (channel->reading)
            stay_on(linger, channel);
        else
            let_go(linger, channel);
    }
}

/* Has the one that has stayed longest go. False: those that have cannot go yet. */
static bool make_room(struct linger *linger)
{
    struct channel *channel = TAILQ_FIRST(&linger->queue);

    for (int i = 0; channel != NULL && channel->reading && i < ROOM_TRIES; i++)
        channel = TAILQ_NEXT(channel, linger_link);
    counter_add(COUNTER_LINGER_CHANNELS, 1);
    if (channel == NULL || channel->reading)
        return false;
    linger_end(linger, channel);
    insert_ended(linger, channel);
    return true;
}

bool linger_allows(struct linger *linger, const struct linger_account *account)
{
    if (account != NULL && account->count > linger->limits.per_client) {
        counter_add(COUNTER_LINGER_PER_CLIENT, 1);
        return false;
    }
    return linger->count < linger->limits.channels || make_room(linger);
}

void linger_begin(struct linger *linger, struct channel *channel, struct linger_account **account)
{
    struct linger_account *of = account_of(account);
    bool over = of != NULL && of->count >= linger->limits.per_client;

    if (over)
        counter_add(COUNTER_LINGER_PER_CLIENT, 1);
    if (over && !channel->reading) {
        insert_ended(linger, channel);
        return;
    }
    if (linger->count >= linger->limits.channels)
        (void)make_room(linger); /* if there is none, linger_allows() says so to the next */
    insert(linger, channel, linger->limits.ms);
    channel->left_by = of;
    if (of != NULL)
        of->count++;
}

void linger_free(struct linger *linger)
{
    struct channel *channel;

    if (linger == NULL)
        return;
    while ((channel = TAILQ_FIRST(&linger->queue)) != NULL ||
           (channel = TAILQ_FIRST(&linger->ended)) != NULL)
        let_go(linger, channel);
    loop_timer_free(linger->timer);
    loop_timer_free(linger->end_timer);
    free(linger);
}
