/* loop -- the event loop: timers, signals, the deferred queue and the clocks, on libevent.
 *
 * Knows nothing of what hangs on it. Descriptors are put on loop_base() by those who own them. */
#include "base/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <event2/event.h>
#include <event2/event_struct.h>

/* Calls kept at first; the queue grows by doubling and never shrinks. */
#define DEFER_FIRST 64

struct deferred_call {
    loop_fn fn;
    void *ctx;
};

struct defer_queue {
    struct deferred_call *calls; /* owned */
    size_t count, cap;
};

struct loop_signal {
    struct event *event; /* owned */
    loop_fn fn;
    void *ctx;
    struct loop_signal *next;
};

struct loop {
    struct event_base *base;     /* owned */
    struct loop_signal *signals; /* owned */
    struct defer_queue queue;    /* filled by loop_defer() */
    struct defer_queue running;  /* the one being run; swapped with queue */
    bool stopped;
    uint64_t now_ms; /* 0: to be read when asked for */
};

struct loop_timer {
    struct event event;
    loop_fn fn;
    void *ctx;
};

static uint64_t read_clock_ms(clockid_t clock)
{
    struct timespec ts;

    (void)clock_gettime(clock, &ts); /* cannot fail for the two clocks used here */
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

struct loop *loop_new(void)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    struct event_config *config = event_config_new();

    if (loop == NULL || config == NULL)
        goto fail;
    (void)event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK); /* one thread only */
    loop->base = event_base_new_with_config(config);
    if (loop->base == NULL)
        goto fail;
    event_config_free(config);
    return loop;

fail:
    if (config != NULL)
        event_config_free(config);
    loop_free(loop);
    return NULL;
}

/* Calls what was deferred before this call, in order; what they defer waits for the next turn. */
static void run_deferred(struct loop *loop)
{
    struct defer_queue batch = loop->queue;

    loop->queue = loop->running;
    loop->queue.count = 0;
    loop->running = batch;
    for (size_t i = 0; i < batch.count; i++)
        if (batch.calls[i].fn != NULL)
            batch.calls[i].fn(batch.calls[i].ctx);
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    while (loop->queue.count > 0)
        run_deferred(loop);
    while (loop->signals != NULL) {
        struct loop_signal *next = loop->signals->next;

        event_free(loop->signals->event);
        free(loop->signals);
        loop->signals = next;
    }
    if (loop->base != NULL) {
        /* What libevent itself has deferred holds memory of bufferevents that are freed already. */
        (void)event_base_loop(loop->base, EVLOOP_NONBLOCK);
        event_base_free(loop->base);
    }
    free(loop->queue.calls);
    free(loop->running.calls);
    free(loop);
}

struct event_base *loop_base(struct loop *loop)
{
    return loop->base;
}

/* One turn: whatever was ready is called once, then what that deferred. There are no priorities:
 * libevent would let a lower one wait for as long as any descriptor of a higher one is ready, and
 * not come back to us meanwhile: under constant traffic, for ever. */
int loop_run(struct loop *loop)
{
    while (!loop->stopped) {
        int flags = EVLOOP_ONCE | (loop->queue.count > 0 ? EVLOOP_NONBLOCK : 0);

        loop->now_ms = 0;
        if (event_base_loop(loop->base, flags | EVLOOP_NO_EXIT_ON_EMPTY) < 0)
            return errno > 0 ? -errno : -EIO;
        run_deferred(loop);
    }
    loop->stopped = false;
    loop->now_ms = 0;
    return 0;
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
    (void)event_base_loopbreak(loop->base); /* fails only for a NULL base */
}

uint64_t loop_now_ms(const struct loop *loop)
{
    struct loop *cache = (struct loop *)loop; /* now_ms is a cache: logically nothing changes */

    if (loop->now_ms == 0)
        cache->now_ms = read_clock_ms(CLOCK_MONOTONIC);
    return loop->now_ms;
}

uint64_t loop_wall_ms(const struct loop *loop)
{
    (void)loop; /* the wall clock may be set at any time, so it is never cached */
    return read_clock_ms(CLOCK_REALTIME);
}

uint64_t loop_clock_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail */
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct loop_timer *timer = arg;

    (void)fd;
    (void)what;
    timer->fn(timer->ctx);
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_fn fn, void *ctx)
{
    struct loop_timer *timer = malloc(sizeof(*timer));

    if (timer == NULL)
        return NULL;
    *timer = (struct loop_timer){.fn = fn, .ctx = ctx};
    if (evtimer_assign(&timer->event, loop->base, on_timer, timer) != 0) {
        free(timer);
        return NULL;
    }
    return timer;
}

void loop_timer_set(struct loop_timer *timer, uint64_t after_ms)
{
    struct timeval after = {.tv_sec = (time_t)(after_ms / 1000),
                            .tv_usec = (suseconds_t)(after_ms % 1000 * 1000)};

    if (event_add(&timer->event, &after) != 0) {
        (void)fputs("loop: out of memory for a timer\n", stderr);
        abort();
    }
}

void loop_timer_cancel(struct loop_timer *timer)
{
    if (timer != NULL)
        (void)event_del(&timer->event); /* fails only for an event that was never assigned */
}

void loop_timer_free(struct loop_timer *timer)
{
    loop_timer_cancel(timer);
    free(timer);
}

void loop_defer(struct loop *loop, loop_fn fn, void *ctx)
{
    struct defer_queue *queue = &loop->queue;

    if (queue->count == queue->cap) {
        size_t cap = queue->cap == 0 ? DEFER_FIRST : queue->cap * 2;
        struct deferred_call *calls = realloc(queue->calls, cap * sizeof(*calls));

        if (calls == NULL) {
            (void)fputs("loop: out of memory for deferred work\n", stderr);
            abort();
        }
        queue->calls = calls;
        queue->cap = cap;
    }
    queue->calls[queue->count++] = (struct deferred_call){fn, ctx};
}

static void forget(struct defer_queue *queue, loop_fn fn, const void *ctx)
{
    for (size_t i = 0; i < queue->count; i++)
        if (queue->calls[i].fn == fn && queue->calls[i].ctx == ctx)
            queue->calls[i].fn = NULL;
}

void loop_undefer(struct loop *loop, loop_fn fn, const void *ctx)
{
    forget(&loop->queue, fn, ctx);
    forget(&loop->running, fn, ctx);
}

static void on_signal(evutil_socket_t signum, short what, void *arg)
{
    struct loop_signal *sig = arg;

    (void)signum;
    (void)what;
    sig->fn(sig->ctx);
}

int loop_on_signal(struct loop *loop, int signum, loop_fn fn, void *ctx)
{
    struct loop_signal *sig = calloc(1, sizeof(*sig));

    if (sig == NULL)
        return -ENOMEM;
    *sig = (struct loop_signal){.fn = fn, .ctx = ctx, .next = loop->signals};
    sig->event = evsignal_new(loop->base, signum, on_signal, sig);
    if (sig->event == NULL || event_add(sig->event, NULL) != 0)
        goto fail;
    loop->signals = sig;
    return 0;

fail:
    if (sig->event != NULL)
        event_free(sig->event);
    free(sig);
    return -ENOMEM;
}
