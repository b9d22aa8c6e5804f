#include "base/loop_turn.h"

#include <stddef.h>
#include <sys/resource.h>
#include <time.h>

#include "base/counters.h"
#include "base/histograms.h"
#include "base/log.h"

/* How much CPU time the thread has had is asked that often at most: a system call. What is told of
 * a turn may have so much too much of it. */
#define CPU_MARK_US 20000
#define LINES_BURST 10
#define WAITING "waiting"

static const struct token_rate line_rate = {.per_s = 1, .burst = LINES_BURST};

static const struct {
    const char *name;
    enum counter counter;
} works[LOOP_WORKS] = {
    [LOOP_ACCEPT] = {"accept", COUNTER_SLOW_ACCEPT},
    [LOOP_CLIENTS] = {"clients", COUNTER_SLOW_CLIENTS},
    [LOOP_REDIS] = {"redis", COUNTER_SLOW_REDIS},
    [LOOP_DELIVERY] = {"delivery", COUNTER_SLOW_DELIVERY},
    [LOOP_FILES] = {"files", COUNTER_SLOW_FILES},
    [LOOP_TIMER] = {"timer", COUNTER_SLOW_TIMER},
    [LOOP_DEFERRED] = {"deferred", COUNTER_SLOW_DEFERRED},
    [LOOP_SIGNAL] = {"signal", COUNTER_SLOW_SIGNAL},
    [LOOP_OFF_CPU] = {"off_cpu", COUNTER_SLOW_OFF_CPU},
};

static uint64_t clock_us(clockid_t clock)
{
    struct timespec ts;

    (void)clock_gettime(clock, &ts); /* cannot fail for the clocks used here */
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static uint64_t us_of(const struct timeval *tv)
{
    return (uint64_t)tv->tv_sec * 1000000 + (uint64_t)tv->tv_usec;
}

static uint64_t thread_cpu_us(void)
{
    struct rusage usage;

    return getrusage(RUSAGE_THREAD, &usage) == 0 ? us_of(&usage.ru_utime) + us_of(&usage.ru_stime)
                                                 : 0;
}

static void begin(struct loop_turn *turn)
{
    turn->began_us = clock_us(CLOCK_MONOTONIC);
    turn->longest = (struct loop_turn_part){.us = 0};
    turn->stall_us = 0;
    if (turn->began_us - turn->cpu_mark_us < CPU_MARK_US)
        return;
    turn->cpu_mark_us = turn->began_us;
    turn->cpu_us = thread_cpu_us();
}

/* The part under way is over. */
static void end_part(struct loop_turn *turn, uint64_t coarse_us)
{
    uint64_t us = coarse_us - turn->now.us;

    if (us > turn->longest.us || turn->longest.place == NULL)
        turn->longest = (struct loop_turn_part){turn->now.work, turn->now.place, us};
}

void loop_turn_work(struct loop_turn *turn, enum loop_work work, const char *place)
{
    uint64_t coarse_us = clock_us(CLOCK_MONOTONIC_COARSE);

    if (turn->began_us == 0)
        begin(turn);
    else
        end_part(turn, coarse_us);
    turn->now = (struct loop_turn_part){work, place, coarse_us};
}

/* Then the kernel did not let us go on. */
void loop_turn_due(struct loop_turn *turn, uint64_t due_us)
{
    if (turn->ended_us != 0 && turn->ended_us <= due_us && turn->began_us > due_us &&
        turn->began_us - due_us > turn->stall_us)
        turn->stall_us = turn->began_us - due_us;
}

/* Telling. */

static bool may_write(struct loop_turn *turn, uint64_t now_us)
{
    if (token_bucket_take(&turn->lines, &line_rate, 1, now_us) == 0)
        return true;
    turn->kept_back++;
    counter_add(COUNTER_SLOW_LINES_KEPT_BACK, 1);
    return false;
}

static const char *ms_text(uint64_t us)
{
    return log_int((int64_t)(us / 1000));
}

static void tell(struct loop_turn *turn, const struct loop_turn_part *cause, uint64_t us,
                 uint64_t cpu_us, uint64_t now_us)
{
    counter_add(works[cause->work].counter, 1);
    if (!may_write(turn, now_us))
        return;
    log_warn("slow_turn", "ms", ms_text(us), "cause", works[cause->work].name, "at", cause->place,
             "at_ms", ms_text(cause->us), "cpu_ms", ms_text(cpu_us), "off_cpu_ms",
             ms_text(us - cpu_us), "lines_kept_back", log_int((int64_t)turn->kept_back));
    turn->kept_back = 0;
}

/* Asked a little before the turn, it may be more than fits into it. */
static void tell_slow(struct loop_turn *turn, uint64_t us, uint64_t now_us)
{
    uint64_t cpu_us = thread_cpu_us() - turn->cpu_us;
    struct loop_turn_part cause;

    end_part(turn, clock_us(CLOCK_MONOTONIC_COARSE));
    cause = turn->longest;
    if (cpu_us > us)
        cpu_us = us;
    if (cause.us > us)
        cause.us = us;
    if (us - cpu_us > us / 2)
        cause.work = LOOP_OFF_CPU;
    tell(turn, &cause, us, cpu_us, now_us);
}

static void tell_stall(struct loop_turn *turn, uint64_t now_us)
{
    const struct loop_turn_part cause = {LOOP_OFF_CPU, WAITING, turn->stall_us};

    tell(turn, &cause, turn->stall_us, 0, now_us);
}

uint64_t loop_turn_end(struct loop_turn *turn)
{
    uint64_t now_us, us;

    if (turn->began_us == 0)
        return 0;
    now_us = clock_us(CLOCK_MONOTONIC);
    us = now_us - turn->began_us;
    histogram_add(HISTOGRAM_TURN, us, 1);
    if (turn->slow_us != 0 && turn->stall_us > turn->slow_us)
        tell_stall(turn, now_us);
    if (turn->slow_us != 0 && us > turn->slow_us)
        tell_slow(turn, us, now_us);
    turn->began_us = 0;
    turn->ended_us = now_us;
    return now_us;
}
