/* pauses -- when the machine stood still; see pauses.h. */
#include "pauses.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "child.h"

#define PRIORITY 50
#define STEP_NS UINT64_C(2000000)
#define LATE_NS UINT64_C(3000000)
#define SPANS_MAX 65536 /* then the oldest would be missing: the program ends */
#define NS_PER_SECOND UINT64_C(1000000000)

struct span {
    uint64_t from_ns, to_ns;
};

/* Written by one child, read by the parent. */
struct record {
    atomic_size_t count;
    struct span spans[SPANS_MAX];
};

struct pauses {
    struct child watchers[2];
    struct record *records[2]; /* shared with the children */
};

static void sleep_until(uint64_t when_ns)
{
    struct timespec when = {(time_t)(when_ns / NS_PER_SECOND), (long)(when_ns % NS_PER_SECOND)};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == EINTR)
        continue;
}

static void run_watcher(void *ctx, int control)
{
    struct record *record = ctx;
    uint64_t due_ns = bench_now_ns() + STEP_NS;

    child_ready(control);
    for (;;) {
        sleep_until(due_ns);
        uint64_t now_ns = bench_now_ns();
        if (now_ns - due_ns >= LATE_NS) {
            size_t count = atomic_load(&record->count);
            if (count == SPANS_MAX)
                bench_die("pauses: too many");
            record->spans[count] = (struct span){due_ns, now_ns};
            atomic_store(&record->count, count + 1);
        }
        due_ns = now_ns - due_ns > STEP_NS ? now_ns + STEP_NS : due_ns + STEP_NS;
    }
}

static bool real_time(int policy, int priority)
{
    struct sched_param param = {.sched_priority = priority};

    return sched_setscheduler(0, policy, &param) == 0;
}

static struct record *share_record(void)
{
    struct record *record =
        mmap(NULL, sizeof(*record), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (record == MAP_FAILED)
        bench_die("mmap: %s", strerror(errno));
    return record;
}

struct pauses *pauses_new(int core, int other_core)
{
    struct pauses *pauses = bench_alloc(sizeof(*pauses));
    const int cores[2] = {core, other_core};

    if (!real_time(SCHED_FIFO, PRIORITY)) {
        free(pauses);
        return NULL;
    }
    for (int i = 0; i < 2; i++) {
        pauses->records[i] = share_record();
        pauses->watchers[i] = child_start(cores[i], run_watcher, pauses->records[i]);
    }
    if (!real_time(SCHED_OTHER, 0)) /* the children keep what they were started with */
        bench_die("pauses: %s", strerror(errno));
    child_await(&pauses->watchers[0]);
    child_await(&pauses->watchers[1]);
    return pauses;
}

void pauses_free(struct pauses *pauses)
{
    if (pauses == NULL)
        return;
    for (int i = 0; i < 2; i++) {
        child_stop(&pauses->watchers[i]);
        (void)munmap(pauses->records[i], sizeof(*pauses->records[i]));
    }
    free(pauses);
}

bool pauses_touch(const struct pauses *pauses, uint64_t from_ns, uint64_t to_ns)
{
    for (int i = 0; pauses != NULL && i < 2; i++) {
        size_t count = atomic_load(&pauses->records[i]->count);
        for (size_t k = count; k-- > 0 && pauses->records[i]->spans[k].to_ns >= from_ns;)
            if (pauses->records[i]->spans[k].from_ns <= to_ns)
                return true;
    }
    return false;
}

uint64_t pauses_total_ns(const struct pauses *pauses, uint64_t from_ns, uint64_t to_ns)
{
    uint64_t most = 0;

    for (int i = 0; pauses != NULL && i < 2; i++) {
        const struct span *span = pauses->records[i]->spans;
        uint64_t sum = 0;
        for (size_t left = atomic_load(&pauses->records[i]->count); left > 0; left--, span++)
            if (span->from_ns >= from_ns && span->from_ns < to_ns)
                sum += span->to_ns - span->from_ns;
        most = sum > most ? sum : most;
    }
    return most;
}
