/* cursor -- where one inbox stands in one log: what of it the inbox has read, seen and archived.
 * Plain data; what it means for a log is cursor_count.h's, changing it cursor_edit.h's.
 *
 *     0-0 ...... start ............ read_mark ............ seen_mark ............ last id
 *         not its own   read, but for         unread, but for        unread and unseen,
 *                       marks that differ     marks that differ      but for marks
 *
 * Two watermarks say the usual: everything up to read_mark has been read, everything up to
 * seen_mark has been seen (read_mark may lie on either side of it). A cover is a watermark of one
 * category: its entries up to there have been read, too. A mark is an exception: it stands for one
 * entry whose state is another than these say, or which the inbox has archived. A mark that says
 * nothing does not exist. Nothing before start is the inbox's: it cannot be marked and is never
 * counted.
 *
 * Marks whose entries have gone from the log are kept until a change finds out: those before the
 * log's first entry at any change, all others when there are more than CURSOR_MARKS_TIDY. Counting
 * looks every mark's entry up and so is exact meanwhile. */
#ifndef CURSOR_H
#define CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mover.h"
#include "base/text_buf.h"
#include "box/box_types.h"

struct cursor_mark;   /* cursor_marks.h */
struct cursor_covers; /* cursor_covers.h */
struct watermarks;

struct cursor {
    struct notify_id start;       /* entries after it count */
    struct notify_id read_mark;   /* >= start */
    struct notify_id seen_mark;   /* >= start */
    struct cursor_mark *marks;    /* owned; ids rise and are greater than start; NULL: none */
    struct cursor_covers *covers; /* owned; NULL: none */
    uint32_t mark_count;
    uint32_t name_len;
    char name[]; /* of the log */
};

/* start.ms at most NOTIFY_ID_MAX_MS. NULL: no memory. */
struct cursor *cursor_new(struct notify_str name, struct notify_id start);
void cursor_free(struct cursor *cursor);                    /* accepts NULL */
struct cursor *cursor_copy(const struct cursor *cursor);    /* deep; NULL: no memory */
struct notify_str cursor_name(const struct cursor *cursor); /* borrowed */

/* What marks are read beside (cursor_marks.h). */
struct watermarks cursor_watermarks(const struct cursor *cursor);

/* The kinds of exceptions. */
enum cursor_mark_kind {
    CURSOR_READ,     /* read, after read_mark */
    CURSOR_UNREAD,   /* not read, at or before read_mark or a cover of its category */
    CURSOR_SEEN,     /* seen though not read, after seen_mark */
    CURSOR_ARCHIVED, /* archived by the inbox */
};

/* The next exception of this kind, from index *pos on, which moves behind it. False: no more. */
bool cursor_next_mark(const struct cursor *cursor, enum cursor_mark_kind kind, uint32_t *pos,
                      struct notify_id *ret_id);

/* Whether it is as described above; what cursor_load accepts is, once its covers are there. */
bool cursor_is_sound(const struct cursor *cursor);

/* ---- payload ---- */

/* Appends the saved form: varints, the name, marks with their distance from the one before. Covers
 * are saved by themselves; with_covers: whether they will be. */
void cursor_save(const struct cursor *cursor, bool with_covers, struct text_buf *out);

/* Every byte is taken for hostile. NULL: not a sound form (bytes left over included), or no memory;
 * *ret_why says so, static. */
struct cursor *cursor_load(struct notify_str bytes, const char **ret_why);

/* ---- memory ---- */

/* Every allocation with the bytes that are known to belong to it; as box_extra_visit. */
void cursor_visit(const struct cursor *cursor, void (*visit)(void *ctx, void *ptr, size_t bytes),
                  void *ctx);
/* Hands every allocation to the mover. */
void cursor_move(struct cursor **cursor, const struct mover *mover);

#endif
