/* proc -- CPU time, memory and core of a process; see proc.h. */
#include "proc.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "bench.h"

#define SPARE_DESCRIPTORS 16 /* that a server may have more of than before, for its own use */
#define CLOSED_STEP_MS 50
#define IDLE_STEP_MS 10
#define IDLE_STEPS 20
#define IDLE_STEP_CPU_NS UINT64_C(1000000) /* a tenth of the step */

uint64_t proc_cpu_ns(pid_t pid)
{
    clockid_t clock;
    struct timespec used;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        bench_die("process %d is gone", (int)pid);
    return (uint64_t)used.tv_sec * UINT64_C(1000000000) + (uint64_t)used.tv_nsec;
}

size_t proc_children_of(pid_t pid, pid_t *ret, size_t max)
{
    char path[64];
    size_t count = 0;
    int child;

    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        bench_die("%s: %s", path, strerror(errno));
    while (count < max && fscanf(file, "%d", &child) == 1)
        ret[count++] = (pid_t)child;
    (void)fclose(file); /* only read from */
    return count;
}

static uint64_t sum_of_family(pid_t pid, uint64_t (*of)(pid_t pid))
{
    pid_t children[PROC_CHILDREN_MAX];
    size_t count = proc_children_of(pid, children, PROC_CHILDREN_MAX);
    uint64_t sum = of(pid);

    for (size_t i = 0; i < count; i++)
        sum += of(children[i]);
    return sum;
}

uint64_t proc_family_cpu_ns(pid_t pid)
{
    return sum_of_family(pid, proc_cpu_ns);
}

static void take_kilobytes(const char *line, const char *name, size_t *ret_bytes)
{
    size_t len = strlen(name);
    unsigned long kilobytes;

    if (strncmp(line, name, len) == 0 && sscanf(line + len, "%lu", &kilobytes) == 1)
        *ret_bytes = kilobytes * 1024;
}

struct proc_memory proc_memory_of(pid_t pid)
{
    struct proc_memory memory = {0, 0};
    char path[64], line[256];

    (void)snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        bench_die("%s: %s", path, strerror(errno));
    while (fgets(line, sizeof(line), file) != NULL) {
        take_kilobytes(line, "Private_Dirty:", &memory.private_dirty_bytes);
        take_kilobytes(line, "Rss:", &memory.rss_bytes);
    }
    (void)fclose(file); /* only read from */
    if (memory.rss_bytes == 0)
        bench_die("%s says nothing", path);
    return memory;
}

void proc_pin_self(int core)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)core, &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0)
        bench_die("core %d: %s", core, strerror(errno));
}

void proc_need_descriptors(size_t needed)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        bench_die("getrlimit: %s", strerror(errno));
    if (limit.rlim_max < needed)
        bench_die("%zu descriptors needed, the hard limit is %llu", needed,
                  (unsigned long long)limit.rlim_max);
    if (limit.rlim_cur >= needed)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        bench_die("setrlimit: %s", strerror(errno));
}

uint64_t proc_descriptors_of(pid_t pid)
{
    char path[64];
    uint64_t count = 0;

    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    DIR *folder = opendir(path);
    if (folder == NULL)
        bench_die("%s: %s", path, strerror(errno));
    while (readdir(folder) != NULL)
        count++;
    (void)closedir(folder); /* only read from */
    return count;
}

uint64_t proc_family_descriptors(pid_t pid)
{
    return sum_of_family(pid, proc_descriptors_of);
}

void proc_wait_closed(pid_t pid, uint64_t descriptors, int timeout_ms)
{
    for (int waited = 0; proc_family_descriptors(pid) > descriptors + SPARE_DESCRIPTORS;
         waited += CLOSED_STEP_MS) {
        if (waited > timeout_ms)
            bench_die("connections that were cut are still open after %d ms", timeout_ms);
        (void)poll(NULL, 0, CLOSED_STEP_MS); /* no descriptor: only the time */
    }
}

void proc_wait_idle(pid_t pid, int timeout_ms, void (*idle)(void *ctx), void *ctx)
{
    int quiet = 0;
    uint64_t before = proc_family_cpu_ns(pid);

    for (int waited = 0; quiet < IDLE_STEPS; waited += IDLE_STEP_MS) {
        if (waited > timeout_ms)
            bench_die("process %d is still busy after %d ms", (int)pid, timeout_ms);
        (void)poll(NULL, 0, IDLE_STEP_MS); /* no descriptor: only the time */
        if (idle != NULL)
            idle(ctx);
        uint64_t now = proc_family_cpu_ns(pid);
        quiet = now - before < IDLE_STEP_CPU_NS ? quiet + 1 : 0;
        before = now;
    }
}
