/* deflate -- one message of a WebSocket, compressed (RFC 7692, permessage-deflate).
 *
 * Neither side keeps anything from one message to the next (no context takeover): so a message is
 * compressed once for all who get it, one state of zlib for each direction serves the whole
 * process, and a connection has none. What zlib adds to a message and RFC 7692 leaves out (the four
 * bytes at its end) is left out, and added, here.
 *
 * Not for several threads. */
#ifndef DEFLATE_H
#define DEFLATE_H

#include <stddef.h>

#include "notify_str.h"

/* We look back 4 KiB: whoever asks for a smaller window than zlib's own can nearly always have
 * that, and messages are hardly longer. */
#define DEFLATE_WINDOW_BITS 12
/* Longer messages go out as they are: to compress one of these takes a millisecond, in which
 * everybody else waits. A page of history is no longer. */
#define DEFLATE_MOST_BYTES 163840
/* Blocks of a message that may hold little: a block costs its reader a table, however little there
 * is in it, and a few bytes are enough for one. Beyond, it must hold so many bytes for each. */
#define DEFLATE_FREE_BLOCKS 256
#define DEFLATE_BLOCK_BYTES 64

/* Compresses text into out[cap]. Returns the length; 0: it takes more than that, or there is no
 * memory. */
size_t deflate_message(struct notify_str text, char *out, size_t cap);

/* What a message of at most max_bytes comes to at the most, compressed by whomever. */
size_t deflate_bound(size_t max_bytes);

/* Text that is compressed comes to *ret, which the caller frees, and which nothing ends. At no time
 * more than max_bytes and a little are held. 0, or
 * -EMSGSIZE: it would be longer than max_bytes,
 * -E2BIG: too many blocks, see above,
 * -EBADMSG: it is not what a compressor makes, or has no end,
 * -ENOMEM. */
int deflate_inflate(struct notify_str compressed, size_t max_bytes, char **ret, size_t *ret_len);

#endif
