/* iso_time -- Unix time in milliseconds as ISO 8601 in UTC: 2026-11-20T21:00:00.123Z. */
#ifndef ISO_TIME_H
#define ISO_TIME_H

#include <stdint.h>

#define ISO_TIME_LEN 24

/* wall_ms must lie before the year 10000. */
void iso_time_format(char out[ISO_TIME_LEN + 1], uint64_t wall_ms);

#endif
