/* extra -- see extra.h. */
#include "box/extra.h"

#include <string.h>

#include "base/mem.h"
#include "box/cursors.h"

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
    id_table_release(&extra->collapse);
    tokens_release(&extra->tokens);
    mem_free(extra);
}

struct box_extra *box_extra_copy(const struct box_extra *extra)
{
    struct box_extra *copy = box_extra_new();

    if (copy == NULL)
        return NULL;
    copy->cursors = cursors_copy(extra->cursors);
    if ((copy->cursors == NULL && extra->cursors != NULL) ||
        id_table_copy(&copy->collapse, &extra->collapse) != 0 ||
        tokens_copy(&copy->tokens, &extra->tokens) != 0) {
        box_extra_free(copy);
        return NULL;
    }
    return copy;
}

static void visit_table(const struct id_table *table, box_extra_visit_fn visit, void *ctx)
{
    if (table->slots != NULL)
        visit(ctx, table->slots, id_table_bytes(table));
}

void box_extra_visit(const struct box_extra *extra, box_extra_visit_fn visit, void *ctx)
{
    visit(ctx, (void *)extra, sizeof(*extra));
    cursors_visit(extra->cursors, visit, ctx);
    visit_table(&extra->collapse, visit, ctx);
    visit_table(&extra->tokens.table, visit, ctx);
    if (extra->tokens.bytes != NULL)
        visit(ctx, extra->tokens.bytes, extra->tokens.cap);
}

void box_extra_move(struct box_extra *extra, const struct mover *mover)
{
    cursors_move(&extra->cursors, mover);
    extra->collapse.slots = mover_moved_if(mover, extra->collapse.slots);
    extra->tokens.table.slots = mover_moved_if(mover, extra->tokens.table.slots);
    extra->tokens.bytes = mover_moved_if(mover, extra->tokens.bytes);
}
