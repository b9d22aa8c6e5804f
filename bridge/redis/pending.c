#include "redis/pending.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "redis/resp.h"

#define FIRST_CAP 64
#define REFUSAL_MAX 256 /* bytes that are kept of an error's text */

struct pending_item {
    redis_reply_fn fn;
    void *ctx;
    char *refusal;  /* owned: the error that came ahead of the fence; or NULL */
    uint32_t fence; /* number of the fence that it waits for; 0: for a plain reply */
};

static int grow(struct pending *pending)
{
    size_t cap = pending->cap == 0 ? FIRST_CAP : pending->cap * 2;
    struct pending_item *items = malloc(cap * sizeof(*items));

    if (items == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < pending->len; i++)
        items[i] = pending->items[(pending->head + i) % pending->cap];
    free(pending->items);
    pending->items = items;
    pending->cap = cap;
    pending->head = 0;
    return 0;
}

static int push(struct pending *pending, struct pending_item item)
{
    if (pending->len >= PENDING_MAX)
        return -EBUSY;
    if (pending->len == pending->cap && grow(pending) != 0)
        return -ENOMEM;
    pending->items[(pending->head + pending->len++) % pending->cap] = item;
    return 0;
}

int pending_push(struct pending *pending, redis_reply_fn fn, void *ctx)
{
    return push(pending, (struct pending_item){.fn = fn, .ctx = ctx});
}

static void write_fence(char out[PENDING_FENCE_MAX], uint32_t number)
{
    (void)snprintf(out, PENDING_FENCE_MAX, "%u", (unsigned)number);
}

int pending_push_fenced(struct pending *pending, redis_reply_fn fn, void *ctx,
                        char out[PENDING_FENCE_MAX])
{
    if (++pending->fences == 0)
        pending->fences = 1;
    write_fence(out, pending->fences);
    return push(pending, (struct pending_item){.fn = fn, .ctx = ctx, .fence = pending->fences});
}

void pending_drop_last(struct pending *pending)
{
    pending->len--;
}

static struct pending_item pop(struct pending *pending)
{
    struct pending_item item = pending->items[pending->head];

    pending->head = (pending->head + 1) % pending->cap;
    pending->len--;
    return item;
}

static bool is_fence(const struct resp *reply, uint32_t number)
{
    char text[PENDING_FENCE_MAX];

    write_fence(text, number);
    return notify_str_eq(resp_str(reply), notify_str_z(text));
}

/* The reply that ends the waiting of the first one. */
static void finish(struct pending *pending, const struct resp *reply)
{
    struct pending_item item = pop(pending);
    struct resp refused = {.kind = RESP_ERROR, .str = notify_str_z(item.refusal)};

    item.fn(item.ctx, item.refusal == NULL ? reply : &refused);
    free(item.refusal);
}

/* An error ahead of the fence says that the command is refused. A second one stands for the fence
 * itself: while a long script runs, a server refuses both. */
static bool answer_fenced(struct pending *pending, struct pending_item *first,
                          const struct resp *reply)
{
    bool is_error = reply->kind == RESP_ERROR;

    if (is_fence(reply, first->fence) || (is_error && first->refusal != NULL)) {
        finish(pending, reply);
        return true;
    }
    if (!is_error)
        return false;
    first->refusal = strndup(reply->str.ptr, REFUSAL_MAX);
    return first->refusal != NULL;
}

bool pending_answer(struct pending *pending, const struct resp *reply)
{
    struct pending_item *first;

    if (pending->len == 0)
        return false;
    first = &pending->items[pending->head];
    if (first->fence != 0)
        return answer_fenced(pending, first, reply);
    finish(pending, reply);
    return true;
}

void pending_fail(struct pending *pending)
{
    for (size_t n = pending->len; n > 0; n--) {
        struct pending_item item = pop(pending);
        free(item.refusal);
        item.fn(item.ctx, NULL);
    }
}

void pending_release(struct pending *pending)
{
    free(pending->items);
    *pending = (struct pending){0};
}
