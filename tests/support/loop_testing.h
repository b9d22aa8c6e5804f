/* loop_testing -- a loop for unit tests that takes the place of loop.c when a test is linked: time
 * stands still until the test moves it, and what was deferred runs when the test says so. Header
 * only; each test program is one translation unit. */
#ifndef LOOP_TESTING_H
#define LOOP_TESTING_H

#include <stdlib.h>

#include "base/loop.h"

#define LOOP_TESTING_DEFERRED_MAX 1024
#define LOOP_TESTING_WALL_MS UINT64_C(1795208400000)

struct loop_timer {
    struct loop_timer *next; /* of all */
    loop_fn fn;
    void *ctx;
    uint64_t due_ms; /* 0: not armed */
};

struct loop_testing_call {
    loop_fn fn;
    void *ctx;
};

static uint64_t loop_testing_now_ms = 1;
static uint64_t loop_testing_wall_ms = LOOP_TESTING_WALL_MS; /* at 0 of the other; may be set */
static struct loop_timer *loop_testing_timers;
static struct loop_testing_call loop_testing_deferred[LOOP_TESTING_DEFERRED_MAX];
static size_t loop_testing_deferred_len;

/* Only handed on: nothing looks into it. */
#define LOOP_TESTING ((struct loop *)loop_testing_deferred)

uint64_t loop_now_ms(const struct loop *loop)
{
    (void)loop;
    return loop_testing_now_ms;
}

uint64_t loop_wall_ms(const struct loop *loop)
{
    (void)loop;
    return loop_testing_wall_ms + loop_testing_now_ms;
}

uint64_t loop_wall_us(void)
{
    return loop_wall_ms(NULL) * 1000;
}

uint64_t loop_clock_us(void)
{
    return loop_testing_now_ms * 1000;
}

struct loop_timer *loop_timer_new_at(struct loop *loop, const char *place, loop_fn fn, void *ctx)
{
    struct loop_timer *timer = calloc(1, sizeof(*timer));

    (void)loop;
    (void)place;
    if (timer == NULL)
        return NULL;
    *timer = (struct loop_timer){.next = loop_testing_timers, .fn = fn, .ctx = ctx};
    loop_testing_timers = timer;
    return timer;
}

void loop_timer_set(struct loop_timer *timer, uint64_t after_ms)
{
    timer->due_ms = loop_testing_now_ms + after_ms;
}

void loop_timer_cancel(struct loop_timer *timer)
{
    timer->due_ms = 0;
}

void loop_timer_free(struct loop_timer *timer)
{
    struct loop_timer **at = &loop_testing_timers;

    if (timer == NULL)
        return;
    while (*at != timer)
        at = &(*at)->next;
    *at = timer->next;
    free(timer);
}

void loop_defer_at(struct loop *loop, const char *place, loop_fn fn, void *ctx)
{
    (void)loop;
    (void)place;
    if (loop_testing_deferred_len == LOOP_TESTING_DEFERRED_MAX)
        abort(); /* a test that defers so much does not run it */
    loop_testing_deferred[loop_testing_deferred_len++] = (struct loop_testing_call){fn, ctx};
}

void loop_undefer(struct loop *loop, loop_fn fn, const void *ctx)
{
    (void)loop;
    for (size_t i = 0; i < loop_testing_deferred_len; i++)
        if (loop_testing_deferred[i].fn == fn && loop_testing_deferred[i].ctx == ctx)
            loop_testing_deferred[i].fn = NULL;
}

void loop_work(struct loop *loop, enum loop_work work, const char *place)
{
    (void)loop;
    (void)work;
    (void)place;
}

/* Runs what was deferred, and what that defers. */
static inline void loop_testing_run_deferred(void)
{
    for (size_t i = 0; i < loop_testing_deferred_len; i++) {
        struct loop_testing_call call = loop_testing_deferred[i];
        if (call.fn != NULL)
            call.fn(call.ctx);
    }
    loop_testing_deferred_len = 0;
}

static inline struct loop_timer *loop_testing_first_due(void)
{
    struct loop_timer *first = NULL;

    for (struct loop_timer *timer = loop_testing_timers; timer != NULL; timer = timer->next)
        if (timer->due_ms != 0 && (first == NULL || timer->due_ms < first->due_ms))
            first = timer;
    return first;
}

/* Lets time pass; timers run in their order, each at its time. */
static inline void loop_testing_advance(uint64_t ms)
{
    uint64_t end = loop_testing_now_ms + ms;
    struct loop_timer *timer;

    while ((timer = loop_testing_first_due()) != NULL && timer->due_ms <= end) {
        if (loop_testing_now_ms < timer->due_ms)
            loop_testing_now_ms = timer->due_ms;
        timer->due_ms = 0;
        timer->fn(timer->ctx);
        loop_testing_run_deferred();
    }
    loop_testing_now_ms = end;
}

#endif
