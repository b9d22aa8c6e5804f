/* loop -- the one event loop of a process: a thin cover over libevent.
 *
 * Everything runs in one thread. Time is the loop's clock: milliseconds of the monotonic clock,
 * read once per turn of the loop. */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct loop;
struct loop_timer;

typedef void (*loop_fn)(void *ctx);

/* NULL: out of memory or no usable kernel interface. No event has priority over another: each that
 * is ready has its turn before any has its second one, so none may take long over its own. */
struct loop *loop_new(void);
void loop_free(struct loop *loop);

/* For redis_link, loop_lws and listener, which put their own descriptors on the loop. Borrowed. */
struct event_base *loop_base(struct loop *loop);

/* Runs until loop_stop(). 0, or -errno when the loop itself failed. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

uint64_t loop_now_ms(const struct loop *loop);  /* monotonic */
uint64_t loop_wall_ms(const struct loop *loop); /* Unix time */
/* The monotonic clock as it is now, in microseconds: for whoever minds how much of a turn he takes.
 */
uint64_t loop_clock_us(void);

/* A timer that can be set again and again; not armed at first. NULL: out of memory. */
struct loop_timer *loop_timer_new(struct loop *loop, loop_fn fn, void *ctx);
void loop_timer_set(struct loop_timer *timer, uint64_t after_ms);
void loop_timer_cancel(struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer);

/* Calls fn(ctx) once, from the loop and never from the caller's stack, after the descriptors of
 * this turn. Never fails: it dies for lack of memory. What is still waiting when the loop is freed
 * is called then. */
void loop_defer(struct loop *loop, loop_fn fn, void *ctx);
/* Forgets such calls that have not been made: for whoever is freed. It costs a look at all that
 * wait. */
void loop_undefer(struct loop *loop, loop_fn fn, const void *ctx);

/* Calls fn(ctx) each time the process gets the signal. 0 or -ENOMEM. */
int loop_on_signal(struct loop *loop, int signum, loop_fn fn, void *ctx);

#endif
