/* listener_set -- all addresses where clients connect. */
#ifndef LISTENER_SET_H
#define LISTENER_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "net/listener.h"

struct listener_set;

/* fn, ctx: as listener_new(). NULL: one of the addresses cannot be had, or out of memory; the
 * reason has been logged. */
struct listener_set *listener_set_new(struct loop *loop, const char *const *addresses, size_t count,
                                      listener_fn fn, void *ctx);
/* Stops accepting. NULL is fine. */
void listener_set_free(struct listener_set *set);

/* Can one of them be reached from there? */
bool listener_set_has(const struct listener_set *set, enum listener_reach reach);
/* The addresses with commas between them, cut if they are very many. */
void listener_set_text(const struct listener_set *set, char *out, size_t cap);

#endif
