/* request -- what a client may ask for, and what is done then (docs/protocol.md, "Requests").
 *
 * One table: the type of a message, its handler. A handler checks everything before it does
 * anything; what is wrong is answered with an error and changes nothing. */
#ifndef REQUEST_H
#define REQUEST_H

#include "notify_str.h"

/* One text message of a client, the peer: whatever it is, it gets exactly one answer, now or later.
 * (on_message of struct peer_handlers, net/conn.h.) */
void request_handle(void *peer, struct notify_str text);

#endif
