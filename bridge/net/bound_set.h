/* bound_set -- all addresses where clients connect, and those who run the bridge, bound. */
#ifndef BOUND_SET_H
#define BOUND_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "net/bound.h"

struct bound_set {
    size_t len;
    struct bound *at[]; /* owned */
};

struct bound_addresses {
    struct {
        const char *const *at; /* borrowed; NULL where there are none */
        size_t len;
    } of[LISTEN_DOORS];
};

/* handed: borrowed, or NULL. What a service manager has handed over and no address stands for would
 * have clients that nobody serves, so it is an error; what another bridge has is closed. NULL: one
 * of the addresses cannot be had, or out of memory; the reason has been logged. */
struct bound_set *bound_set_new(const struct bound_addresses *addresses, unsigned processes,
                                struct handed *handed);
/* As bound_disown() and so on, for each of them. NULL is fine. */
void bound_set_disown(struct bound_set *set);
void bound_set_own(struct bound_set *set);
void bound_set_close(struct bound_set *set);
void bound_set_free(struct bound_set *set);

/* How many sockets they are. */
size_t bound_set_sockets(const struct bound_set *set);
/* Of those of one door: can one of them be reached from there? */
bool bound_set_has(const struct bound_set *set, enum listen_door door, enum bound_reach reach);
/* The addresses with commas between them, cut if they are very many. */
void bound_set_text(const struct bound_set *set, enum listen_door door, char *out, size_t cap);

#endif
