#include "clients/request_rate.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/loop.h"

#define PLACES 4 /* that a user may have */

struct place {
    uint64_t user; /* hash of the name */
    struct token_bucket bucket;
};

struct request_rate {
    struct loop *loop; /* borrowed */
    struct token_rate rate;
    struct hash_key key;
    struct place places[REQUEST_RATE_USERS];
};

struct request_rate *request_rate_new(struct loop *loop, const struct token_rate *rate)
{
    struct request_rate *made = calloc(1, sizeof(*made));

    if (made == NULL)
        return NULL;
    made->loop = loop;
    made->rate = *rate;
    made->key = hash_key_new();
    return made;
}

void request_rate_free(struct request_rate *rate)
{
    free(rate);
}

/* His place, or the one that can best be taken from somebody else. */
static struct place *find(struct request_rate *rate, uint64_t user)
{
    struct place *row = &rate->places[user % (REQUEST_RATE_USERS / PLACES) * PLACES], *best = row;

    for (struct place *at = row; at < row + PLACES; at++) {
        if (at->user == user)
            return at;
        if (at->bucket.full_us < best->bucket.full_us)
            best = at;
    }
    *best = (struct place){.user = user};
    return best;
}

uint64_t request_rate_take(struct request_rate *rate, struct notify_str user)
{
    uint64_t wait_us;

    if (rate == NULL || rate->rate.per_s == 0)
        return 0;
    wait_us = token_bucket_take(&find(rate, hash_bytes(&rate->key, user))->bucket, &rate->rate, 1,
                                loop_now_ms(rate->loop) * 1000);
    return (wait_us + 999) / 1000;
}
