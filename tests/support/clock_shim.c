/* clock_shim -- preloaded into a redis-server whose clock is to be wrong: the time of day is
 * NOTIFY_CLOCK_OFFSET_S seconds ahead of the real one (or behind, if negative), and goes in steps
 * of NOTIFY_CLOCK_STEP_MS. */
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT int gettimeofday(struct timeval *restrict out, void *restrict zone);
EXPORT time_t time(time_t *out);

static long number_of(const char *name)
{
    const char *text = getenv(name);

    return text == NULL ? 0 : strtol(text, NULL, 10);
}

static long offset_s(void)
{
    static long offset;
    static int is_known;

    if (!is_known) {
        offset = number_of("NOTIFY_CLOCK_OFFSET_S");
        is_known = 1;
    }
    return offset;
}

/* At least 1. */
static long step_us(void)
{
    static long step;

    if (step == 0) {
        step = number_of("NOTIFY_CLOCK_STEP_MS") * 1000;
        step = step < 1 ? 1 : step;
    }
    return step;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;
    long long us;

    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    us = now.tv_sec * 1000000LL + now.tv_nsec / 1000;
    us -= us % step_us();
    out->tv_sec = us / 1000000 + offset_s();
    out->tv_usec = us % 1000000;
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
