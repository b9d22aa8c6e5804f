/* cursor_edit -- changing a cursor: begin, any number of steps, then commit or abort. Until commit
 * the cursor is what it was.
 *
 * Mostly the log lies beside it and says what there is to mark. A blind edit does without: ids are
 * taken at their word, and only watermarks and exceptions themselves are looked at. */
#ifndef CURSOR_EDIT_H
#define CURSOR_EDIT_H

#include "box/cursor.h"

/* When a cursor is tidied up. No limits, but a part of what a change means: whoever replays it does
 * the same, so these stay what they are. */
#define CURSOR_MARKS_TIDY 1024 /* more exceptions: those whose entries have gone are dropped */
#define CURSOR_EDIT_TIDY 65536 /* while a change is made: the watermark is moved over them */

struct cover_map;

struct cursor_edit {
    struct cursor *cursor;
    const struct box *log; /* NULL: this edit is blind */
    uint64_t now_ms;
    struct notify_id read_mark; /* as they will be */
    struct notify_id seen_mark;
    struct cursor_mark *marks; /* owned */
    uint32_t mark_count;
    uint32_t mark_cap;
    struct cursor_covers *covers; /* owned */
    struct cover_map *map;        /* owned: the covers in the log; NULL: nothing is covered there */
    int error;                    /* the first step that failed: -ENOMEM, -ENOSPC */
};

/* log NULL: blind. 0 or -ENOMEM, and then there is nothing to end. */
int cursor_edit_begin(struct cursor_edit *edit, struct cursor *cursor, const struct box *log,
                      uint64_t now_ms);

/* Whether the state of the entry changed: false for ids that are not after start, and for those
 * that are unknown to the log, expired there, or an event's, unless the mark is about archiving.
 * Blind, whether what is said of the id changed. */
bool cursor_edit_mark(struct cursor_edit *edit, struct notify_id id, enum box_mark mark);

/* BOX_MARK_READ or BOX_MARK_SEEN for everything up to upto, or the log's last id if that is
 * smaller; *ret_upto tells which. Returns how many notifications changed (those that box_tally
 * counts; archived by the inbox or not). If none did, nothing moves. Blind, up to upto itself, and
 * 1 or 0: whether anything moved. */
uint64_t cursor_edit_upto(struct cursor_edit *edit, struct notify_id upto, enum box_mark mark,
                          struct notify_id *ret_upto);

/* BOX_MARK_READ for those of one category; not in a blind edit. O(entries up to upto). */
uint64_t cursor_edit_category(struct cursor_edit *edit, struct notify_str category,
                              struct notify_id upto, struct notify_id *ret_upto);

/* Condenses the exceptions, as commit does. 0, or what commit would return; the edit goes on. */
int cursor_edit_condense(struct cursor_edit *edit);

/* Condenses the exceptions and takes the changes over. 0; -ENOMEM, or -ENOSPC when there would be
 * more than LIMIT_EXCEPTIONS or LIMIT_COVERS: then nothing has changed. Ends the edit in any case.
 */
int cursor_edit_commit(struct cursor_edit *edit);
void cursor_edit_abort(struct cursor_edit *edit);

#endif
