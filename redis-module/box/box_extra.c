/* box_extra -- see box_extra.h. */
#include "box/box_extra.h"

#include <errno.h>

#include "box/box_store.h"
#include "box/cursors.h"

struct box_extra *box_need_extra(struct box **box_ptr)
{
    struct box_extra *extra = box_extra(*box_ptr);

    if (extra != NULL)
        return extra;
    extra = box_extra_new();
    if (extra != NULL && store_set_extra(box_ptr, extra) != 0) {
        box_extra_free(extra);
        return NULL;
    }
    return extra;
}

/* ---- idempotency tokens ---- */

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

/* ---- cursors ---- */

struct cursors *box_cursors(const struct box *box)
{
    struct box_extra *extra = box == NULL ? NULL : box_extra(box);

    return extra == NULL ? NULL : extra->cursors;
}

int box_put_cursor(struct box **box, struct cursor *cursor)
{
    struct box_extra *extra = box_need_extra(box);

    return extra == NULL ? -ENOMEM : cursors_put(&extra->cursors, cursor);
}
