/* ws_reader -- takes apart what a WebSocket client sends (RFC 6455, 5): frames in, messages
 * and control frames out, one item for each frame, so that the caller can stop after any of them.
 * Pure: no sockets, no clock.
 *
 * It stands in for the parser of libwebsockets 4.3, which answers only one of several pings sent
 * back to back, accepts unmasked frames, and does not know all close codes.
 *
 * The caller reads into a buffer of its own and pulls items until WS_MORE; what is left over then
 * (part of a header or of a control frame), or when the caller wants to stop earlier, is kept by
 * the reader and comes first in the next buffer:
 *
 *     n = ws_reader_restore(r, buf);          // at most WS_READER_REST_MAX or what was kept
 *     n += recv(…, buf + n, …);
 *     in = (struct ws_input){buf, buf + n};
 *     while (ws_reader_next(r, max, &in, &item) != WS_MORE) …
 *     ws_reader_keep(r, &in);
 */
#ifndef WS_READER_H
#define WS_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What WS_MORE leaves over is shorter than this: the longest header and control payload. */
#define WS_READER_REST_MAX (14 + 125)

/* Zeroed is empty, and at the beginning of a message. */
struct ws_reader {
    char *message; /* owned: the message so far, when it is not all in the caller's buffer */
    uint8_t *rest; /* owned: bytes not yet looked at */
    uint32_t len, cap, rest_len;
    uint32_t left; /* payload bytes of this data frame still to come */
    uint8_t mask[4];
    uint8_t mask_at;   /* 0..3: which mask byte is next */
    bool in_frame;     /* in the payload of a data frame */
    bool in_message;   /* a message has begun and has not ended */
    bool final;        /* this frame ends its message */
    bool spent;        /* message was handed out and is to be freed */
    bool takes_binary; /* set by the caller; else the first byte of a binary message is 1003 */
    bool inflates;     /* the same; else a compressed message is 1002 */
    bool is_binary;    /* the message that has begun is, */
    bool is_deflated;  /* and is compressed: what is kept of it is so, too, until it is whole */
    uint8_t utf8_need; /* continuation bytes that the character still needs */
    uint8_t utf8_lo, utf8_hi; /* range of the next one */
};

/* A cursor over the caller's buffer. Payload is unmasked in place. */
struct ws_input {
    uint8_t *ptr, *end;
};

enum ws_item_kind {
    WS_MORE,   /* nothing more in this buffer */
    WS_PART,   /* a frame that does not end its message; len: 0 when there is nothing in it */
    WS_TEXT,   /* data, len: a complete message, valid UTF-8 */
    WS_PING,   /* data, len: to be sent back in a pong, at most 125 bytes */
    WS_PONG,   /* data, len */
    WS_CLOSE,  /* code: what the peer gave, 1005 for none; data, len: its reason */
    WS_ERROR,  /* code: 1002, 1003, 1007, 1008, 1009 or 1011 to close with; data, len: why, static
                  text. The reader must not be used any more */
    WS_BINARY, /* data, len: a complete message, if binary is taken */
};

/* data is good until the next call for the same reader or buffer. */
struct ws_item {
    const char *data;
    size_t len;
    int code;
};

/* max_bytes: of a message, below 2^31; also of what a compressed one is inflated to. */
enum ws_item_kind ws_reader_next(struct ws_reader *reader, size_t max_bytes, struct ws_input *in,
                                 struct ws_item *ret_item);

/* Keeps what in still holds. 0 or -ENOMEM. */
int ws_reader_keep(struct ws_reader *reader, const struct ws_input *in);
/* Copies what was kept to buf and forgets it; returns its length, ws_reader_kept() at most. */
size_t ws_reader_restore(struct ws_reader *reader, uint8_t *buf);
size_t ws_reader_kept(const struct ws_reader *reader);

/* Is it as if it were zeroed (but for what the caller sets)? Then there is nothing in it to keep.
 */
bool ws_reader_is_idle(const struct ws_reader *reader);
/* It is zeroed. */
void ws_reader_release(struct ws_reader *reader);

#endif
