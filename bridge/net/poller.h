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

/* Embedded in whoever is called. wishes: enum poller_wish, or-ed; 0 as long as it is in no set. */
struct polled {
    int fd;
    uint8_t wishes;
};

/* wish: one of those that it has, which would not wait now; of a broken socket each, output first.
 * Any of the set may be changed or freed within. */
typedef void (*poller_fn)(struct polled *polled, enum poller_wish wish);

/* NULL: out of memory or descriptors. */
struct poller *poller_new(struct loop *loop, poller_fn fn);
/* None may have a wish any more. NULL is fine. */
void poller_free(struct poller *poller);

/* From now on it wishes for this: for nothing at all before it is freed, or its socket closed. 0,
 * or -errno for lack of kernel memory: then its wishes are what they were. */
int poller_wish(struct poller *poller, struct polled *polled, unsigned wishes);

#endif
