/* http_conn -- a connection as long as it speaks HTTP: heads, bodies, answers, one after the other.
 * Private to net/. */
#ifndef HTTP_CONN_H
#define HTTP_CONN_H

#include "net/listen_address.h"
#include "net/peer_address.h"

struct address;
struct exchange;
struct heartbeat_node;
struct stream;
struct transport;

/* Takes stream and address over, in every case; without a stream (NULL: no memory) that is all.
 * peer: who has connected, or whom a proxy named. */
void http_conn_open(struct transport *transport, struct stream *stream,
                    const struct peer_address *peer, struct address *address,
                    enum listen_door door);
/* Frees some of those that have ended. */
void http_conn_end_some(struct transport *transport);
/* Ends all at once; their exchanges hear that they are gone. */
void http_conn_free_all(struct transport *transport);
/* Of an exchange whose peer is there. */
struct transport *exchange_transport(const struct exchange *exchange);
void http_conn_due(struct heartbeat_node *node);

#endif
