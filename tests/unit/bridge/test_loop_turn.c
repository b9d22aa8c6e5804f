/* loop_turn: which turns of the loop are slow, and why. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/counters.h"
#include "base/histograms.h"
#include "base/log.h"
#include "base/loop.h"

#define SLOW_MS 5
#define LONG_MS 80

static struct loop *loop;
static int saved_stderr, ends[2];

static uint64_t clock_ms(clockid_t clock)
{
    struct timespec ts;

    (void)clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* On the CPU. */
static void work(void *ctx)
{
    uint64_t end = clock_ms(CLOCK_THREAD_CPUTIME_ID) + LONG_MS;

    (void)ctx;
    while (clock_ms(CLOCK_THREAD_CPUTIME_ID) < end)
        ;
    loop_stop(loop);
}

static void work_at_files(void *ctx)
{
    loop_work(loop, LOOP_FILES, "a file");
    work(ctx);
    loop_work(loop, LOOP_DELIVERY, "something short behind it");
}

/* Not on it. */
static void sleep_long(void *ctx)
{
    const struct timespec time = {.tv_nsec = LONG_MS * 1000000L};

    (void)ctx;
    (void)nanosleep(&time, NULL);
    loop_stop(loop);
}

static void stop(void *ctx)
{
    (void)ctx;
    loop_stop(loop);
}

static void begin(void)
{
    saved_stderr = dup(STDERR_FILENO);
    cr_assert_eq(pipe(ends), 0);
    cr_assert_geq(dup2(ends[1], STDERR_FILENO), 0);
    close(ends[1]);
    loop = loop_new();
    cr_assert_not_null(loop);
    loop_set_slow(loop, SLOW_MS);
}

static void end(void)
{
    loop_free(loop);
    close(ends[0]);
    close(saved_stderr);
}

TestSuite(loop_turn, .init = begin, .fini = end);

/* By its name, which the log tells. */
#define turn(fn)                                                                                   \
    do {                                                                                           \
        loop_defer(loop, fn, NULL);                                                                \
        cr_assert_eq(loop_run(loop), 0);                                                           \
    } while (0)

/* All that was written. */
static const char *lines(void)
{
    static char out[8192];
    ssize_t len;

    log_error("end");
    (void)dup2(saved_stderr, STDERR_FILENO);
    len = read(ends[0], out, sizeof(out) - 1);
    out[len < 0 ? 0 : len] = '\0';
    return out;
}

Test(loop_turn, one_that_works_for_long_is_told_with_what_it_did)
{
    const char *text;

    turn(work);
    text = lines();
    cr_expect_eq(counter_values[COUNTER_SLOW_DEFERRED] + counter_values[COUNTER_SLOW_OFF_CPU], 1);
    cr_expect_not_null(strstr(text, "event=slow_turn"), "%s", text);
    cr_expect_not_null(strstr(text, "at=test_loop_turn.c:work"), "%s", text);
}

Test(loop_turn, what_took_most_of_it_is_the_cause)
{
    const char *text;

    turn(work_at_files);
    text = lines();
    cr_expect_eq(counter_values[COUNTER_SLOW_FILES] + counter_values[COUNTER_SLOW_OFF_CPU], 1);
    cr_expect_not_null(strstr(text, "at=\"a file\""), "%s", text);
}

Test(loop_turn, one_that_was_not_on_a_cpu_is_told_apart)
{
    const char *text;

    turn(sleep_long);
    text = lines();
    cr_expect_eq(counter_values[COUNTER_SLOW_OFF_CPU], 1);
    cr_expect_not_null(strstr(text, "cause=off_cpu at=test_loop_turn.c:sleep_long"), "%s", text);
}

Test(loop_turn, none_is_told_where_nobody_wants_to_know)
{
    const char *text;

    loop_set_slow(loop, 0);
    turn(sleep_long);
    text = lines();
    cr_expect_null(strstr(text, "slow_turn"));
}

/* The time between two turns is nobody's. */
Test(loop_turn, waiting_for_a_timer_is_no_long_turn)
{
    struct loop_timer *timer = loop_timer_new(loop, stop, NULL);
    const char *text;

    loop_set_slow(loop, 1000);
    loop_timer_set(timer, 1200);
    turn(stop);
    cr_assert_eq(loop_run(loop), 0);
    text = lines();
    cr_expect_null(strstr(text, "slow_turn"), "%s", text);
    loop_timer_free(timer);
}

/* Nobody was at work, and yet nobody was called. */
Test(loop_turn, a_timer_that_is_called_far_too_late_tells_of_a_process_that_was_stopped)
{
    struct loop_turn late = {.slow_us = SLOW_MS * 1000, .ended_us = 1};
    const char *text;

    loop_turn_work(&late, LOOP_TIMER, "x");
    loop_turn_due(&late, late.began_us - 300000);
    (void)loop_turn_end(&late);
    text = lines();
    cr_expect_eq(counter_values[COUNTER_SLOW_OFF_CPU], 1);
    cr_expect_not_null(strstr(text, "event=slow_turn ms=300 cause=off_cpu at=waiting"), "%s", text);
}

Test(loop_turn, a_timer_that_waited_for_a_long_turn_does_not)
{
    struct loop_turn late = {.slow_us = SLOW_MS * 1000};

    loop_turn_work(&late, LOOP_TIMER, "x");
    late.ended_us = late.began_us - 1000; /* it ended just before */
    loop_turn_due(&late, late.began_us - 300000);
    (void)loop_turn_end(&late);
    cr_expect_eq(counter_values[COUNTER_SLOW_OFF_CPU], 0);
}

Test(loop_turn, lines_are_few_however_many_turns_are_slow)
{
    struct loop_turn late = {.slow_us = SLOW_MS * 1000};
    const char *text;
    int count = 0;

    for (int i = 0; i < 50; i++) {
        late.ended_us = 1;
        loop_turn_work(&late, LOOP_TIMER, "x");
        loop_turn_due(&late, late.began_us - 300000);
        (void)loop_turn_end(&late);
    }
    cr_expect_eq(counter_values[COUNTER_SLOW_OFF_CPU], 50);
    text = lines();
    for (const char *at = text; (at = strstr(at, "event=slow_turn")) != NULL; at++)
        count++;
    cr_expect(count >= 10 && count < 30, "%d", count);
    cr_expect_eq(counter_values[COUNTER_SLOW_LINES_KEPT_BACK], 50 - (unsigned)count);
}

Test(loop_turn, each_turn_is_in_the_histogram)
{
    const uint64_t *values = histogram_values(counter_values, HISTOGRAM_TURN);
    uint64_t count = 0;

    turn(stop);
    turn(sleep_long);
    for (size_t k = 0; k <= histogram_infos[HISTOGRAM_TURN].len; k++)
        count += values[k];
    cr_expect_eq(count, 2);
    cr_expect_geq(values[HISTOGRAM_SUM], LONG_MS * 1000);
}
