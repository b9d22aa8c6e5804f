/* token_bucket -- how often something may happen: a rate, and a burst beyond it. The generic cell
 * rate algorithm (ITU-T I.371): a bucket is one number, the time at which it will be full again. */
#ifndef TOKEN_BUCKET_H
#define TOKEN_BUCKET_H

#include <stdint.h>

struct token_rate {
    uint32_t per_s; /* 0: no limit */
    uint32_t burst; /* at least 1 */
};

/* Zeroed is full. */
struct token_bucket {
    uint64_t full_us; /* clock of the caller, in microseconds, which never goes back */
};

/* Takes n tokens (at most burst). 0, or, when there are not so many, how many microseconds until
 * there will be: then none is taken. */
uint64_t token_bucket_take(struct token_bucket *bucket, const struct token_rate *rate, uint32_t n,
                           uint64_t now_us);
/* Nothing has been taken from it that has not come back. */
static inline int token_bucket_is_full(const struct token_bucket *bucket, uint64_t now_us)
{
    return bucket->full_us <= now_us;
}

#endif
