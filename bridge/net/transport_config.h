/* transport_config -- what the layers above give a transport. */
#ifndef TRANSPORT_CONFIG_H
#define TRANSPORT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/conn.h"
#include "net/http.h"
#include "net/http_request.h"
#include "net/server_tls_config.h"

struct transport_config {
    size_t max_message_bytes;    /* bigger: closed with 1009 */
    uint64_t max_control_frames; /* in ten seconds, at least 1; more: closed with 4400 */
    uint64_t heartbeat_ms;       /* WebSocket ping after this long; dead after two silent ones */
    uint64_t sse_heartbeat_ms;   /* a stream of events is written to this often, at the least */
    uint64_t idle_timeout_ms;    /* without any frame from the peer, pongs included: 4408 */
    uint64_t finest_ms; /* the shortest time that alarms of connections are set to; 0: they can be
                         * late by a tick of the above */
    bool deflate;       /* messages of WebSockets may be compressed */
    size_t max_sockets; /* connections of every kind; more are closed when they are accepted */
    struct server_tls_config tls;      /* its text is borrowed only until the transport is there */
    struct http_forwarding forwarding; /* which proxies are believed */
    struct address_limits addresses;   /* its proxies are set by the transport */
    struct conn_handlers ws;
    struct http_handlers http;
    void *ctx; /* of all handlers that have no peer */
};

#endif
