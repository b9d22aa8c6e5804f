/* sse_conn -- a connection that has become a stream of events (text/event-stream). Private to net/;
 * what the layers above do with it: conn.h. */
#ifndef SSE_CONN_H
#define SSE_CONN_H

#include <stdbool.h>
#include <stddef.h>

#include "net/http_answer.h"

struct address;
struct stream;
struct transport;

#define SSE_CONTENT_TYPE "text/event-stream"
/* Nobody may keep it, compress it (which means to wait for more of it) or hold it back. */
#define SSE_CACHE_CONTROL "no-store, no-transform"
#define SSE_HEADERS "X-Accel-Buffering: no\r\n"

struct sse_opening {
    struct address *address;   /* handed over: what limits count it by */
    struct http_reader reader; /* its text is borrowed */
    bool in_chunks;            /* HTTP/1.1; else the stream ends with the connection */
    size_t input_len;          /* bytes that came behind the request already */
};

/* Takes stream and address over, in every case. Nothing is sent yet. NULL: no memory, or the
 * address has too many connections, which is told. */
struct conn *sse_conn_open(struct transport *transport, struct stream *stream,
                           const struct sse_opening *opening);

#endif
