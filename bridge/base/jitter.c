#include "base/jitter.h"

#include <event2/util.h>

uint64_t jittered(uint64_t ms)
{
    uint32_t random;

    evutil_secure_rng_get_bytes(&random, sizeof(random));
    return ms / 2 + random % (ms / 2 + 1);
}
