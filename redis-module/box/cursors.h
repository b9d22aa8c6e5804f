/* cursors -- the logs that one inbox follows: one cursor each, found by the log's name. A part of
 * the box's extra (extra.h); made with the first log, gone with the last.
 *
 * One array of pointers in the order of the names' bytes, so that equal sets are written alike.
 * NULL is the empty set. Functions that may move it take `struct cursors **`. */
#ifndef CURSORS_H
#define CURSORS_H

#include <stddef.h>
#include <stdint.h>

#include "box/cursor.h"

struct cursors;

void cursors_free(struct cursors *cursors);                  /* accepts NULL */
struct cursors *cursors_copy(const struct cursors *cursors); /* deep; NULL: no memory, or none */

uint32_t cursors_count(const struct cursors *cursors);
struct cursor *cursors_at(const struct cursors *cursors, uint32_t index); /* in order of names */
struct cursor *cursors_find(const struct cursors *cursors, struct notify_str name); /* or NULL */

/* 1: a new cursor with that start; 0: there was one already, unchanged. -EINVAL: the name is too
 * long; -ENOSPC: LIMIT_LOGS; -ENOMEM. */
int cursors_add(struct cursors **cursors, struct notify_str name, struct notify_id start);
/* Takes cursor over, in place of the one with its name if there is one. 0; -ENOSPC or -ENOMEM, and
 * cursor still belongs to the caller. */
int cursors_put(struct cursors **cursors, struct cursor *cursor);
/* Whether there was one. */
bool cursors_remove(struct cursors **cursors, struct notify_str name);

/* Whether every cursor is sound and names rise. */
bool cursors_are_sound(const struct cursors *cursors);

/* ---- memory ---- */

/* As cursor_visit and cursor_move, of everything. */
void cursors_visit(const struct cursors *cursors, void (*visit)(void *ctx, void *ptr, size_t bytes),
                   void *ctx);
void cursors_move(struct cursors **cursors, const struct mover *mover);

#endif
