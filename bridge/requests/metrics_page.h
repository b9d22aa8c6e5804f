/* metrics_page -- GET /metrics: all counters and histograms, in the text format of Prometheus or in
 * that of OpenMetrics. */
#ifndef METRICS_PAGE_H
#define METRICS_PAGE_H

#include <stddef.h>
#include <stdio.h>

#include "requests/metrics_format.h"

/* The page; the caller frees it. NULL: out of memory. */
char *metrics_page(enum metrics_format format, size_t *ret_len);

/* The same names with what they mean, as docs/metrics.md has them between its marks. */
void metrics_print_markdown(FILE *out);

#endif
