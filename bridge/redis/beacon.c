#include "redis/beacon.h"

#include <stdlib.h>
#include <string.h>

#include "redis/cluster_map.h"
#include "redis/ears.h"
#include "redis/subscription.h"

struct beacon {
    struct loop *loop; /* borrowed */
    struct ears *ears; /* borrowed; or NULL */
    const struct subscription_handlers *handlers;
    void *owner;
    char *channel; /* owned */
    struct place {
        struct subscription_set *set; /* owned; NULL: nobody was there yet */
        struct subscription *sub;
        bool is_up;
    } * places; /* owned: one, or one for each primary */
    unsigned count;
    bool ended;
};

static bool make_place(struct beacon *beacon, struct place *place)
{
    if (place->set == NULL)
        place->set = subscription_set_new(beacon->loop, beacon->handlers);
    if (beacon->ended)
        return place->set != NULL;
    if (place->set != NULL && place->sub == NULL)
        place->sub = subscription_want(place->set, notify_str_z(beacon->channel), beacon->owner);
    return place->sub != NULL;
}

static const struct ears_beacon_handlers ears_handlers = {
    .on_up = beacon_place_up, .on_down = beacon_place_down, .on_push = beacon_place_push};

struct beacon *beacon_new(struct loop *loop, struct ears *ears, struct notify_str channel,
                          const struct subscription_handlers *handlers, void *owner)
{
    struct beacon *beacon = calloc(1, sizeof(*beacon));

    if (beacon == NULL)
        return NULL;
    *beacon = (struct beacon){.loop = loop, .handlers = handlers, .owner = owner};
    beacon->count = ears == NULL ? 1 : CLUSTER_PRIMARIES_MAX;
    beacon->channel = strndup(channel.ptr, channel.len);
    beacon->places = calloc(beacon->count, sizeof(*beacon->places));
    if (beacon->channel == NULL || beacon->places == NULL ||
        (ears == NULL && !make_place(beacon, beacon->places))) {
        beacon_free(beacon);
        return NULL;
    }
    beacon->ears = ears;
    if (ears != NULL)
        ears_add_beacon(ears, beacon, &ears_handlers);
    return beacon;
}

/* What a server has of it goes with the link, or is left now. */
static void free_place(struct place *place)
{
    if (place->sub != NULL)
        subscription_drop(place->set, place->sub);
    subscription_set_free(place->set);
}

void beacon_end(struct beacon *beacon)
{
    beacon->ended = true;
    for (unsigned i = 0; i < beacon->count; i++) {
        if (beacon->places[i].sub != NULL)
            subscription_drop(beacon->places[i].set, beacon->places[i].sub);
        beacon->places[i].sub = NULL;
    }
}

void beacon_free(struct beacon *beacon)
{
    if (beacon == NULL)
        return;
    if (beacon->ears != NULL)
        ears_drop_beacon(beacon->ears, beacon);
    for (unsigned i = 0; beacon->places != NULL && i < beacon->count; i++)
        free_place(&beacon->places[i]);
    free(beacon->places);
    free(beacon->channel);
    free(beacon);
}

static bool is_held_at(const struct place *place)
{
    return place->sub != NULL && subscription_is_held(place->sub);
}

bool beacon_is_held(struct beacon *beacon, struct notify_str key)
{
    unsigned at = beacon->ears == NULL ? 0 : ears_primary_of(beacon->ears, key);
    struct place *place;

    if (at == CLUSTER_NOBODY)
        return false;
    place = &beacon->places[at];
    if (place->sub != NULL && subscription_is_refused(place->sub))
        subscription_retry(place->set, place->sub);
    return is_held_at(place);
}

bool beacon_is_held_everywhere(const struct beacon *beacon)
{
    for (unsigned i = 0; i < beacon->count; i++)
        if (beacon->places[i].is_up && !is_held_at(&beacon->places[i]))
            return false;
    return true;
}

bool beacon_is_settled(const struct beacon *beacon)
{
    bool is_up = false;

    for (unsigned i = 0; i < beacon->count; i++) {
        const struct place *place = &beacon->places[i];
        if (!place->is_up)
            continue;
        if (!is_held_at(place) && (place->sub == NULL || !subscription_is_refused(place->sub)))
            return false;
        is_up = true;
    }
    return is_up;
}

/* Links. One for which there is no memory is not heard: nobody is told anything over it. */

void beacon_place_up(struct beacon *beacon, unsigned primary, struct redis_link *link)
{
    struct place *place = &beacon->places[primary];

    place->is_up = true;
    if (make_place(beacon, place))
        subscription_set_up(place->set, link);
}

void beacon_place_down(struct beacon *beacon, unsigned primary)
{
    struct place *place = &beacon->places[primary];

    place->is_up = false;
    if (place->set != NULL)
        subscription_set_down(place->set);
}

void beacon_place_push(struct beacon *beacon, unsigned primary, const struct resp *push)
{
    if (beacon->places[primary].set != NULL)
        subscription_set_push(beacon->places[primary].set, push);
}

void beacon_up(struct beacon *beacon, struct redis_link *link)
{
    beacon_place_up(beacon, 0, link);
}

void beacon_down(struct beacon *beacon)
{
    beacon_place_down(beacon, 0);
}

void beacon_push(struct beacon *beacon, const struct resp *push)
{
    beacon_place_push(beacon, 0, push);
}
