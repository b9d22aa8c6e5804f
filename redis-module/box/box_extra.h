/* box_extra -- the parts of a box's extra (extra.h), as the box's: made when the first of them is
 * needed. */
#ifndef BOX_EXTRA_H
#define BOX_EXTRA_H

#include <stddef.h>

#include "box/extra.h"
#include "box/tokens.h"

struct cursor;

/* Makes it if there is none. NULL: no memory, and nothing has changed. May move the box. */
struct box_extra *box_need_extra(struct box **box);

/* ---- idempotency tokens ---- */

/* NULL: none remembered. */
const struct tokens *box_tokens(const struct box *box);
/* See tokens_find. */
bool box_find_token(const struct box *box, struct notify_str text, uint64_t after_ms,
                    struct notify_id *ret_id);
/* Makes room for one more: 0, -ENOMEM. May move the box. */
int box_reserve_token(struct box **box, size_t text_len);
/* After box_reserve_token: see tokens_add. */
void box_add_token(struct box *box, const struct token *token, uint64_t until_ms);
/* Remembers one more: 0; -EEXIST: there is one with this text; -ENOMEM. until_ms: see tokens.h. */
int box_remember(struct box **box, const struct token *token, uint64_t until_ms);
/* See tokens_forget. */
void box_forget_tokens(struct box *box, uint64_t upto_ms, size_t keep);

/* ---- cursors ---- */

struct cursors *box_cursors(const struct box *box); /* NULL: none, or no box. Borrowed */
/* Takes cursor over, in place of the one with its name if there is one; may move the box. 0;
 * -ENOSPC or -ENOMEM, and cursor still belongs to the caller. */
int box_put_cursor(struct box **box, struct cursor *cursor);

#endif
