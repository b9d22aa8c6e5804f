/* reply -- what requests of Engine.IO are answered with: packets, and errors as the official
 * server says them. Private to socketio/. */
#ifndef REPLY_H
#define REPLY_H

#include "notify_str.h"

struct engineio;
struct exchange;

/* By code; but for the last two. */
enum engineio_error {
    ERROR_TRANSPORT,
    ERROR_SID,
    ERROR_METHOD,
    ERROR_REQUEST,
    ERROR_FORBIDDEN,
    ERROR_VERSION,
    ERROR_AWAY, /* none of Engine.IO: come back */
    ERROR_NONE,
};

/* What an upgrade is refused with, and everything else. */
const char *error_message(enum engineio_error error);
const char *error_json(enum engineio_error error);

/* What a handshake that was refused by a status is answered with. */
enum engineio_error error_of_status(int status);

void reply_error(const struct engineio *engine, struct exchange *exchange,
                 enum engineio_error error);
/* The same to a WebSocket that was asked for. */
void reply_refusal(const struct engineio *engine, struct exchange *exchange,
                   enum engineio_error error);
/* A poll's answer. */
void reply_packets(const struct engineio *engine, struct exchange *exchange,
                   struct notify_str packets);
/* A POST's. */
void reply_taken(const struct engineio *engine, struct exchange *exchange);

#endif
