/* http_body -- the body of a request, out of the bytes behind its head (RFC 9112, 6 and 7.1). Pure.
 *
 *     http_body_begin(&body, &head, limit);
 *     while ((step = http_body_next(&body, &in, &piece)) == HTTP_BODY_PIECE) keep piece;
 *     HTTP_BODY_MORE: in is used up, the rest is to come; HTTP_BODY_DONE: what in still holds
 *     belongs to the next request; anything else: the status to refuse the request with.
 *
 * Trailer fields are read, bounded and dropped. */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include <stddef.h>
#include <stdint.h>

#include "wire/http_head.h"

#define HTTP_EXTENSION_MAX 256 /* bytes of a chunk's extensions; more: 400 */
#define HTTP_TRAILERS_MAX 4096 /* bytes of all trailer fields; more: 431 */
#define HTTP_TRAILER_NAME                                                                          \
    32 /* bytes of a name that are looked at: longer names are none of ours                        \
        */

enum {
    HTTP_BODY_MORE = -1,
    HTTP_BODY_PIECE = -2,
    HTTP_BODY_DONE = 0,
};

struct http_body {
    uint64_t left;  /* bytes to come: of the body, or of this chunk */
    uint64_t room;  /* bytes that may still come in all */
    uint16_t count; /* digits of a size, bytes of an extension or of trailers */
    uint8_t state;
    uint8_t name_len;
    char name[HTTP_TRAILER_NAME]; /* of the trailer field that is being read */
};

/* head: of the request. limit: of the body's bytes; beyond it http_body_next() answers 413, at once
 * when the head already says so. */
void http_body_begin(struct http_body *body, const struct http_head *head, uint64_t limit);
/* Takes from *in what it can; *ret_piece points into it. */
int http_body_next(struct http_body *body, struct notify_str *in, struct notify_str *ret_piece);

#endif
