/* stats -- medians and percentiles; see stats.h. */
#include "stats.h"

#include <stdlib.h>
#include <string.h>

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int compare_samples(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

void stats_add(struct stats *stats, double value)
{
    if (stats->count < BENCH_ROUNDS_MAX)
        stats->values[stats->count++] = value;
}

/* The value between sorted ranks low and high, which are the same for an odd count. */
static double stats_between(const struct stats *stats, size_t low, size_t high)
{
    double sorted[BENCH_ROUNDS_MAX];

    if (stats->count == 0)
        return 0;
    memcpy(sorted, stats->values, stats->count * sizeof(sorted[0]));
    qsort(sorted, stats->count, sizeof(sorted[0]), compare_doubles);
    return (sorted[low] + sorted[high]) / 2;
}

double stats_median(const struct stats *stats)
{
    return stats->count == 0 ? 0 : stats_between(stats, (stats->count - 1) / 2, stats->count / 2);
}

double stats_min(const struct stats *stats)
{
    return stats_between(stats, 0, 0);
}

double stats_max(const struct stats *stats)
{
    return stats->count == 0 ? 0 : stats_between(stats, stats->count - 1, stats->count - 1);
}

void stats_sort(uint64_t *samples, size_t count)
{
    qsort(samples, count, sizeof(samples[0]), compare_samples);
}

uint64_t stats_percentile(const uint64_t *sorted, size_t count, double percent)
{
    if (count == 0)
        return 0;
    double wanted = percent / 100 * (double)count;
    size_t rank = (size_t)wanted;
    if ((double)rank < wanted)
        rank++;
    return sorted[rank == 0 ? 0 : rank - 1];
}
