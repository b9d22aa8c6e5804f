/* socket -- a client's part in one namespace: to the layers above a struct conn. Private to
 * socketio/. */
#ifndef SOCKET_H
#define SOCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "net/carried.h"
#include "socketio/socketio.h"

struct incoming;
struct parcel;
struct session;

struct socketio {
    struct socketio_config config;
    struct engineio *engine; /* owned */
};

/* What Socket.IO has of a session. One per client: keep it small. */
struct membership {
    TAILQ_HEAD(socket_list, conn) sockets; /* by all_link; also those that have ended just now */
    struct incoming *incoming; /* owned; a packet whose attachments have not all come; or NULL */
    uint16_t joined;           /* a bit for each namespace that was asked for */
    bool forgotten;            /* what on_handshake left was given back */
    bool accepted;             /* somewhere, since this was last asked */
};

struct socket {
    struct carried carried;  /* first */
    struct session *session; /* borrowed */
    uint16_t acks;           /* that the client waits for, and a poll is held for */
    uint8_t nsp;             /* index */
    bool accepted, held;
    bool parks; /* it is being told that its poll is to be answered: it may be written to */
};

struct membership *membership_of(struct session *session);
struct socketio *socketio_of(const struct session *session);
struct socket *socket_of(const struct conn *conn);

/* One of this session that has not ended, or NULL. */
struct socket *socket_find(struct session *session, unsigned nsp);
/* Joins; told to whoever is above. auth, state: as in on_connect. */
void socket_join(struct session *session, unsigned nsp, struct notify_str auth,
                 struct notify_str state);
/* 44…, where there is no socket. */
void socket_refuse(struct session *session, struct notify_str nsp, struct notify_str message);
/* An event or acknowledgement is handed up. */
void socket_take(struct socket *socket, const struct socketio_packet *packet,
                 const struct notify_str *attachments);
/* The client has left. */
void socket_leave(struct socket *socket);

/* Has every namespace there is accepted the client? */
bool sockets_are_all_accepted(struct session *session);
/* What each goes on with at the next poll: its namespace and its state. False: one cannot. */
bool sockets_park(struct session *session, struct parcel *ret);
/* It is kept after that. */
void sockets_stay(struct session *session);
/* All of a session: their connection has become busy, has drained; they end, soon or at once. */
void sockets_block(struct session *session);
void sockets_drained(struct session *session);
void sockets_end(struct session *session, int code);
/* The process ends: they are told so, and the session is closed. */
void sockets_send_away(struct session *session);
void sockets_take_down(struct session *session, int code);

#endif
