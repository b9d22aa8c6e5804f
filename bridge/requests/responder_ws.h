/* responder_ws -- requests as messages of a client, and answers as messages to it. */
#ifndef RESPONDER_WS_H
#define RESPONDER_WS_H

#include "notify_str.h"
#include "requests/request.h"

/* One text message of a client, the peer: whatever it is, it gets exactly one answer, now or later.
 * (on_message of struct peer_handlers, net/conn.h.) */
void responder_ws_message(void *peer, struct notify_str text);

/* A request of a client's that is answered with request_id: the id's JSON text as the client wrote
 * it; empty: with none. One reference. NULL: out of memory. */
struct request *responder_ws_request(struct client *client, struct notify_str request_id);

#endif
