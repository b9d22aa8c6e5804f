/* box_extra -- see box_extra.h. */
#include "box_extra.h"

#include <string.h>

#include "mem.h"

struct box_extra *box_extra_new(void)
{
    struct box_extra *extra = mem_try_alloc(sizeof(*extra));

    if (extra != NULL)
        memset(extra, 0, sizeof(*extra));
    return extra;
}

void box_extra_free(struct box_extra *extra)
{
    if (extra == NULL)
        return;
    mem_free(extra);
}

struct box_extra *box_extra_copy(const struct box_extra *extra)
{
    (void)extra; /* its parts follow */
    return box_extra_new();
}

void box_extra_visit(const struct box_extra *extra, box_extra_visit_fn visit, void *ctx)
{
    visit(ctx, (void *)extra, sizeof(*extra));
}

void box_extra_move(struct box_extra *extra, void *(*move)(void *ctx, void *ptr), void *ctx)
{
    (void)extra, (void)move, (void)ctx; /* no allocations besides itself */
}
