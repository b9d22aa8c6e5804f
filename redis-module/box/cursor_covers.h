/* cursor_covers -- the watermarks that a cursor has for single categories: READALL CATEGORY of a
 * log reads them up to an id, however many entries there are of others between. A part of the
 * cursor, made with the first, gone with the last; one allocation, in the order of the names'
 * bytes. NULL is none.
 *
 * Plain C. The log knows its categories by slots: what covers mean to it is cover_map.h's. */
#ifndef CURSOR_COVERS_H
#define CURSOR_COVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text_buf.h"
#include "notify_id.h"
#include "notify_str.h"

#define CURSOR_COVERS_BOUND 1024 /* LIMIT_COVERS is for clients */

struct cursor_covers;

struct cursor_cover {
    struct notify_str category; /* borrowed */
    struct notify_id upto;
};

uint32_t cursor_covers_count(const struct cursor_covers *covers);
struct cursor_cover cursor_covers_at(const struct cursor_covers *covers, uint32_t index);
/* The greatest id that one of them reaches to; 0-0: none. */
struct notify_id cursor_covers_max(const struct cursor_covers *covers);

/* A new set: these, those up to read_mark left out, and with the category, unless .ptr is NULL,
 * covered up to that id at least. *ret_covers may become NULL, for none. 0; -ENOMEM; -ENOSPC: more
 * than LIMIT_COVERS. The old one stays the caller's. */
int cursor_covers_make(const struct cursor_covers *covers, struct notify_id read_mark,
                       const struct cursor_cover *added, struct cursor_covers **ret_covers);
int cursor_covers_copy(const struct cursor_covers *covers, struct cursor_covers **ret_copy);
void cursor_covers_free(struct cursor_covers *covers); /* accepts NULL */
size_t cursor_covers_bytes(const struct cursor_covers *covers);

/* Whether names are sound and rise, and none of the ids says nothing (read_mark, or more). */
bool cursor_covers_are_sound(const struct cursor_covers *covers, struct notify_id read_mark);

/* The saved form: number, and for each length, name, ms, seq. */
void cursor_covers_save(const struct cursor_covers *covers, struct text_buf *out);
/* Takes one off the front of *bytes, which may be hostile. False: *ret_why says why, static. */
bool cursor_covers_load(struct notify_str *bytes, struct cursor_covers **ret_covers,
                        const char **ret_why);

#endif
