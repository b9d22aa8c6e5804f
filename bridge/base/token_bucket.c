#include "base/token_bucket.h"

uint64_t token_bucket_take(struct token_bucket *bucket, const struct token_rate *rate, uint32_t n,
                           uint64_t now_us)
{
    uint64_t each, room, from, then;

    if (rate->per_s == 0)
        return 0;
    each = UINT64_C(1000000) / rate->per_s;
    room = each * rate->burst;
    from = bucket->full_us > now_us ? bucket->full_us : now_us;
    then = from + each * n;
    if (then > now_us + room)
        return then - now_us - room;
    bucket->full_us = then;
    return 0;
}
