/* request -- one thing that somebody asks for: who asks, and how the answer gets there.
 *
 * It lives while it is handled, and as long as it waits: for Redis (call.h) or for keys to be live
 * (clients/ask.h). Whatever it is, it is answered exactly once, unless who asked has gone. */
#ifndef REQUEST_H
#define REQUEST_H

#include <stddef.h>

#include "notify_str.h"

struct client;
struct client_shared;
struct identity;
struct marked;
struct member_value;
struct request_type;
struct responder;

struct request {
    unsigned refs;
    const struct responder *responder;
    struct client_shared *shared; /* borrowed */
    struct identity *identity;    /* a reference: who asks, as of then; NULL: it is not known */
    struct client *client; /* whose connection it came by, borrowed as long as it waits (see begin);
                            * NULL: by none that stays */
    struct marked *marked; /* owned: what it marks, for those who count that; or NULL */
    size_t bytes;          /* that it holds itself, with what of it comes back */
    /* While it is handled: */
    const struct request_type *type;
    struct member_value *values; /* one for each row of type->members */
};

/* One reference; what stands behind struct request is all zero. Takes a reference to identity of
 * its own, which may be NULL. NULL: out of memory. */
struct request *request_new(const struct responder *responder, struct client_shared *shared,
                            struct identity *identity);
struct request *request_ref(struct request *r);
void request_unref(void *r); /* so, since others let go of it by this */

/* The name of the user who asks; empty while it is not known. */
struct notify_str request_user(const struct request *r);

#endif
