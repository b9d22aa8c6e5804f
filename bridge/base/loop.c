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

#include "base/resolver.h"

/* Calls kept at first; the queue grows by doubling and never shrinks. */
#define DEFER_FIRST 64

struct deferred_call {
    const char *place;
    loop_fn fn;
    void *ctx;
};

struct defer_queue {
    struct deferred_call *calls; /* owned */
    size_t count, cap;
};

struct loop_signal {
    struct event *event; /* owned */
    struct loop *loop;   /* borrowed */
    loop_fn fn;
    void *ctx;
    struct loop_signal *next;
};

struct loop {
    struct event_base *base;     /* owned */
    struct resolver *resolver;   /* owned; NULL: nobody has needed it yet */
    struct loop_signal *signals; /* owned */
    struct defer_queue queue;    /* filled by loop_defer() */
    struct defer_queue running;  /* the one being run; swapped with queue */
    bool stopped;
    bool in_events;  /* libevent calls: its time stands still */
    uint64_t now_ms; /* 0: to be read when asked for */
    struct loop_turn turn;
    void (*on_turn_end)(void *ctx, uint64_t now_us); /* or NULL */
    void *turn_end_ctx;
};

struct loop_reader {
    struct event event;
    struct loop *loop; /* borrowed */
    const char *place;
    loop_fn fn;
    void *ctx;
};

struct loop_timer {
    struct event event;
    struct loop *loop; /* borrowed */
    const char *place;
    uint64_t due_ms;
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
    for (size_t i = 0; i < batch.count; i++) {
        if (batch.calls[i].fn == NULL)
            continue;
        loop_work(loop, LOOP_DEFERRED, batch.calls[i].place);
        batch.calls[i].fn(batch.calls[i].ctx);
    }
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
        resolver_free(loop->resolver);
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

struct evdns_base *loop_resolver(struct loop *loop)
{
    if (loop->resolver == NULL)
        loop->resolver = resolver_new(loop->base, &resolver_system_files);
    return loop->resolver == NULL ? NULL : resolver_ask(loop->resolver);
}

static void end_turn(struct loop *loop)
{
    uint64_t now_us = loop_turn_end(&loop->turn);

    if (now_us != 0 && loop->on_turn_end != NULL)
        loop->on_turn_end(loop->turn_end_ctx, now_us);
}

/* One turn: whatever was ready is called once, then what that deferred. There are no priorities:
 * libevent would let a lower one wait for as long as any descriptor of a higher one is ready, and
 * not come back to us meanwhile: under constant traffic, for ever. */
int loop_run(struct loop *loop)
{
    while (!loop->stopped) {
        int flags = EVLOOP_ONCE | (loop->queue.count > 0 ? EVLOOP_NONBLOCK : 0);

        loop->now_ms = 0;
        loop->in_events = true;
        if (event_base_loop(loop->base, flags | EVLOOP_NO_EXIT_ON_EMPTY) < 0)
            return errno > 0 ? -errno : -EIO;
        loop->in_events = false;
        run_deferred(loop);
        end_turn(loop);
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

void loop_set_slow(struct loop *loop, uint64_t ms)
{
    loop->turn.slow_us = ms * 1000;
}

/* The time of a turn is that of its begin. */
void loop_work(struct loop *loop, enum loop_work work, const char *place)
{
    loop_turn_work(&loop->turn, work, place);
    if (loop->now_ms == 0)
        loop->now_ms = loop->turn.began_us / 1000;
}

void loop_on_turn_end(struct loop *loop, void (*fn)(void *ctx, uint64_t now_us), void *ctx)
{
    loop->on_turn_end = fn;
    loop->turn_end_ctx = ctx;
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

static uint64_t read_clock_us(clockid_t clock)
{
    struct timespec ts;

    (void)clock_gettime(clock, &ts); /* cannot fail, as above */
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t loop_wall_us(void)
{
    return read_clock_us(CLOCK_REALTIME);
}

uint64_t loop_clock_us(void)
{
    return read_clock_us(CLOCK_MONOTONIC);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct loop_timer *timer = arg;

    (void)fd;
    (void)what;
    loop_work(timer->loop, LOOP_TIMER, timer->place);
    loop_turn_due(&timer->loop->turn, timer->due_ms * 1000);
    timer->fn(timer->ctx);
}

struct loop_timer *loop_timer_new_at(struct loop *loop, const char *place, loop_fn fn, void *ctx)
{
    struct loop_timer *timer = malloc(sizeof(*timer));

    if (timer == NULL)
        return NULL;
    *timer = (struct loop_timer){.loop = loop, .place = place, .fn = fn, .ctx = ctx};
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

    timer->due_ms = after_ms + (timer->loop->in_events ? loop_now_ms(timer->loop)
                                                       : read_clock_ms(CLOCK_MONOTONIC));
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

void loop_defer_at(struct loop *loop, const char *place, loop_fn fn, void *ctx)
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
    queue->calls[queue->count++] = (struct deferred_call){place, fn, ctx};
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

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct loop_reader *reader = arg;

    (void)fd;
    (void)what;
    loop_work(reader->loop, LOOP_CLIENTS, reader->place);
    reader->fn(reader->ctx);
}

struct loop_reader *loop_reader_new_at(struct loop *loop, const char *place, int fd, loop_fn fn,
                                       void *ctx)
{
    struct loop_reader *reader = malloc(sizeof(*reader));

    if (reader == NULL)
        return NULL;
    *reader = (struct loop_reader){.loop = loop, .place = place, .fn = fn, .ctx = ctx};
    if (event_assign(&reader->event, loop->base, fd, EV_READ | EV_PERSIST, on_readable, reader) ==
            0 &&
        event_add(&reader->event, NULL) == 0)
        return reader;
    free(reader);
    return NULL;
}

void loop_reader_free(struct loop_reader *reader)
{
    if (reader != NULL)
        (void)event_del(&reader->event); /* was added, so cannot fail */
    free(reader);
}

static void on_signal(evutil_socket_t signum, short what, void *arg)
{
    struct loop_signal *sig = arg;

    (void)signum;
    (void)what;
    loop_work(sig->loop, LOOP_SIGNAL, "signal");
    sig->fn(sig->ctx);
}

int loop_on_signal(struct loop *loop, int signum, loop_fn fn, void *ctx)
{
    struct loop_signal *sig = calloc(1, sizeof(*sig));

    if (sig == NULL)
        return -ENOMEM;
    *sig = (struct loop_signal){.loop = loop, .fn = fn, .ctx = ctx, .next = loop->signals};
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
