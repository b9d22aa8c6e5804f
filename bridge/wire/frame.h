/* frame -- bytes ready for the socket, shared by everyone who gets them. Never changed once made.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stddef.h>

#include "notify_str.h"

struct frame {
    unsigned refs;
    size_t len;
    char data[];
};

/* With room for len bytes, which are to be filled in. One reference. NULL: out of memory. */
struct frame *frame_new(size_t len);
/* A WebSocket text frame around the joined parts. One reference. NULL: out of memory. */
struct frame *frame_new_ws(size_t count, const struct notify_str *parts);
/* The frames one behind the other. One reference. NULL: out of memory. */
struct frame *frame_join(size_t count, struct frame *const *frames);
struct frame *frame_ref(struct frame *frame);
/* Returns NULL. frame may be NULL. */
struct frame *frame_unref(struct frame *frame);

#endif
