#include "clients/outbox.h"

#include <errno.h>
#include <stdlib.h>

#include "wire/frame.h"

#define FIRST_ITEMS 8

bool outbox_is_empty(const struct outbox *outbox)
{
    return outbox->len == 0;
}

static size_t cost(const struct frame *frame)
{
    return frame->len + OUTBOX_ITEM_BYTES;
}

bool outbox_fits(const struct outbox *outbox, size_t len, size_t other, size_t max_bytes)
{
    return outbox->len == 0 || (size_t)outbox->bytes + len + OUTBOX_ITEM_BYTES + other <= max_bytes;
}

static struct outbox_item *at(const struct outbox *outbox, uint32_t i)
{
    return &outbox->items[(outbox->head + i) & (outbox->cap - 1)];
}

static int grow(struct outbox *outbox)
{
    uint32_t cap = outbox->cap == 0 ? FIRST_ITEMS : outbox->cap * 2;
    struct outbox_item *items = malloc(cap * sizeof(*items));

    if (items == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < outbox->len; i++)
        items[i] = *at(outbox, i);
    free(outbox->items);
    outbox->items = items;
    outbox->cap = cap;
    outbox->head = 0;
    return 0;
}

static int make_room(struct outbox *outbox, const struct frame *frame)
{
    if (cost(frame) > UINT32_MAX - outbox->bytes)
        return -ENOMEM;
    return outbox->len < outbox->cap ? 0 : grow(outbox);
}

int outbox_push_item(struct outbox *outbox, const struct outbox_item *item)
{
    if (make_room(outbox, item->frame) != 0)
        return -ENOMEM;
    (void)frame_ref(item->frame);
    *at(outbox, outbox->len) = *item;
    outbox->len++;
    outbox->bytes += (uint32_t)cost(item->frame);
    return 0;
}

int outbox_push_first(struct outbox *outbox, struct frame *frame)
{
    if (make_room(outbox, frame) != 0)
        return -ENOMEM;
    outbox->head = (outbox->head + outbox->cap - 1) & (outbox->cap - 1);
    outbox->len++;
    *at(outbox, 0) = (struct outbox_item){.frame = frame_ref(frame)};
    outbox->bytes += (uint32_t)cost(frame);
    return 0;
}

size_t outbox_first_bytes(const struct outbox *outbox)
{
    return at(outbox, 0)->frame->len;
}

static void give_back_memory(struct outbox *outbox)
{
    free(outbox->items);
    *outbox = (struct outbox){0};
}

bool outbox_pop_item(struct outbox *outbox, struct outbox_item *ret)
{
    if (outbox->len == 0)
        return false;
    *ret = *at(outbox, 0);
    outbox->head = (outbox->head + 1) & (outbox->cap - 1);
    outbox->len--;
    outbox->bytes -= (uint32_t)cost(ret->frame);
    if (outbox->len == 0)
        give_back_memory(outbox);
    return true;
}

struct frame *outbox_pop(struct outbox *outbox)
{
    struct outbox_item item;

    return outbox_pop_item(outbox, &item) ? item.frame : NULL;
}

void outbox_each(const struct outbox *outbox,
                 void (*look)(void *ctx, const struct outbox_item *item), void *ctx)
{
    for (uint32_t i = 0; i < outbox->len; i++)
        look(ctx, at(outbox, i));
}

void outbox_drop(struct outbox *outbox, bool (*match)(void *ctx, const struct outbox_item *item),
                 void *ctx)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < outbox->len; i++) {
        struct outbox_item *item = at(outbox, i);
        if (item->source != NULL && match(ctx, item)) {
            outbox->bytes -= (uint32_t)cost(item->frame);
            frame_unref(item->frame);
        } else {
            *at(outbox, kept++) = *item;
        }
    }
    outbox->len = kept;
    if (kept == 0)
        give_back_memory(outbox);
}

void outbox_release(struct outbox *outbox)
{
    struct frame *frame;

    while ((frame = outbox_pop(outbox)) != NULL)
        frame_unref(frame);
}
