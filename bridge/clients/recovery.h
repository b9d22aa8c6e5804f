/* recovery -- connection state recovery of Socket.IO: what a client was when its connection broke
 * lies in Redis for a while, under a name that only the client knows (its pid), and whoever brings
 * that name and is the same user goes on from there.
 *
 *     SET sio:{<pid>} <client_state.h> PX <ms>     GETDEL sio:{<pid>}
 *
 * How far it has come it says itself, by the offset that each of its events carried. */
#ifndef RECOVERY_H
#define RECOVERY_H

#include "notify_str.h"

struct client;
struct client_state;

#define RECOVERY_WAIT_MS 500 /* for Redis; then it has not been recovered */

/* state: read, and taken over; json NULL: there is none, or not for this user, or Redis is slow. */
typedef void (*recovery_fn)(struct client *client, struct client_state *state);

/* Asks for the state of the pid; fn is called once, perhaps at once, and not when the client has
 * gone. */
void recovery_ask(struct client *client, struct notify_str pid, recovery_fn fn);
/* The client leaves. code: of its closing. */
void recovery_leave(struct client *client, int code);

#endif
