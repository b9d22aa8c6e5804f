/* frame -- bytes ready for the socket, shared by everyone who gets them. Never changed once made.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "notify_str.h"

struct frame {
    unsigned refs;
    bool is_text;           /* one message of a WebSocket, and nothing else */
    bool deflate_tried;     /* deflated is what it will be: */
    struct frame *deflated; /* owned reference: the same, compressed; NULL: that is no shorter */
    size_t len;
    char data[];
};

/* With room for len bytes, which are to be filled in. One reference. NULL: out of memory. */
struct frame *frame_new(size_t len);
/* A WebSocket text frame around the joined parts. One reference. NULL: out of memory. */
struct frame *frame_new_ws(size_t count, const struct notify_str *parts);
/* The frames one behind the other. One reference. NULL: out of memory. */
struct frame *frame_join(size_t count, struct frame *const *frames);

/* What goes to those who take compressed messages (deflate.h) in place of frame: made when it is
 * first asked for, once for all of them. It is the frame itself where that is better: it is short,
 * or very long, or becomes no shorter, or there is no memory. Borrowed from the frame. */
struct frame *frame_deflated(struct frame *frame);
/* Of joined frames: that is deflated, whose reference is handed over; NULL: there is none. */
void frame_set_deflated(struct frame *frame, struct frame *deflated);
/* Shorter messages are not compressed. To be said once. */
void frame_deflate_from(size_t bytes);
struct frame *frame_ref(struct frame *frame);
/* Returns NULL. frame may be NULL. */
struct frame *frame_unref(struct frame *frame);

#endif
