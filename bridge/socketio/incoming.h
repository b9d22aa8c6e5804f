/* incoming -- a packet of Socket.IO whose attachments have not all come. Private to socketio/. */
#ifndef INCOMING_H
#define INCOMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_str.h"
#include "wire/socketio_packet.h"

struct incoming {
    struct socketio_packet packet; /* of text */
    char *text;                    /* owned */
    size_t text_len;
    unsigned have; /* attachments that are there; each owned */
    struct notify_str attachments[SOCKETIO_ATTACHMENTS_MAX];
    size_t bytes;      /* of all that */
    uint32_t since_at; /* short_time: when the packet came */
};

/* text: that of a packet which has attachments. NULL: out of memory. */
struct incoming *incoming_new(struct notify_str text);
/* NULL is fine. */
void incoming_free(struct incoming *incoming);
/* A copy of bytes is one more. False: out of memory. */
bool incoming_add(struct incoming *incoming, struct notify_str bytes);
bool incoming_is_whole(const struct incoming *incoming);

#endif
