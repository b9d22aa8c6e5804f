/* ws_conn -- a connection that has become a WebSocket. Private to net/; what the layers above do
 * with it: conn.h. */
#ifndef WS_CONN_H
#define WS_CONN_H

#include <stddef.h>
#include <stdint.h>

#include "net/conn.h"

struct address;
struct stream;
struct transport;

struct ws_opening {
    const struct http_request *req; /* borrowed */
    struct address *address;        /* handed over: what limits count it by */
    const uint8_t *input;           /* borrowed: what came behind the head, */
    size_t input_len;               /* which belongs to the WebSocket */
    struct conn_accept accept;
};

/* The opening handshake is done. Takes stream over, in every case. */
void ws_conn_open(struct transport *transport, struct stream *stream,
                  const struct ws_opening *opening);

#endif
