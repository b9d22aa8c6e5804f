/* request -- what a client may ask for, and what is done then (docs/protocol.md, "Requests").
 *
 * One table: the type of a message, its handler. A handler checks everything before it does
 * anything; what is wrong is answered with an error and changes nothing. */
#ifndef REQUEST_H
#define REQUEST_H

#include "notify_str.h"

struct client;

/* One text message of a client: whatever it is, it gets exactly one answer, now or later. */
void request_handle(struct client *client, struct notify_str text);

#endif
