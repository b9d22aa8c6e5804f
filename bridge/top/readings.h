/* readings -- what a bridge says of itself at one time (GET /metrics), as far as people want to see
 * it. Whatever stands there is taken with care: it may be another program's. */
#ifndef READINGS_H
#define READINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_str.h"

enum reading {
    READING_WEBSOCKETS,
    READING_STREAMS,
    READING_POLLS,
    READING_SOCKETS,
    READING_SOCKETS_MAX,
    READING_SUBSCRIPTIONS,
    READING_CHANNELS,
    READING_OPENED,
    READING_MESSAGES,
    READING_ANSWERS,
    READING_EVENTS,
    READING_NOTIFICATIONS,
    READING_SEEN,
    READING_READ,
    READING_BYTES_IN,
    READING_BYTES_OUT,
    READING_SUBSCRIBER_UP,
    READING_COMMANDS_UP,
    READING_MODULE_UP,
    READING_IN_LINE,
    READING_CPU,
    READING_RESIDENT,
    READING_RECENT,
    READING_STASHED,
    READING_WORKERS,
    READING_READY,
    READING_LEAVING,
    READING_RESTARTS,
    READING_GAPS,
    READING_REFILLS,
    READING_LOST,
    READING_DROPPED_BEHIND,
    READINGS,
};

#define READINGS_BUCKETS_MAX 32
#define READINGS_WORKERS_MAX 256
#define READINGS_NAMED_MAX 128 /* of each list of names */
#define READINGS_NAME_BYTES 48

/* Buckets as they are shown, each with those before it. */
struct buckets {
    size_t len;
    double bounds[READINGS_BUCKETS_MAX]; /* seconds; the last one is infinite */
    double counts[READINGS_BUCKETS_MAX];
};

enum buckets_of { BUCKETS_DELIVERY, BUCKETS_ROUND_TRIP, BUCKETS_TURN, BUCKETS_OF };

struct worker_reading {
    bool known;
    double connections, events, cpu, resident, ready;
};

/* Numbers that have a name of their own: limits, codes of errors, causes of slow turns. */
enum named_of { NAMED_LIMITS, NAMED_ERRORS, NAMED_SLOW, NAMED_OF };

struct named_list {
    size_t len;
    struct named {
        char name[READINGS_NAME_BYTES]; /* nothing but letters, digits, '-', '_' and '.' */
        double value;
    } at[READINGS_NAMED_MAX];
};

struct readings {
    uint64_t at_us; /* when, by our monotonic clock */
    double values[READINGS];
    bool known[READINGS];
    struct buckets buckets[BUCKETS_OF];
    struct named_list named[NAMED_OF];
    struct worker_reading workers[READINGS_WORKERS_MAX];
    char version[READINGS_NAME_BYTES];
};

/* False: the text has none of our numbers. */
bool readings_read(struct readings *ret, struct notify_str text, uint64_t at_us);

/* How much a number has grown by, in each second since before; 0: it is not known, or has begun
 * anew (another process answers). */
double readings_rate(const struct readings *before, const struct readings *now, enum reading which);

/* The same of a worker; known: it was there both times. */
struct worker_rates {
    bool known;
    double events, cpu;
};
struct worker_rates readings_worker_rates(const struct readings *before, const struct readings *now,
                                          size_t i);

/* What so much (0 to 1) of what was counted since before does not pass, in seconds, by straight
 * lines within buckets. Negative: nothing was counted. before may be NULL. */
double readings_quantile(const struct readings *before, const struct readings *now,
                         enum buckets_of which, double part);
/* How many were counted since then. */
double readings_count(const struct readings *before, const struct readings *now,
                      enum buckets_of which);
/* By how much a named number has grown. */
double readings_named_growth(const struct readings *before, const struct named *now,
                             enum named_of which);

#endif
