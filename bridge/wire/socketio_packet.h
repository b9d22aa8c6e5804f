/* socketio_packet -- packets of Socket.IO 5, as they stand in a message of Engine.IO. Pure.
 *
 *     <type>[<attachments>-][<namespace>,][<id>][<JSON>]
 *
 *     0{"token":"…"}    2["ping"]    2/admin,13["subscribe",{"topic":"a"}]    51-["file",{…}]
 *
 * Read as strictly as the official parser does, and in a few things more so: JSON is well-formed,
 * in valid UTF-8 (so it may be handed on to anybody, over any transport: no separator of packets
 * and no control character stands raw in it), and a namespace is printable text. */
#ifndef SOCKETIO_PACKET_H
#define SOCKETIO_PACKET_H

#include <stdbool.h>
#include <stddef.h>

#include "notify_str.h"

enum socketio_type {
    SOCKETIO_CONNECT,
    SOCKETIO_DISCONNECT,
    SOCKETIO_EVENT,
    SOCKETIO_ACK,
    SOCKETIO_CONNECT_ERROR,
    SOCKETIO_BINARY_EVENT,
    SOCKETIO_BINARY_ACK,
};

#define SOCKETIO_ATTACHMENTS_MAX 10
#define SOCKETIO_NSP_MAX 128   /* bytes */
#define SOCKETIO_ID_DIGITS 100 /* python-socketio reads no more */

/* All of it points into what was read. */
struct socketio_packet {
    enum socketio_type type;
    unsigned attachments;   /* how many binary messages come behind it; 0 but for the two types */
    struct notify_str nsp;  /* "/" when it is left out */
    struct notify_str id;   /* digits as they were written, to be given back so; empty: none */
    struct notify_str json; /* raw; empty: none. An object, an array or a string, by type */
    /* Of the array that an event or an ack has: */
    struct notify_str event; /* raw string or number: what comes first in an event */
    struct notify_str args;  /* raw: all other elements, with the commas between them */
    struct notify_str arg;   /* raw: the first of those; empty: none */
    size_t argc;             /* how many those are */
};

/* Reads what stands behind Engine.IO's type. False: it is none, and its peer is to be cut off;
 * *ret is undefined then. What a client may not say, and when, is for the caller to know. */
bool socketio_read(struct notify_str text, struct socketio_packet *ret);

/* Is this the name of the event? */
bool socketio_is_event(const struct socketio_packet *packet, const char *name);

/* Is this, raw, a name by which a client hears of its own connection? An event of that name would
 * break it: the official parser refuses it at either end. */
bool socketio_is_reserved(struct notify_str raw);

/* Writes the beginning of a packet, up to its JSON, with Engine.IO's type of a message before it:
 * 42/admin,13. Of packet: type, attachments, nsp (empty or "/": left out) and id. Returns the
 * length, without a NUL; at most SOCKETIO_HEAD_MAX. */
#define SOCKETIO_HEAD_MAX (2 + 3 + SOCKETIO_NSP_MAX + 1 + SOCKETIO_ID_DIGITS)
size_t socketio_write_head(char out[SOCKETIO_HEAD_MAX], const struct socketio_packet *packet);

#endif
