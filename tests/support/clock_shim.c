/* clock_shim -- preloaded into a redis-server whose clock is to be wrong: the time of day is
 * NOTIFY_CLOCK_OFFSET_S seconds ahead of the real one (or behind, if negative). */
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT int gettimeofday(struct timeval *restrict out, void *restrict zone);
EXPORT time_t time(time_t *out);

static long offset_s(void)
{
    static long offset;
    static int is_known;

    if (!is_known) {
        const char *text = getenv("NOTIFY_CLOCK_OFFSET_S");
        offset = text == NULL ? 0 : strtol(text, NULL, 10);
        is_known = 1;
    }
    return offset;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec + offset_s();
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out)
{
    struct timeval now;

    (void)gettimeofday(&now, NULL);
    if (out != NULL)
        *out = now.tv_sec;
    return now.tv_sec;
}
