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
void transport_adopt(void *ctx, int fd, const struct peer_address *peer,
                     const struct listen_kind *kind);
/* Open WebSockets and streams of events. */
size_t transport_count(const struct transport *transport);
size_t transport_stream_count(const struct transport *transport); /* of events alone */
/* Requests that are under way above. */
size_t transport_asked_count(const struct transport *transport);
size_t transport_socket_count(const struct transport *transport); /* of every kind, */
size_t transport_sockets_max(const struct transport *transport);  /* and how many there may be */
/* Reads how TLS is spoken from now on, and the files of that, if there are listeners with TLS.
 * config is borrowed for the call. -EINVAL with the reason logged; */
int transport_read_tls(struct transport *transport, const struct server_tls_config *config);
/* else it is what counts from now on, and connections that are there stay. */
void transport_take_tls(struct transport *transport);
/* Whether those who come from now on may have their messages compressed. */
void transport_set_deflate(struct transport *transport, bool deflate);
/* Closes every connection at once, without handshake, calling on_closed for each, and frees all. */
void transport_free(struct transport *transport);

#endif
