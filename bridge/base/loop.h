/* loop -- the one event loop of a process: a thin cover over libevent.
 *
 * Everything runs in one thread. Time is the loop's clock: milliseconds of the monotonic clock,
 * read once per turn of the loop. */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop_turn.h"

struct evdns_base;
struct event_base;
struct loop;
struct loop_reader;
struct loop_timer;

typedef void (*loop_fn)(void *ctx);

/* NULL: out of memory or no usable kernel interface. No event has priority over another: each that
 * is ready has its turn before any has its second one, so none may take long over its own. */
struct loop *loop_new(void);
void loop_free(struct loop *loop);

/* For redis_link, loop_lws and listener, which put their own descriptors on the loop. Borrowed. */
struct event_base *loop_base(struct loop *loop);
/* For one lookup (resolver_ask()): one for all of them, made when it is first needed. Borrowed;
 * NULL: out of memory. */
struct evdns_base *loop_resolver(struct loop *loop);

/* Runs until loop_stop(). 0, or -errno when the loop itself failed. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

uint64_t loop_now_ms(const struct loop *loop);  /* monotonic */
uint64_t loop_wall_ms(const struct loop *loop); /* Unix time */
uint64_t loop_wall_us(void);                    /* the same in microseconds */
/* The monotonic clock as it is now, in microseconds: for whoever minds how much of a turn he takes.
 */
uint64_t loop_clock_us(void);

/* Longer turns are told in the log, and counted. 0: none is. */
void loop_set_slow(struct loop *loop, uint64_t ms);
/* This kind of work begins now: for whoever is called by libevent, and for who does much. place:
 * static text, or one that outlives the turn. */
void loop_work(struct loop *loop, enum loop_work work, const char *place);
/* Calls fn(ctx) at the end of each turn in which something was done, with the clock as
 * loop_clock_us() has it. One for all. */
void loop_on_turn_end(struct loop *loop, void (*fn)(void *ctx, uint64_t now_us), void *ctx);

/* How the log calls a function that makes a turn long: "trust.c:on_files_due". */
#define LOOP_PLACE(fn) (__FILE_NAME__ ":" #fn)

/* A timer that can be set again and again; not armed at first. NULL: out of memory. */
#define loop_timer_new(loop, fn, ctx) loop_timer_new_at(loop, LOOP_PLACE(fn), fn, ctx)
struct loop_timer *loop_timer_new_at(struct loop *loop, const char *place, loop_fn fn, void *ctx);
void loop_timer_set(struct loop_timer *timer, uint64_t after_ms);
void loop_timer_cancel(struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer);

/* Calls fn(ctx) once, from the loop and never from the caller's stack, after the descriptors of
 * this turn. Never fails: it dies for lack of memory. What is still waiting when the loop is freed
 * is called then. */
#define loop_defer(loop, fn, ctx) loop_defer_at(loop, LOOP_PLACE(fn), fn, ctx)
void loop_defer_at(struct loop *loop, const char *place, loop_fn fn, void *ctx);
/* Forgets such calls that have not been made: for whoever is freed. It costs a look at all that
 * wait. */
void loop_undefer(struct loop *loop, loop_fn fn, const void *ctx);

/* Calls fn(ctx) whenever there is something to read at fd, or its end. NULL: out of memory, or the
 * kernel tells of no such thing there (of a file). */
#define loop_reader_new(loop, fd, fn, ctx) loop_reader_new_at(loop, LOOP_PLACE(fn), fd, fn, ctx)
struct loop_reader *loop_reader_new_at(struct loop *loop, const char *place, int fd, loop_fn fn,
                                       void *ctx);
void loop_reader_free(struct loop_reader *reader); /* NULL is fine; fd stays open */

/* Calls fn(ctx) each time the process gets the signal. 0 or -ENOMEM. */
int loop_on_signal(struct loop *loop, int signum, loop_fn fn, void *ctx);

#endif
