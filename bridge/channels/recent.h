/* recent -- the newest events of one channel, kept for those who come back to it.
 *
 * Contiguous: it holds every entry behind `from`, and the other events among them, up to where the
 * channel ends. Whoever stands at a position that it covers is served without asking Redis. Where
 * the channel ends, and whether anybody is worth keeping events for, the channel knows. */
#ifndef RECENT_H
#define RECENT_H

#include <stdbool.h>
#include <stddef.h>

#include "channels/batch.h"
#include "notify_id.h"

/* What the channels of a process share; owned by the router. */
struct recent_budget {
    size_t bytes;      /* of memory that all of them take, beside parts of their events: */
    size_t bytes_max;  /* at which nothing more is kept; passed by one event at the most */
    size_t events_max; /* per channel; RECENT_AWAITED_FACTOR times as many while somebody waits */
};

#define RECENT_AWAITED_FACTOR 4

/* All zero: holds nothing. To be emptied by recent_forget(). */
struct recent {
    struct batch *events; /* owned; NULL: nothing is held */
    struct notify_id from;
};

/* What one read from Redis brought: every entry behind from, up to last. */
struct recent_read {
    const struct batch *events;
    struct notify_id from, last;
    struct notify_id trimmed; /* entries up to here are gone */
    struct notify_id sure;    /* what is held up to here is what Redis had */
};

/* What these take in memory, about, with the frame that was made of each for those who follow.
 * NULL: 0. */
size_t recent_cost(const struct batch *events);
/* What all of them take, with what was made of events for some alone (event_excerpts_bytes()). */
size_t recent_taken(const struct recent_budget *budget);
void recent_forget(struct recent *recent, struct recent_budget *budget);

/* event has just become the newest of the channel, which ended at `before` until then. When the
 * budget is spent, or for lack of memory, nothing is held any more. awaited: somebody waits. */
void recent_push(struct recent *recent, struct recent_budget *budget, struct event *event,
                 struct notify_id before, bool awaited);

/* Takes in what was read, if it goes further back than what is held and reaches up to where that
 * begins; the channel ends at end. What is held stays as it is: all are to get the same, also of
 * what was believed and may prove wrong. */
void recent_extend(struct recent *recent, struct recent_budget *budget,
                   const struct recent_read *read, struct notify_id end);

/* Somebody was served from it, for whom parts of events may have been made: when all take too much
 * then, nothing is held any more. */
void recent_served(struct recent *recent, struct recent_budget *budget);

/* Whether it holds all that somebody at pos lacks of a channel that ends at end. */
bool recent_covers(const struct recent *recent, struct notify_id pos, struct notify_id end);

#endif
