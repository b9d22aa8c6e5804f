/* upgrade -- a WebSocket that asks for a session which goes over polling. Private to socketio/. */
#ifndef UPGRADE_H
#define UPGRADE_H

struct conn;
struct engineio;
struct exchange;
struct http_request;

void upgrade_define(struct engineio *engine);
/* A request of one: refused, or sooner or later it is opened. */
void upgrade_request(struct engineio *engine, struct exchange *exchange);
void upgrade_open(struct engineio *engine, struct conn *conn, const struct http_request *req);
void upgrades_forget(struct engineio *engine);

#endif
