/* latency -- how old stored events are when connections take them: from the time that stands in
 * their id to the end of the turn of the loop, so that one look at the clock is enough for all.
 *
 * What is delivered to very many counts as it goes, not all of it at the end. */
#ifndef LATENCY_H
#define LATENCY_H

#include <stdint.h>

#define LATENCY_SLOTS 32 /* times of a turn that are told apart before the clock is looked at */

/* Zeroed. */
struct latency {
    uint32_t used;  /* slots, a bit for each */
    uint32_t noted; /* deliveries in them */
    struct latency_slot {
        uint64_t ms; /* Unix time of the id */
        uint64_t count;
    } slots[LATENCY_SLOTS];
    int64_t offset_us;  /* from our monotonic clock to the wall clock */
    uint64_t synced_us; /* monotonic: when that was looked at; 0: not yet */
};

/* An event with this time in its id was taken by a connection. */
void latency_note(struct latency *latency, uint64_t id_ms);
/* The turn ends (loop_on_turn_end()); ctx: the latency. */
void latency_on_turn_end(void *ctx, uint64_t now_us);

#endif
