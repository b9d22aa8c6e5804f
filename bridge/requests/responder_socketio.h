/* responder_socketio -- requests as events of a Socket.IO client, and answers as their
 * acknowledgements, or as events. */
#ifndef RESPONDER_SOCKETIO_H
#define RESPONDER_SOCKETIO_H

#include "notify_str.h"

struct socketio_packet;

/* One event of a client, the peer; whatever it is, it gets exactly one answer, now or later: as the
 * one argument of its acknowledgement if it wants one, else as an event of the answer's type. Of an
 * acknowledgement nothing comes. (on_packet of struct peer_handlers, net/conn.h.) */
void responder_socketio_packet(void *peer, const struct socketio_packet *packet,
                               const struct notify_str *attachments);

/* Its poll is about to be answered. What it has asked for and not been told yet comes too late, and
 * it is told so; then as client_state_write(). (on_park of struct peer_handlers.) */
char *responder_socketio_park(void *peer);

#endif
