/* box_extra -- see box_extra.h. */
#include "box_extra.h"

#include <string.h>

#include "cursors.h"
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
    cursors_free(extra->cursors);
    mem_free(extra);
}

struct box_extra *box_extra_copy(const struct box_extra *extra)
{
    struct box_extra *copy = box_extra_new();

    if (copy == NULL)
        return NULL;
    copy->cursors = cursors_copy(extra->cursors);
    if (copy->cursors == NULL && extra->cursors != NULL) {
        box_extra_free(copy);
        return NULL;
    }
    return copy;
}

void box_extra_visit(const struct box_extra *extra, box_extra_visit_fn visit, void *ctx)
{
    visit(ctx, (void *)extra, sizeof(*extra));
    cursors_visit(extra->cursors, visit, ctx);
}

void box_extra_move(struct box_extra *extra, void *(*move)(void *ctx, void *ptr), void *ctx)
{
    cursors_move(&extra->cursors, move, ctx);
}
