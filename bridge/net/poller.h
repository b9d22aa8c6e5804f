/* poller -- the plain sockets of peers on the loop, by a set of their own (epoll(7)).
 *
 * For libevent each descriptor is an event of 128 bytes and a place in its table: more than a
 * stream has besides. Here it is what stands in struct polled, and the whole set is one descriptor
 * of libevent's. So many are called in one turn of the loop; then everything else has its turn, and
 * those who are left come first in the next one. */
#ifndef POLLER_H
#define POLLER_H

#include <stdint.h>

struct loop;
struct poller;

#define POLLER_AT_ONCE 256

enum poller_wish { POLLER_INPUT = 1, POLLER_OUTPUT = 2 };

/* Embedded in whoever is called. */
struct polled {
    int fd;
    uint8_t wishes; /* enum poller_wish, or-ed */
    uint8_t told;   /* those that the kernel has been told of; the poller's own */
};

/* wish: one of those that it has, which would not wait now; of a broken socket each, output first.
 * Any of the set may be changed or freed within. */
typedef void (*poller_fn)(struct polled *polled, enum poller_wish wish);

/* NULL: out of memory or descriptors. */
struct poller *poller_new(struct loop *loop, poller_fn fn);
/* All must have been closed. NULL is fine. */
void poller_free(struct poller *poller);

/* From now on it wishes for this. 0, or -errno for lack of kernel memory: then its wishes are what
 * they were. To rest from input and to go on soon costs nothing: the kernel is told when there is
 * some. */
int poller_wish(struct poller *poller, struct polled *polled, unsigned wishes);
/* Closes its socket; it is never called again, whoever has another descriptor of that. */
void poller_close(struct poller *poller, struct polled *polled);

#endif
