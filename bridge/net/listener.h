/* listener -- one place where clients connect: accepts, and hands each descriptor on. */
#ifndef LISTENER_H
#define LISTENER_H

#include "net/listen_address.h"
#include "net/peer_address.h"

struct bound;
struct listener;
struct loop;

/* fd: a connected, non-blocking, close-on-exec stream socket, TCP_NODELAY set; the callee's. peer:
 * who is at its other end. */
typedef void (*listener_fn)(void *ctx, int fd, const struct peer_address *peer,
                            const struct listen_kind *kind);

/* Watches those sockets of bound, which is borrowed, that are of this process (the first is 0).
 * NULL: out of memory; it has been logged. */
struct listener *listener_new(struct loop *loop, const struct bound *bound, unsigned process,
                              listener_fn fn, void *ctx);
/* Stops accepting. NULL is fine. */
void listener_free(struct listener *listener);

#endif
