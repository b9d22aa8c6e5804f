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
struct member_value;
struct request_type;
struct responder;

struct request {
    unsigned refs;
    const struct responder *responder;
    struct client_shared *shared; /* borrowed, as is the client */
    struct client *client;        /* who asks; only as long as it waits (responder->begin) */
    size_t bytes;                 /* that it holds itself, with what of it comes back */
    /* While it is handled: */
    const struct request_type *type;
    struct member_value *values; /* one for each row of type->members */
};

/* One reference; what stands behind struct request is all zero. NULL: out of memory. */
struct request *request_new(const struct responder *responder, struct client *client);
struct request *request_ref(struct request *r);
void request_unref(void *r); /* so, since others let go of it by this */

/* The name of the user who asks. */
struct notify_str request_user(const struct request *r);

#endif
