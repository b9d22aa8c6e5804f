/* histograms -- how long things take: one table of names, bounds and help, beside that of counters
 * (base/counters.h), whose rows hold the numbers.
 *
 * A value is counted in one bucket, the first whose bound it does not pass; whoever shows them adds
 * them up. Times are microseconds here and seconds when they are shown. */
#ifndef HISTOGRAMS_H
#define HISTOGRAMS_H

#include <stddef.h>
#include <stdint.h>

#include "base/counters.h"

enum histogram {
    HISTOGRAM_DELIVERY,
    HISTOGRAM_ROUND_TRIP,
    HISTOGRAM_TURN,
    HISTOGRAM_SEEN,
    HISTOGRAM_READ,
    HISTOGRAMS,
};

#define HISTOGRAM_BOUNDS_MAX 16
/* Buckets, the last of them for what passes all bounds; then the sum of all values. */
#define HISTOGRAM_VALUES (HISTOGRAM_BOUNDS_MAX + 2)
#define HISTOGRAM_SUM (HISTOGRAM_BOUNDS_MAX + 1)
struct histogram_info {
    const char *name;       /* "notify_delivery_seconds" */
    const uint64_t *bounds; /* they rise */
    size_t len;             /* at most HISTOGRAM_BOUNDS_MAX */
    const char *help;
};

extern const struct histogram_info histogram_infos[HISTOGRAMS];

/* Where the values of one begin in a row. */
static inline const uint64_t *histogram_values(const uint64_t *row, enum histogram histogram)
{
    return row + COUNTERS + (size_t)histogram * HISTOGRAM_VALUES;
}

/* n values of so many microseconds each. */
void histogram_add(enum histogram histogram, uint64_t us, uint64_t n);

#endif
