/* caller -- who asks by a plain HTTP request: what a connection that stays settles when it opens
 * (arrival.h), for somebody who asks for one thing. */
#ifndef CALLER_H
#define CALLER_H

#include <stdbool.h>

struct caller;
struct client_shared;
struct http_request;
struct identity;

enum caller_answer {
    CALLER_KNOWN,      /* identity is a reference, the callee's; it may be a guest's */
    CALLER_NO_TOKEN,   /* it brings none, and whoever brings none is not let in */
    CALLER_BAD_TOKEN,  /* one that is no good, or in two places */
    CALLER_BAD_NAME,   /* ?user= is no name */
    CALLER_OTHER_USER, /* ?user= is not whom the token is for */
    CALLER_NOT_NOW,    /* tokens cannot be judged just now */
    CALLER_NO_MEMORY,
};
typedef void (*caller_fn)(void *ctx, enum caller_answer answer, struct identity *identity);

/* Finds out who sends req, which need not last. with_cookie: a cookie may hold the token
 * (credentials.h). fn is called once: before this returns, which is NULL then, or from the loop. */
struct caller *caller_find(struct client_shared *shared, const struct http_request *req,
                           bool with_cookie, caller_fn fn, void *ctx);
/* Nobody wants to know any more: fn is not called. */
void caller_drop(struct caller *caller);

#endif
