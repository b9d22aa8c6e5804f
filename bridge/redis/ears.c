#include "redis/ears.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "redis/cluster_map.h"
#include "redis/redis_link.h"
#include "redis/slot.h"
#include "redis/subscription.h"

#define LINK_NAME "notify-bridge:subscriber"

struct ear {
    struct ears *ears;
    struct redis_link *link; /* owned; NULL: none is made */
    unsigned lane;
};

struct ears {
    struct ears_config config;
    struct subscription_set *sets[EARS_SETS_MAX]; /* borrowed */
    size_t set_count;
    struct beacon *beacons[EARS_BEACONS_MAX]; /* borrowed */
    const struct ears_beacon_handlers *beacon_handlers;
    size_t beacon_count;
    struct listener {
        const struct redis_link_handlers *handlers; /* borrowed */
        void *ctx;
    } listeners[EARS_LISTENERS_MAX];
    size_t listener_count;
    struct ear at[CLUSTER_PRIMARIES_MAX * EARS_PER_PRIMARY_MAX]; /* by lane */
};

_Static_assert(CLUSTER_PRIMARIES_MAX *EARS_PER_PRIMARY_MAX <= SUBSCRIPTION_LANES_MAX,
               "each link is a lane");

struct ears *ears_new(const struct ears_config *config)
{
    struct ears *ears = calloc(1, sizeof(*ears));

    if (ears == NULL)
        return NULL;
    ears->config = *config;
    return ears;
}

static struct ear *ears_of(struct ears *ears, unsigned primary)
{
    return &ears->at[primary * ears->config.per_primary];
}

/* What sets ask. Those of one slot stay together: one command asks for all of them. */

static unsigned lane_of_slot(void *ctx, unsigned slot)
{
    const struct ears *ears = ctx;
    unsigned owner = ears->config.owners[slot];

    if (owner == CLUSTER_NOBODY)
        return SUBSCRIPTION_NO_LANE;
    return owner * ears->config.per_primary + slot_share(slot, ears->config.per_primary);
}

static void on_refused(void *ctx, unsigned slot, const struct resp *error)
{
    const struct ears *ears = ctx;

    ears->config.on_refused(ears->config.ctx, slot, error);
}

static void on_taken(void *ctx, unsigned slot)
{
    const struct ears *ears = ctx;

    ears->config.on_taken(ears->config.ctx, slot);
}

static void on_set_freed(void *ctx, const struct subscription_set *set)
{
    struct ears *ears = ctx;
    size_t i = 0;

    while (i < ears->set_count && ears->sets[i] != set)
        i++;
    if (i < ears->set_count)
        ears->sets[i] = ears->sets[--ears->set_count];
}

struct subscription_set *ears_new_set(struct ears *ears,
                                      const struct subscription_handlers *handlers)
{
    const struct subscription_lanes lanes = {.of_slot = lane_of_slot,
                                             .on_refused = on_refused,
                                             .on_taken = on_taken,
                                             .on_freed = on_set_freed,
                                             .ctx = ears};
    struct subscription_set *set;

    assert(ears->set_count < EARS_SETS_MAX);
    set = subscription_set_new_sharded(ears->config.loop, handlers, &lanes);
    if (set != NULL)
        ears->sets[ears->set_count++] = set;
    return set;
}

void ears_add_beacon(struct ears *ears, struct beacon *beacon,
                     const struct ears_beacon_handlers *handlers)
{
    assert(ears->beacon_count < EARS_BEACONS_MAX);
    ears->beacon_handlers = handlers;
    ears->beacons[ears->beacon_count++] = beacon;
    for (unsigned primary = 0; primary < CLUSTER_PRIMARIES_MAX; primary++) {
        struct ear *first = ears_of(ears, primary);
        if (first->link != NULL && redis_link_is_up(first->link))
            handlers->on_up(beacon, primary, first->link);
    }
}

void ears_drop_beacon(struct ears *ears, const struct beacon *beacon)
{
    size_t i = 0;

    while (i < ears->beacon_count && ears->beacons[i] != beacon)
        i++;
    if (i < ears->beacon_count)
        ears->beacons[i] = ears->beacons[--ears->beacon_count];
}

unsigned ears_primary_of(const struct ears *ears, struct notify_str key)
{
    return ears->config.owners[slot_of_key(key)];
}

void ears_listen(struct ears *ears, const struct redis_link_handlers *handlers, void *ctx)
{
    assert(ears->listener_count < EARS_LISTENERS_MAX);
    ears->listeners[ears->listener_count++] = (struct listener){handlers, ctx};
}

