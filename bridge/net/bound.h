/* bound -- an address where clients connect, bound: sockets that listen there, and are watched by
 * listeners (listener.h), in this process or in those that it becomes.
 *
 * Sockets that were handed over (handed.h) and are of that address are used as they are, and no
 * other is made beside them.
 *
 * For several processes there are as many sockets of a TCP address, one for each, on one port: the
 * kernel spreads connections over them evenly, which it does not where processes wait at the same
 * one (whoever is awake takes nearly all). A unix socket is one for all. Whoever makes them keeps
 * all of them open as long as there is a process: when one ends, what waits in its queue waits for
 * its successor, where it would be reset if the last one closed it. */
#ifndef BOUND_H
#define BOUND_H

#include <stdbool.h>
#include <stddef.h>

#include "net/listen_address.h"

struct bound;
struct handed;

/* handed: borrowed, or NULL; what is of the address is taken from it. NULL: the address is not
 * valid or cannot be had; the reason has been logged. */
struct bound *bound_new(const char *address, unsigned processes, struct handed *handed);
/* For a process that has inherited it: what is in the file system is another one's to remove. */
void bound_disown(struct bound *bound);
/* The other way round, for what was taken over from a bridge: until that is over, what is in the
 * file system stays its own. A service manager's is never ours. */
void bound_own(struct bound *bound);
/* Closes the sockets, which stay open for other processes that have inherited them, and removes the
 * path of a unix socket. */
void bound_close(struct bound *bound);
/* The same at least. NULL is fine. */
void bound_free(struct bound *bound);

/* All sockets, and which of them a process has to watch: of each address (a host name may stand for
 * several) one at least, and all of them if there are more than processes. */
size_t bound_count(const struct bound *bound);
int bound_socket(const struct bound *bound, size_t i);
bool bound_is_for(const struct bound *bound, size_t i, unsigned process);

/* From where it can be reached. */
enum bound_reach { BOUND_UNIX, BOUND_LOOPBACK, BOUND_NETWORK };
enum bound_reach bound_reach(const struct bound *bound);
const struct listen_kind *bound_kind(const struct bound *bound);
/* Who connects there: clients, unless this is said. */
void bound_set_door(struct bound *bound, enum listen_door door);
/* The address as it came to be: "127.0.0.1:41873", "unix:/path". */
const char *bound_text(const struct bound *bound);
/* What its sockets are called when they are handed on (handed_name()), and whether they are a
 * service manager's. */
const char *bound_name(const struct bound *bound);
bool bound_is_foreign(const struct bound *bound);

#endif
