/* ws_conn -- a connection that has become a WebSocket. Private to net/; what the layers above do
 * with it: conn.h. */
#ifndef WS_CONN_H
#define WS_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/conn.h"
#include "wire/deflate_offer.h"

struct address;
struct stream;
struct transport;

struct ws_opening {
    const struct http_request *req; /* borrowed */
    struct address *address;        /* handed over: what limits count it by */
    const uint8_t *input;           /* borrowed: what came behind the head, */
    size_t input_len;               /* which belongs to the WebSocket */
    struct conn_accept accept;
    struct deflate_offer offer; /* the one that was taken, */
    bool deflates;              /* if one was */
};

/* answer: what is to be said to the request, before all else. Takes stream over, in every case. */
void ws_conn_open(struct transport *transport, struct stream *stream,
                  const struct ws_opening *opening, struct notify_str answer);

#endif
