#include "base/process_stats.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/counters.h"

/* proc(5), statm: pages in all, and those in RAM. 0: it cannot be read. */
static uint64_t resident_bytes(void)
{
    char text[128];
    uint64_t pages = 0;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    if (fd >= 0)
        (void)close(fd); /* nothing was written to it */
    if (len <= 0)
        return 0;
    text[len] = '\0';
    if (sscanf(text, "%*u %" SCNu64, &pages) != 1)
        return 0;
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t us_of(const struct timeval *tv)
{
    return (uint64_t)tv->tv_sec * 1000000 + (uint64_t)tv->tv_usec;
}

/* Counted on where a predecessor has ended (base/counters.h). */
static void add_cpu_time(void)
{
    static uint64_t told_us;
    struct rusage usage;
    uint64_t us;

    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return;
    us = us_of(&usage.ru_utime) + us_of(&usage.ru_stime);
    counter_add(COUNTER_CPU_US, us > told_us ? us - told_us : 0);
    told_us = us;
}

void process_stats_set(void)
{
    counter_set(COUNTER_MEMORY_RESIDENT, resident_bytes());
    counter_set(COUNTER_WORKERS, counters_rows());
    counter_set(COUNTER_BUILD, 1);
    add_cpu_time();
}
