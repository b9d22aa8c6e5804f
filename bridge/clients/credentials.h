/* credentials -- where a request has its token: ?token=, Authorization: Bearer,
 * Sec-WebSocket-Protocol: bearer, <token>, or a cookie. */
#ifndef CREDENTIALS_H
#define CREDENTIALS_H

#include <stdbool.h>

#include "notify_str.h"

struct http_request;

#define CREDENTIALS_PROTOCOL "bearer" /* the sub-protocol that stands before a token */
#define CREDENTIALS_MAX 16384         /* bytes of a token; a head has no more either */

struct credentials {
    struct notify_str token;      /* ptr NULL: it brings none */
    const char *fault;            /* static text: what it brings is none; NULL: nothing is wrong */
    char buffer[CREDENTIALS_MAX]; /* what the token may point to */
};

/* cookie: the name of one that may hold a token, or NULL. It counts only when nothing else does,
 * and only for a page (Origin) that may connect, which has been looked at, or for one of our own
 * address (Sec-Fetch-Site): a browser sends it with whatever any page asks for. */
void credentials_find(struct credentials *ret, const struct http_request *req, const char *cookie);

/* The sub-protocol to choose of those offered, or NULL. Whoever hides a token in the list must not
 * have it sent back. */
const char *credentials_protocol(const struct http_request *req);

#endif
