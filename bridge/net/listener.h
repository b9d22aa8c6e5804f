/* listener -- one place where clients connect: accepts, and hands each descriptor on.
 *
 * The address is "host:port", "[::1]:port", ":port" (every address), or "unix:/path". Port 0 lets
 * the kernel choose. A host name may stand for several addresses: all are listened on. */
#ifndef LISTENER_H
#define LISTENER_H

#include <stdbool.h>

struct listener;
struct loop;

/* What its connections begin with: said behind the address, "[::]:8443,tls,proxy". */
struct listener_kind {
    bool tls;
    bool proxy; /* the header of the PROXY protocol, before all else */
};

/* fd: a connected, non-blocking, close-on-exec stream socket, TCP_NODELAY set; the callee's. */
typedef void (*listener_fn)(void *ctx, int fd, const struct listener_kind *kind);

/* What stands behind the first comma of address. False: an unknown word. */
bool listener_kind_of(const char *address, struct listener_kind *ret);

/* Why an address has not the form of one (static text); NULL: it has. */
const char *listener_check(const char *address);

/* Can it be reached from this machine alone? A name counts only if it is localhost: what others
 * stand for may change. address: checked. */
bool listener_is_local(const char *address);

/* NULL: the address is not valid or cannot be had; the reason has been logged. */
struct listener *listener_new(struct loop *loop, const char *address, listener_fn fn, void *ctx);
/* Stops accepting and removes the path of a unix socket. NULL is fine. */
void listener_free(struct listener *listener);

/* From where it can be reached. */
enum listener_reach { LISTENER_UNIX, LISTENER_LOOPBACK, LISTENER_NETWORK };
enum listener_reach listener_reach(const struct listener *listener);

/* The address as it came to be: "127.0.0.1:41873", "unix:/path". Borrowed. */
const char *listener_address(const struct listener *listener);

#endif
