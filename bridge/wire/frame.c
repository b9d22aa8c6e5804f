#include "wire/frame.h"

#include <stdlib.h>

#include "base/counters.h"
#include "wire/deflate.h"
#include "wire/ws_frame.h"

#define COMPRESSED 0x40 /* RSV1 of the first byte of a frame (RFC 7692, 6) */

static size_t deflate_from = 256;

static struct frame *frame_alloc(size_t len)
{
    struct frame *frame = malloc(sizeof(*frame) + len);

    if (frame != NULL) {
        *frame = (struct frame){.refs = 1};
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
    frame->is_text = true;
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
    if (frame == NULL || --frame->refs > 0)
        return NULL;
    frame_unref(frame->deflated);
    free(frame);
    return NULL;
}

/* Compression. */

void frame_deflate_from(size_t bytes)
{
    deflate_from = bytes;
}

static void count(size_t before, size_t after)
{
    counter_add(COUNTER_DEFLATED, 1);
    counter_add(COUNTER_DEFLATED_PLAIN_BYTES, before);
    counter_add(COUNTER_DEFLATED_BYTES, after);
}

/* NULL: that is of no use, or there is no memory. */
static struct frame *deflate_text(struct notify_str text)
{
    struct frame *frame = frame_alloc(WS_FRAME_HEADER_MAX + text.len), *cut;
    uint8_t header[WS_FRAME_HEADER_MAX];
    size_t len, header_len;

    if (frame == NULL)
        return NULL;
    len = deflate_message(text, frame->data + WS_FRAME_HEADER_MAX, text.len);
    if (len == 0)
        return frame_unref(frame);
    header_len = ws_frame_header(header, len);
    header[0] |= COMPRESSED;
    memmove(frame->data + header_len, frame->data + WS_FRAME_HEADER_MAX, len);
    memcpy(frame->data, header, header_len);
    frame->len = header_len + len;
    count(text.len, len);
    cut = realloc(frame, sizeof(*frame) + frame->len);
    if (cut != NULL)
        frame = cut;
    return frame;
}

static struct frame *make_deflated(const struct frame *frame)
{
    struct notify_str rest = notify_str_of(frame->data, frame->len), text;

    if (!frame->is_text || !ws_frame_take(&rest, &text) || text.len < deflate_from ||
        text.len > DEFLATE_MOST_BYTES)
        return NULL;
    return deflate_text(text);
}

void frame_set_deflated(struct frame *frame, struct frame *deflated)
{
    frame->deflated = deflated;
    frame->deflate_tried = true;
}

struct frame *frame_deflated(struct frame *frame)
{
    if (!frame->deflate_tried)
        frame_set_deflated(frame, make_deflated(frame));
    return frame->deflated == NULL ? frame : frame->deflated;
}
