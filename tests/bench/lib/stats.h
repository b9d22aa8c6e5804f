/* stats -- the few numbers that are said of many: medians over rounds, percentiles over samples. */
#ifndef STATS_H
#define STATS_H

#include <stddef.h>
#include <stdint.h>

#include "bench.h"

/* One figure per round. Zeroed: empty. */
struct stats {
    double values[BENCH_ROUNDS_MAX];
    size_t count;
};

/* Values beyond BENCH_ROUNDS_MAX are ignored: bench_parse() allows no more rounds. */
void stats_add(struct stats *stats, double value);

/* 0 when empty; of an even number of values the mean of the middle two. */
double stats_median(const struct stats *stats);
double stats_min(const struct stats *stats);
double stats_max(const struct stats *stats);

/* Sorts samples in place. */
void stats_sort(uint64_t *samples, size_t count);
/* The smallest sample that at least percent of all do not exceed (nearest rank). 0 when empty. */
uint64_t stats_percentile(const uint64_t *sorted, size_t count, double percent);

#endif
