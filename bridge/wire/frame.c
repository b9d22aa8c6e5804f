#include "wire/frame.h"

#include <stdlib.h>

#include "wire/ws_frame.h"

static struct frame *frame_alloc(size_t len)
{
    struct frame *frame = malloc(sizeof(*frame) + len);

    if (frame != NULL) {
        frame->refs = 1;
        frame->len = 0;
    }
    return frame;
}

struct frame *frame_new(size_t len)
{
    struct frame *frame = frame_alloc(len);

    if (frame != NULL)
        frame->len = len;
    return frame;
}

static void append(struct frame *frame, const void *bytes, size_t len)
{
    if (len > 0)
        memcpy(frame->data + frame->len, bytes, len);
    frame->len += len;
}

struct frame *frame_new_ws(size_t count, const struct notify_str *parts)
{
    uint8_t header[WS_FRAME_HEADER_MAX];
    size_t payload = 0;
    struct frame *frame;

    for (size_t i = 0; i < count; i++)
        payload += parts[i].len;
    frame = frame_alloc(WS_FRAME_HEADER_MAX + payload);
    if (frame == NULL)
        return NULL;
    append(frame, header, ws_frame_header(header, payload));
    for (size_t i = 0; i < count; i++)
        append(frame, parts[i].ptr, parts[i].len);
    return frame;
}

struct frame *frame_join(size_t count, struct frame *const *frames)
{
    size_t len = 0;
    struct frame *joined;

    for (size_t i = 0; i < count; i++)
        len += frames[i]->len;
    joined = frame_alloc(len);
    for (size_t i = 0; joined != NULL && i < count; i++)
        append(joined, frames[i]->data, frames[i]->len);
    return joined;
}

struct frame *frame_ref(struct frame *frame)
{
    frame->refs++;
    return frame;
}

struct frame *frame_unref(struct frame *frame)
{
    if (frame != NULL && --frame->refs == 0)
        free(frame);
    return NULL;
}
