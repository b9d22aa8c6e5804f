#include "channels/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/frame.h"

static void forget_joined(struct batch *batch)
{
    for (size_t i = 0; i < DIALECT_COUNT; i++)
        batch->joined[i] = frame_unref(batch->joined[i]);
}

int batch_push(struct batch *batch, struct event *event)
{
    if (batch->len == batch->cap) {
        size_t cap = batch->cap == 0 ? 8 : batch->cap * 2;
        struct event **events = realloc(batch->events, cap * sizeof(struct event *));
        if (events == NULL)
            return -ENOMEM;
        batch->events = events;
        batch->cap = cap;
    }
    forget_joined(batch);
    batch->events[batch->len++] = event_ref(event);
    batch->bytes += event->len;
    return 0;
}

int batch_append(struct batch **batch, struct event *event)
{
    if (*batch == NULL)
        *batch = calloc(1, sizeof(**batch));
    return *batch == NULL ? -ENOMEM : batch_push(*batch, event);
}

void batch_drop_first(struct batch *batch, size_t n)
{
    forget_joined(batch);
    for (size_t i = 0; i < n; i++) {
        batch->bytes -= batch->events[i]->len;
        event_unref(batch->events[i]);
    }
    batch->len -= n;
    if (batch->len > 0)
        memmove(batch->events, batch->events + n, batch->len * sizeof(struct event *));
}

void batch_clear(struct batch *batch)
{
    batch_drop_first(batch, batch->len);
}

void batch_release(struct batch *batch)
{
    batch_clear(batch);
    free(batch->events);
    *batch = (struct batch){0};
}

struct batch *batch_free(struct batch *batch)
{
    if (batch != NULL)
        batch_release(batch);
    free(batch);
    return NULL;
}

/* A batch of one needs no joining: the event's own frame serves. */
struct frame *batch_frame(struct batch *batch, enum dialect dialect)
{
    struct frame **frames;

    if (batch->joined[dialect] != NULL)
        return batch->joined[dialect];
    if (batch->len == 1)
        return event_frame(batch->events[0], dialect);
    frames = malloc((batch->len + 1) * sizeof(struct frame *));
    if (frames == NULL)
        return NULL;
    for (size_t i = 0; i < batch->len; i++) {
        frames[i] = event_frame(batch->events[i], dialect);
        if (frames[i] == NULL)
            goto out;
    }
    batch->joined[dialect] = frame_join(batch->len, frames);
out:
    free(frames);
    return batch->joined[dialect];
}

struct notify_id batch_last_id(const struct batch *batch)
{
    for (size_t i = batch->len; i-- > 0;)
        if (batch->events[i]->kind == EVENT_ENTRY)
            return batch->events[i]->id;
    return (struct notify_id){0, 0};
}

size_t batch_after(const struct batch *batch, struct notify_id pos)
{
    for (size_t i = batch->len; i-- > 0;)
        if (batch->events[i]->kind == EVENT_ENTRY && notify_id_cmp(batch->events[i]->id, pos) <= 0)
            return i + 1;
    return 0;
}
