/* unseen -- what somebody lacks who knows no position: the newest notifications of the inbox that
 * nobody has seen, at most UNSEEN_MAX. They are sent before anything live, and are seen once they
 * are out; so is what comes live, once the peer has closed in good order. */
#ifndef UNSEEN_H
#define UNSEEN_H

#include "notify_id.h"

struct client;

#define UNSEEN_MAX 100
#define UNSEEN_BYTES 262144 /* of all of them; one alone may be larger */

/* from: where the client's inbox is to be followed from; NULL: from now on, as Redis is away. */
typedef void (*unseen_fn)(struct client *client, const struct notify_id *from);

/* Asks Redis, puts what there is behind the greeting that is to come, and calls fn; nobody is
 * called when the client has gone. Closes the connection for lack of memory. */
void unseen_ask(struct client *client, unseen_fn fn);

/* The client has been greeted: what went out behind that is marked as seen now, or, when not all of
 * it would go, at the end. */
void unseen_on_greeted(struct client *client);
/* The client leaves. code: of its closing. */
void unseen_end(struct client *client, int code);

#endif
