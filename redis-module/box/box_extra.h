/* box_extra -- what only some boxes have: an index of collapse tokens, the tokens of idempotent
 * sends, cursors into other boxes. It is one allocation behind the box's header, made when the
 * first of them is needed, so that a plain box pays nothing for it.
 *
 * Plain C like the box. Each part has a file of its own; this one makes, copies, measures and frees
 * them together. */
#ifndef BOX_EXTRA_H
#define BOX_EXTRA_H

#include <stddef.h>

#include "base/id_table.h"
#include "box/tokens.h"

struct box;
struct cursors; /* cursors.h */

struct box_extra {
    struct cursors *cursors;  /* owned; NULL: follows nothing */
    struct id_table collapse; /* see collapse.h */
    struct tokens tokens;     /* of idempotent sends */
};

/* NULL: the box has none (yet). Borrowed; what moves the box does not move it. */
struct box_extra *box_extra(const struct box *box);

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

/* ---- for box_store.c ---- */

struct box_extra *box_extra_new(void);
void box_extra_free(struct box_extra *extra); /* accepts NULL */
struct box_extra *box_extra_copy(const struct box_extra *extra);

typedef void (*box_extra_visit_fn)(void *ctx, void *ptr, size_t bytes);
/* Every allocation with the bytes that are known to belong to it. */
void box_extra_visit(const struct box_extra *extra, box_extra_visit_fn visit, void *ctx);

/* Hands every allocation but extra itself to move (see struct box_mover). */
void box_extra_move(struct box_extra *extra, void *(*move)(void *ctx, void *ptr), void *ctx);

#endif
