/* extra -- what only some boxes have: an index of collapse tokens, the tokens of idempotent
 * sends, cursors into other boxes. It is one allocation behind the box's header, so that a plain
 * box pays nothing for it.
 *
 * Each part has a file of its own; this one makes, copies, measures and frees them together. What
 * they are to the box is box_extra.h's. */
#ifndef EXTRA_H
#define EXTRA_H

#include <stddef.h>

#include "base/id_table.h"
#include "base/mover.h"
#include "box/tokens.h"

struct box;
struct cursors; /* cursors.h */

struct box_extra {
    struct cursors *cursors;  /* owned; NULL: follows nothing */
    struct id_table collapse; /* see collapse.h */
    struct tokens tokens;     /* of idempotent sends */
};

/* NULL: the box has none (yet). Borrowed; what moves the box does not move it. (box_layout.c) */
struct box_extra *box_extra(const struct box *box);

struct box_extra *box_extra_new(void);
void box_extra_free(struct box_extra *extra); /* accepts NULL */
struct box_extra *box_extra_copy(const struct box_extra *extra);

typedef void (*box_extra_visit_fn)(void *ctx, void *ptr, size_t bytes);
/* Every allocation with the bytes that are known to belong to it. */
void box_extra_visit(const struct box_extra *extra, box_extra_visit_fn visit, void *ctx);

/* Hands every allocation but extra itself to the mover. */
void box_extra_move(struct box_extra *extra, const struct mover *mover);

#endif
