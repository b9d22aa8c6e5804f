/* session_ws -- a session of Engine.IO over a WebSocket. Private to socketio/. */
#ifndef SESSION_WS_H
#define SESSION_WS_H

#include "socketio/session.h"

/* What its conn is to tell: handlers of engine->ws, all zero before. */
void session_ws_define(struct engineio *engine);
/* The session goes over conn from now on, and may say something. */
void session_ws_begin(struct session *session, struct conn *conn);
/* What its client has said by POSTs before, in payloads, which are copied: it is taken before
 * anything that comes over the WebSocket, and like that only as far as the session takes input. */
void session_ws_leave(struct session *session, size_t count, const struct notify_str *payloads);
/* A new session over conn; takes seed over. */
void session_ws_open(struct engineio *engine, struct conn *conn, void *seed);

#endif
