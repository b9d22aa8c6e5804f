/* client_kinds -- how many clients there are of each kind, by what they speak, and how many keys
 * they follow: for statistics. */
#ifndef CLIENT_KINDS_H
#define CLIENT_KINDS_H

#include <stddef.h>

#include "wire/dialect.h"

enum client_kind {
    CLIENT_NOTIFY,  /* our own protocol over WebSocket */
    CLIENT_TOPIC,   /* /ws */
    CLIENT_SESSION, /* /api/v1/ws/{session_id} */
    CLIENT_EVENTS,  /* a stream of events */
    CLIENT_CHAT,    /* an answer of an agent, piece by piece */
    CLIENT_SOCKETIO,
    CLIENT_KINDS,
};

/* Zeroed: nobody is there. */
struct client_kinds {
    size_t of[CLIENT_KINDS];
    size_t follows; /* keys, for each client that follows them */
};

const char *client_kind_name(enum client_kind kind);
/* One is there that speaks dialect, and has gone. */
void client_kinds_add(struct client_kinds *kinds, enum dialect dialect);
void client_kinds_remove(struct client_kinds *kinds, enum dialect dialect);
void client_kinds_set_gauges(const struct client_kinds *kinds);

#endif
