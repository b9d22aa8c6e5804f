/* packets -- what a client reads in the packets of Socket.IO (Engine.IO 4, Socket.IO 5), as far as
 * load needs it: one namespace, no binary, no JSON parser. */
#ifndef PACKETS_H
#define PACKETS_H

#include <stdbool.h>

#include "notify_str.h"

enum packet_kind {
    PACKET_OPEN,      /* 0{"sid":…}; text: its JSON */
    PACKET_CLOSE,     /* 1 */
    PACKET_PING,      /* 2 */
    PACKET_NOOP,      /* 6 */
    PACKET_CONNECTED, /* 40{"sid":…} */
    PACKET_EVENT,     /* 42["name",…]; text: what follows the name's quote */
    PACKET_ACK,       /* 43<id>[…]; text: the digits and what follows */
    PACKET_UNKNOWN,   /* anything else: no server should say it to a client of load */
};

struct packet {
    enum packet_kind kind;
    struct notify_str name; /* of an event */
    struct notify_str text;
};

/* Borrows from text. */
struct packet packet_read(struct notify_str text);

/* Takes the first packet off what a poll was answered; false when nothing is left. */
bool packet_next(struct notify_str *payload, struct notify_str *ret_packet);

/* The id of an entry of the box with this key, in an event; false for any other. */
bool packet_entry_id(const struct packet *event, struct notify_str key, struct notify_str *ret_id);

#endif
