/* arrival_request -- somebody arrives by an HTTP request: for a WebSocket, or for a stream of
 * events. */
#ifndef ARRIVAL_REQUEST_H
#define ARRIVAL_REQUEST_H

struct client_shared;
struct conn;
struct http_request;

/* A connection at a path of ours has opened. It gets a client as its peer, or is being closed: with
 * 4400 when its address is no good, with 4401 when its token is none, with 1011 without memory. */
void arrival_open(struct client_shared *shared, struct conn *conn, const struct http_request *req);

#endif
