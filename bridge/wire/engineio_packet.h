/* engineio_packet -- packets of Engine.IO 4. Pure.
 *
 * One packet is a type of one character and data behind it. On a WebSocket it is one message (a
 * binary message is a frame of its own, without a type); over polling several are joined to a
 * payload, with a separator that no packet holds: JSON cannot have that byte raw, and base64
 * neither.
 *
 * 0{"sid":…}   2   3   4<message>   b<message that is bytes, in base64>   */
#ifndef ENGINEIO_PACKET_H
#define ENGINEIO_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/base64.h"
#include "notify_str.h"

enum engineio_type {
    ENGINEIO_OPEN = '0',
    ENGINEIO_CLOSE = '1',
    ENGINEIO_PING = '2',
    ENGINEIO_PONG = '3',
    ENGINEIO_MESSAGE = '4',
    ENGINEIO_UPGRADE = '5',
    ENGINEIO_NOOP = '6',
    ENGINEIO_BINARY = 'b', /* a message that is bytes; as text only */
};

#define ENGINEIO_SEPARATOR '\x1e'

/* A client of python-engineio gives up at more packets in one answer to its poll. */
#define ENGINEIO_POLL_PACKETS_MAX 16

struct engineio_packet {
    enum engineio_type type;
    struct notify_str data; /* what stands behind the type */
};

/* One packet of text. False: it is empty, or begins with anything else. */
bool engineio_read(struct notify_str text, struct engineio_packet *ret);

/* The text of a payload, packet by packet, whatever those are:
 *
 *     struct engineio_walk walk = engineio_walk(payload);
 *     while (engineio_next(&walk, &text)) …
 *
 * Separators at the ends or beside each other have empty packets between them, and an empty payload
 * is an empty packet. */
struct engineio_walk {
    struct notify_str rest;
    bool ended;
};

static inline struct engineio_walk engineio_walk(struct notify_str payload)
{
    return (struct engineio_walk){.rest = payload};
}

bool engineio_next(struct engineio_walk *walk, struct notify_str *ret_text);

/* A binary message as text: type and base64. */
#define ENGINEIO_BINARY_LEN(len) (1 + BASE64_ENCODED_LEN(len))
size_t engineio_write_binary(char *out, const void *bytes, size_t len);
/* The bytes of one, from the data of its packet. As base64_decode(). */
#define ENGINEIO_BINARY_MAX(len) BASE64_DECODED_MAX(len)
ssize_t engineio_read_binary(uint8_t *out, struct notify_str data);

/* The packet that opens a session. Exactly these five members, in this order. */
struct engineio_open {
    struct notify_str sid; /* base64url: nothing in it is to be escaped */
    bool upgrades;         /* may it become a WebSocket? */
    unsigned ping_interval_ms, ping_timeout_ms;
    size_t max_payload; /* bytes of what a client may send at once */
};

#define ENGINEIO_SID_MAX 64
#define ENGINEIO_OPEN_MAX (ENGINEIO_SID_MAX + 160)
/* Returns the length, without a NUL. */
size_t engineio_write_open(char out[ENGINEIO_OPEN_MAX], const struct engineio_open *open);

#endif
