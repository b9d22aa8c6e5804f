#include "base/iso_time.h"

#include <stdio.h>
#include <time.h>

void iso_time_format(char out[ISO_TIME_LEN + 1], uint64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    unsigned ms = (unsigned)(wall_ms % 1000);
    char text[64];
    struct tm tm;
    size_t len;

    gmtime_r(&seconds, &tm);
    len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out, ISO_TIME_LEN + 1, "%.*s.%03uZ", (int)len, text, ms); /* cut, never over */
}
