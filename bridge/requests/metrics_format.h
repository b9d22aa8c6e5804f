/* metrics_format -- the two formats of numbers for Prometheus and its like, and which of them
 * whoever asks wants. */
#ifndef METRICS_FORMAT_H
#define METRICS_FORMAT_H

struct http_head;

enum metrics_format {
    METRICS_PROMETHEUS,  /* the text format, 0.0.4 */
    METRICS_OPENMETRICS, /* 1.0.0: heads name counters without _total, units have lines, an end */
};

/* What the request wants most (Accept; RFC 9110, 12.5.1): OpenMetrics only if it is named, and no
 * less wanted than the other. */
enum metrics_format metrics_format_for(const struct http_head *head);
const char *metrics_content_type(enum metrics_format format);

#endif
