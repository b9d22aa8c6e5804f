/* arrival_socket -- somebody arrives as a socket of Socket.IO: by what its handshake said (a seed),
 * and by what it says as it joins a namespace.
 *
 *     handshake:  /socket.io/?EIO=4&… [&token=<token>] [&user=<name>] [&topics=<name>,<name>…]
 *                 [&channels=<name>,<name>…], Authorization, cookie
 *     CONNECT:    {"token":<token>, "user":<name>, "offset":<bookmark, position or {key:
 * position}>}
 *
 * What CONNECT says wins; it may say more, which is not looked at (docs/socketio.md). */
#ifndef ARRIVAL_SOCKET_H
#define ARRIVAL_SOCKET_H

#include <stdbool.h>

#include "notify_str.h"

struct client_shared;
struct conn;
struct http_request;
struct socket_seed;

/* What of a handshake is needed when somebody joins, whatever it is worth. NULL: out of memory. */
struct socket_seed *socket_seed_new(const struct client_shared *shared,
                                    const struct http_request *req);
void socket_seed_free(struct socket_seed *seed);
/* Do they bring the same token? */
bool socket_seed_compare(const struct socket_seed *seed, const struct socket_seed *other);

/* It gets a client as its peer, which is accepted once it is known who that is, or refused; or is
 * being closed. auth: a raw JSON object, or empty. */
void arrival_join(struct client_shared *shared, struct conn *conn, struct notify_str auth,
                  const struct socket_seed *seed);
/* It goes on between two polls. state: as client_state_write() gave it, or anything else. */
void arrival_go_on(struct client_shared *shared, struct conn *conn, struct notify_str state,
                   const struct socket_seed *seed);

#endif
