#include "base/iso_time.h"

#include <stdio.h>
#include <time.h>

/* The seconds of the last time that was asked for: thousands are asked for in the same one. */
static struct {
    time_t seconds;
    char text[64];
    int len; /* 0: none */
} last;

static void format_seconds(time_t seconds)
{
    struct tm tm;

    gmtime_r(&seconds, &tm);
    last.len = (int)strftime(last.text, sizeof(last.text), "%Y-%m-%dT%H:%M:%S", &tm);
    last.seconds = seconds;
}

void iso_time_format(char out[ISO_TIME_LEN + 1], uint64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    unsigned ms = (unsigned)(wall_ms % 1000);

    if (last.len == 0 || seconds != last.seconds)
        format_seconds(seconds);
    (void)snprintf(out, ISO_TIME_LEN + 1, "%.*s.%03uZ", last.len, last.text,
                   ms); /* cut, never over */
}