void ears_stop(struct ears *ears)
{
    ears->listener_count = 0;
}

/* What links tell. */

static unsigned primary_of(const struct ear *ear)
{
    return ear->lane / ear->ears->config.per_primary;
}

/* Of the links to its primary. */
static bool is_first(const struct ear *ear)
{
    return ear->lane % ear->ears->config.per_primary == 0;
}

static void on_up(void *ctx, struct redis_link *link)
{
    struct ear *ear = ctx;
    struct ears *ears = ear->ears;

    for (size_t i = 0; i < ears->set_count; i++)
        subscription_set_lane_up(ears->sets[i], ear->lane, link);
    for (size_t i = 0; is_first(ear) && i < ears->beacon_count; i++)
        ears->beacon_handlers->on_up(ears->beacons[i], primary_of(ear), link);
    ears->config.on_up(ears->config.ctx);
}

static void on_down(void *ctx)
{
    struct ear *ear = ctx;
    struct ears *ears = ear->ears;

    for (size_t i = 0; i < ears->listener_count; i++)
        if (ears->listeners[i].handlers->on_down != NULL)
            ears->listeners[i].handlers->on_down(ears->listeners[i].ctx);
    for (size_t i = 0; i < ears->set_count; i++)
        subscription_set_lane_down(ears->sets[i], ear->lane);
    for (size_t i = 0; is_first(ear) && i < ears->beacon_count; i++)
        ears->beacon_handlers->on_down(ears->beacons[i], primary_of(ear));
}

static void on_push(void *ctx, const struct resp *push)
{
    struct ear *ear = ctx;
    struct ears *ears = ear->ears;

    for (size_t i = 0; i < ears->set_count; i++)
        subscription_set_lane_push(ears->sets[i], ear->lane, push);
    for (size_t i = 0; is_first(ear) && i < ears->beacon_count; i++)
        ears->beacon_handlers->on_push(ears->beacons[i], primary_of(ear), push);
}

static void on_batch_end(void *ctx)
{
    struct ears *ears = ((struct ear *)ctx)->ears;

    for (size_t i = 0; i < ears->listener_count; i++)
        if (ears->listeners[i].handlers->on_batch_end != NULL)
            ears->listeners[i].handlers->on_batch_end(ears->listeners[i].ctx);
}

static const struct redis_link_handlers link_handlers = {
    .on_up = on_up, .on_down = on_down, .on_push = on_push, .on_batch_end = on_batch_end};

/* Links. */

static void close_ear(struct ear *ear)
{
    bool was_up = ear->link != NULL && redis_link_is_up(ear->link);

    redis_link_free(ear->link);
    ear->link = NULL;
    if (was_up)
        on_down(ear);
}

int ears_open(struct ears *ears, unsigned primary, const struct redis_route *route)
{
    struct ear *first = ears_of(ears, primary);

    for (unsigned i = 0; i < ears->config.per_primary; i++) {
        struct ear *ear = first + i;
        ear->ears = ears;
        ear->lane = (unsigned)(ear - ears->at);
        ear->link = redis_link_new(ears->config.loop, LINK_NAME, route);
        if (ear->link == NULL) {
            ears_close(ears, primary);
            return -ENOMEM;
        }
        redis_link_read_ahead(ear->link);
        redis_link_listen(ear->link, &link_handlers, ear);
    }
    for (unsigned i = 0; i < ears->config.per_primary; i++)
        redis_link_start(first[i].link);
    return 0;
}

void ears_close(struct ears *ears, unsigned primary)
{
    struct ear *first = ears_of(ears, primary);

    for (unsigned i = 0; i < ears->config.per_primary; i++)
        close_ear(first + i);
}

bool ears_are_up(const struct ears *ears, unsigned primary)
{
    const struct ear *first = &ears->at[primary * ears->config.per_primary];

    for (unsigned i = 0; i < ears->config.per_primary; i++)
        if (first[i].link == NULL || !redis_link_is_up(first[i].link))
            return false;
    return true;
}

void ears_free(struct ears *ears)
{
    if (ears == NULL)
        return;
    for (unsigned primary = 0; primary < CLUSTER_PRIMARIES_MAX; primary++)
        ears_close(ears, primary);
    free(ears);
}

/* Routes. */

void ears_reroute(struct ears *ears)
{
    for (size_t i = 0; i < ears->set_count; i++)
        subscription_set_reroute(ears->sets[i]);
}

void ears_reroute_slot(struct ears *ears, unsigned slot)
{
    for (size_t i = 0; i < ears->set_count; i++)
        subscription_set_reroute_slot(ears->sets[i], slot);
}
