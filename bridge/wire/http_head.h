/* http_head -- the head of an HTTP request as bytes: where it ends, and the form in which
 * libwebsockets gets it.
 *
 * lws decodes the target before we see it, and answers in a way of its own, or takes for the end of
 * the line, what it cannot take: 100%, %0A. And it ends a connection that offers a sub-protocol
 * which it does not know. Nothing of that is the documented answer, so such parts of a head are
 * written anew. */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "notify_str.h"

/* The length of the head at the beginning of text, with its empty line; 0: it has no end yet. */
size_t http_head_end(struct notify_str text);

/* Does text, one byte at least, begin as a request does? */
bool http_head_begins(struct notify_str text);

/* Writes into out, which has room for three times the length of head, what lws is to get instead of
 * it; returns the length of that. 0: lws can have it as it stands, or it announces a body, which
 * lws would look for in a head that it is given.
 *
 * In the target an escape that stands for no byte, for a control character, or in the path for a
 * '/', becomes %FF: no name may hold that byte, so whoever looks at names refuses it. A '+' in the
 * path becomes %2B, as lws takes it for a blank there. Sec-WebSocket-Protocol is left out. */
size_t http_head_carry(char *out, struct notify_str head);

#endif
