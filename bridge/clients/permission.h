/* permission -- which keys a client may follow: the one place where keys are told from names. */
#ifndef PERMISSION_H
#define PERMISSION_H

#include <stdbool.h>

#include "notify_str.h"

struct client;

/* The client is known. Its own inbox, the broadcast logs, and topics and sessions that its identity
 * permits. */
bool client_may_follow(const struct client *client, struct notify_str key);

#endif
