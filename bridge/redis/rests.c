#include "redis/rests.h"

static struct rest *find(struct rests *rests, const struct replica_place *place)
{
    for (struct rest *rest = rests->at; rest < rests->at + RESTS_MAX; rest++)
        if (rest->ms > 0 && replica_places_equal(&rest->place, place))
            return rest;
    return NULL;
}

static uint64_t next_ms(const struct rest *before, uint64_t stayed_ms)
{
    if (before == NULL || stayed_ms >= before->ms)
        return REST_MIN_MS;
    return before->ms < REST_MAX_MS / 2 ? before->ms * 2 : REST_MAX_MS;
}

void rests_add(struct rests *rests, const struct replica_place *place, uint64_t now_ms,
               uint64_t stayed_ms)
{
    struct rest *rest = find(rests, place);
    uint64_t ms = next_ms(rest, stayed_ms);

    if (rest == NULL)
        rest = &rests->at[rests->next++ % RESTS_MAX];
    *rest = (struct rest){.place = *place, .until_ms = now_ms + ms, .ms = ms};
}

bool rests_has(const struct rests *rests, const struct replica_place *place, uint64_t now_ms)
{
    for (const struct rest *rest = rests->at; rest < rests->at + RESTS_MAX; rest++)
        if (rest->until_ms > now_ms && replica_places_equal(&rest->place, place))
            return true;
    return false;
}
