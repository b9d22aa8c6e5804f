/* echo -- the three echoes of socketio-echo, each behind a path of its own. */
#ifndef ECHO_H
#define ECHO_H

#include "socketio/engineio.h"

struct conn;
struct loop;
struct socketio;

#define ECHO_MAX_PAYLOAD 1000000
#define ECHO_PING_INTERVAL_MS 300
#define ECHO_PING_TIMEOUT_MS 200
#define ECHO_CONNECT_TIMEOUT_MS 1000
#define ECHO_RAW_MAX 16777216 /* bytes of a message at /echo */

/* The settings that both of the following have. pace: the intervals are so many times as long. */
struct engineio_config echo_config(struct loop *loop, const struct poll_store *store,
                                   unsigned pace);

/* /echo: WebSocket messages come back as they are. */
void echo_raw_open(struct conn *conn);
/* /engine.io/: messages of Engine.IO come back as they are. NULL: out of memory. */
struct engineio *echo_engineio_new(struct loop *loop, const struct poll_store *store,
                                   unsigned pace);
/* /socket.io/: namespaces "/" and "/custom", events "auth", "message", "message-with-ack". */
struct socketio *echo_socketio_new(struct loop *loop, const struct poll_store *store,
                                   unsigned pace);

#endif
