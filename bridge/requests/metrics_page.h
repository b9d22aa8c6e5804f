/* metrics_page -- GET /metrics: all counters in the text format of Prometheus. */
#ifndef METRICS_PAGE_H
#define METRICS_PAGE_H

#include <stddef.h>

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* The page; the caller frees it. NULL: out of memory. */
char *metrics_page(size_t *ret_len);

#endif
