/* loop_lws -- lets libwebsockets live on our loop (its event_lib_custom interface), and lets the
 * transports read a socket in its place.
 *
 * Descriptors, events and lws' own timers only: what goes over a socket is the transports' matter.
 */
#ifndef LOOP_LWS_H
#define LOOP_LWS_H

#include <stdbool.h>

#include "base/loop.h"

struct lws;
struct lws_context;
struct lws_context_creation_info;
struct loop_lws;

/* NULL: out of memory. loop is borrowed and outlives it. */
struct loop_lws *loop_lws_new(struct loop *loop);
/* After lws_context_destroy(), or when no context was made. NULL is fine. */
void loop_lws_free(struct loop_lws *glue);

/* Fills in what makes lws_create_context() use this loop. */
void loop_lws_prepare(struct loop_lws *glue, struct lws_context_creation_info *info);

/* Lets lws do what is due (pending input of its own, its timers) at the end of this turn. Needed
 * after calls that give it work from outside its callbacks: adoption, lws_set_timeout(). */
void loop_lws_kick(struct loop_lws *glue);

/* From now on fn(ctx) is called whenever the socket of wsi is readable, at its end or broken, and
 * lws reads no more from it. Until the wsi is gone. */
void loop_lws_take_input(struct loop_lws *glue, struct lws *wsi, loop_fn fn, void *ctx);
/* Whether fn is to be called; true at first. */
void loop_lws_want_input(struct loop_lws *glue, struct lws *wsi, bool wanted);

#endif
