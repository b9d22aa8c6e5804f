/* listener_set -- accepts at all addresses where clients connect. */
#ifndef LISTENER_SET_H
#define LISTENER_SET_H

#include "net/listener.h"

struct bound_set;
struct listener_set;

/* All as listener_new(), for each of a set. */
struct listener_set *listener_set_new(struct loop *loop, const struct bound_set *bound,
                                      unsigned process, listener_fn fn, void *ctx);
/* Stops accepting. NULL is fine. */
void listener_set_free(struct listener_set *set);

#endif
