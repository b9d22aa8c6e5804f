/* box_extra -- see box_extra.h. */
#include "box/box_extra.h"

#include <errno.h>
#include <string.h>

#include "box/cursors.h"
#include "base/mem.h"

const struct tokens *box_tokens(const struct box *box)
{
    const struct box_extra *extra = box_extra(box);

    return extra != NULL && tokens_count(&extra->tokens) > 0 ? &extra->tokens : NULL;
}

bool box_find_token(const struct box *box, struct notify_str text, uint64_t after_ms,
                    struct notify_id *ret_id)
{
    const struct tokens *tokens = box_tokens(box);

    return tokens != NULL && tokens_find(tokens, text, after_ms, ret_id);
}

int box_reserve_token(struct box **box, size_t text_len)
{
    struct box_extra *extra = box_need_extra(box);

    return extra == NULL ? -ENOMEM : tokens_reserve(&extra->tokens, text_len);
}

void box_add_token(struct box *box, const struct token *token, uint64_t until_ms)
{
    tokens_add(&box_extra(box)->tokens, token, until_ms);
}

int box_remember(struct box **box, const struct token *token, uint64_t until_ms)
{
    if (box_reserve_token(box, token->text.len) != 0)
        return -ENOMEM;
    if (tokens_has(&box_extra(*box)->tokens, token->text))
        return -EEXIST;
    box_add_token(*box, token, until_ms);
    return 0;
}

void box_forget_tokens(struct box *box, uint64_t upto_ms, size_t keep)
{
    if (box_tokens(box) != NULL)
        tokens_forget(&box_extra(box)->tokens, upto_ms, keep);
}

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

static void *moved(void *ptr, void *(*move)(void *ctx, void *ptr), void *ctx)
{
    void *new_ptr = ptr == NULL ? NULL : move(ctx, ptr);

    return new_ptr != NULL ? new_ptr : ptr;
}

void box_extra_move(struct box_extra *extra, void *(*move)(void *ctx, void *ptr), void *ctx)
{
    cursors_move(&extra->cursors, move, ctx);
    extra->collapse.slots = moved(extra->collapse.slots, move, ctx);
    extra->tokens.table.slots = moved(extra->tokens.table.slots, move, ctx);
    extra->tokens.bytes = moved(extra->tokens.bytes, move, ctx);
}
