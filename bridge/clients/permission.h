/* permission -- which keys somebody may follow: the one place where keys are told from names. */
#ifndef PERMISSION_H
#define PERMISSION_H

#include <stdbool.h>

#include "notify_str.h"

struct client;
struct client_shared;
struct identity;

/* His own inbox, the broadcast logs, and topics and sessions that his identity permits. */
bool may_follow(const struct client_shared *shared, const struct identity *identity,
                struct notify_str key);
/* The same of a client that is known. */
bool client_may_follow(const struct client *client, struct notify_str key);

#endif
