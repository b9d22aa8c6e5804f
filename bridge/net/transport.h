/* transport -- all connections of clients: takes descriptors from the listeners and carries what
 * the layers above give it, over HTTP (http.h), WebSocket and event streams (conn.h). */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/listener.h"
#include "net/transport_config.h"

struct loop;
struct transport;

/* config is copied (pointers in it are borrowed for life). NULL: could not be made; the reason has
 * been logged. */
struct transport *transport_new(struct loop *loop, const struct transport_config *config);
/* Hands over a connected, non-blocking stream socket of a client; it is closed on failure. A
 * listener_fn: ctx is the transport. */
void transport_adopt(void *ctx, int fd, const struct listener_kind *kind);
/* Open WebSockets and streams of events. */
size_t transport_count(const struct transport *transport);
size_t transport_stream_count(const struct transport *transport); /* of events alone */
size_t transport_socket_count(const struct transport *transport); /* of every kind */
/* Closes every connection at once, without handshake, calling on_closed for each, and frees all. */
void transport_free(struct transport *transport);

#endif
