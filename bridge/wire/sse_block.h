/* sse_block -- blocks of a stream of events (text/event-stream; WHATWG HTML, 9.2.6). Pure.
 *
 *     event: notification
 *     data: {"type":"notification",…}
 *     id: AVp5…
 *     <blank line>
 *
 * Whatever a field holds, it stays within that field: its lines are cut where a reader would cut
 * them (CR, LF, CR LF), and what could begin another field begins a further line of data. */
#ifndef SSE_BLOCK_H
#define SSE_BLOCK_H

#include <stddef.h>

#include "notify_str.h"

struct frame;
struct text;

#define SSE_COMMENT ": hb\n\n" /* means nothing, and keeps a connection alive */
#define SSE_CLOSE_MAX 256      /* bytes of the block that ends a stream */

/* The fields event and data, and retry if the text has one: a block that is still open. What is to
 * end it, and may give it an id, is the receiver's own (sse_block_end). One reference. NULL: out of
 * memory. */
struct frame *sse_block_new(const struct text *text);

/* Whole blocks: text behind "data: ", as it is, and a blank line. One reference. NULL: out of
 * memory. */
struct frame *sse_block_bare(const struct text *text);

/* Ends a block, with an id if that is not empty: up to SSE_END_MAX bytes more than the id has.
 * id: no CR, LF or NUL. Returns how many bytes were written. */
#define SSE_END_MAX 8
size_t sse_block_end(char *out, struct notify_str id);

/* The block by which we end a stream: {"type":"close","code","reason"}, and when to come back. */
size_t sse_block_close(char out[SSE_CLOSE_MAX], int code, const char *reason, unsigned retry_ms);

#endif
