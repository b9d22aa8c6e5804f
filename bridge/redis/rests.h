/* rests -- replicas that were left, and until when they are not gone back to.
 *
 * Pure. One that is left again, sooner than it had rested, rests twice as long: to go to one that
 * cannot be had costs seconds in which nothing is heard. */
#ifndef RESTS_H
#define RESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redis/replication_info.h"

#define RESTS_MAX 8 /* replicas; of more the one that was left first may be gone back to */
#define REST_MIN_MS 30000
#define REST_MAX_MS 1800000

/* All zero: there are none. */
struct rests {
    struct rest {
        struct replica_place place;
        uint64_t until_ms, ms; /* ms 0: none is kept here */
    } at[RESTS_MAX];
    size_t next;
};

/* It was left after so long. */
void rests_add(struct rests *rests, const struct replica_place *place, uint64_t now_ms,
               uint64_t stayed_ms);
bool rests_has(const struct rests *rests, const struct replica_place *place, uint64_t now_ms);

#endif
