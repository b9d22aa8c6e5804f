/* box_small -- the small form of a box: everything in one allocation of up to BOX_SMALL_MAX bytes.
 * Internal to box_store. */
#ifndef BOX_SMALL_H
#define BOX_SMALL_H

#include "box/box_layout.h"

enum { SMALL_TOO_BIG = 1 }; /* beside 0 and -ENOMEM: it has to become large */

/* Bytes before the entries: all but these and the room behind them. */
size_t small_header_size(const struct box *box);
struct span small_span(const struct box *box);

/* As the functions of box_store.h, for a small box; SMALL_TOO_BIG: nothing has changed. */
int small_append(struct box **box, const struct entry *e, bool marked);
void small_remove(struct box *box, struct place place, uint32_t size);
void small_shrink(struct box **box);

/* Makes marks for the first count entries; there are fewer. */
int small_add_marks(struct box **box, uint32_t count);

/* Puts delta zero bytes at offset where, before the marks. */
int small_insert(struct box **box, size_t where, size_t delta);

#endif
