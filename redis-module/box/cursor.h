/* cursor -- where one inbox stands in one log: what of it the inbox has read, seen and archived.
 * Plain C; the log is a box that is only looked at.
 *
 *     0-0 ...... start ............ read_mark ............ seen_mark ............ last id
 *         not its own   read, but for         unread, but for        unread and unseen,
 *                       marks that differ     marks that differ      but for marks
 *
 * Two watermarks say the usual: everything up to read_mark has been read, everything up to
 * seen_mark has been seen (read_mark may lie on either side of it). A mark is an exception: it
 * stands for one entry whose state is another than the watermarks say, or which the inbox has
 * archived. A mark that says nothing does not exist, so equal states have equal marks. Nothing
 * before start is the inbox's: it cannot be marked and is never counted.
 *
 * Marks whose entries have gone from the log are kept until a change finds out: those before the
 * log's first entry at any change, all others when there are more than CURSOR_MARKS_TIDY. Counting
 * looks every mark's entry up and so is exact meanwhile.
 *
 * Everything here depends on the cursor and on what the log stores, never on a clock, but for what
 * takes now_ms: BOX_NEVER_EXPIRE there gives the same result on every server. */
#ifndef CURSOR_H
#define CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "box/box.h"
#include "box/box_tally.h"
#include "base/text_buf.h"

/* When a cursor is tidied up. No limits, but a part of what a change means: whoever replays it does
 * the same, so these stay what they are. Limits for clients are LIMIT_EXCEPTIONS and
 * LIMIT_LOG_NAME.
 */
#define CURSOR_MARKS_TIDY 1024 /* more exceptions: those whose entries have gone are dropped */
#define CURSOR_EDIT_TIDY 65536 /* while a change is made: the watermark is moved over them */

struct cursor_mark;

struct cursor {
    struct notify_id start;     /* entries after it count */
    struct notify_id read_mark; /* >= start */
    struct notify_id seen_mark; /* >= start */
    struct cursor_mark *marks;  /* owned; ids rise and are greater than start; NULL: none */
    uint32_t mark_count;
    uint32_t name_len;
    char name[]; /* of the log */
};

/* start.ms at most NOTIFY_ID_MAX_MS. NULL: no memory. */
struct cursor *cursor_new(struct notify_str name, struct notify_id start);
void cursor_free(struct cursor *cursor);                    /* accepts NULL */
struct cursor *cursor_copy(const struct cursor *cursor);    /* deep; NULL: no memory */
struct notify_str cursor_name(const struct cursor *cursor); /* borrowed */

/* ---- state and counts ---- */

struct cursor_state {
    bool is_read;
    bool is_seen; /* always true when is_read */
    bool archived;
};

/* Of an entry after start, whether it exists or not. O(log marks). */
struct cursor_state cursor_state_of(const struct cursor *cursor, struct notify_id id);

struct cursor_counts {
    uint64_t unread; /* notifications that the inbox has neither read nor archived */
    uint64_t unseen; /* neither seen nor archived */
};

/* What box_tally counts after start, by the inbox's state. log NULL: there is none. O(box_tally)
 * plus a search in the log for each mark. */
struct cursor_counts cursor_count(const struct cursor *cursor, const struct box *log,
                                  const struct category_choice *choice, uint64_t now_ms);

/* The kinds of exceptions, for whoever combines them with counts of his own. */
enum cursor_mark_kind {
    CURSOR_READ,     /* read, after read_mark */
    CURSOR_UNREAD,   /* not read, at or before read_mark */
    CURSOR_SEEN,     /* seen though not read, after seen_mark */
    CURSOR_ARCHIVED, /* archived by the inbox */
};

/* The next exception of this kind, from index *pos on, which moves behind it. False: no more. */
bool cursor_next_mark(const struct cursor *cursor, enum cursor_mark_kind kind, uint32_t *pos,
                      struct notify_id *ret_id);

/* Whether it is as described above; what cursor_load accepts is. */
bool cursor_is_sound(const struct cursor *cursor);

/* ---- changing: begin, any number of steps, then commit or abort ---- */

struct cursor_edit {
    struct cursor *cursor; /* unchanged until commit */
    const struct box *log; /* may be NULL: then nothing can be marked */
    uint64_t now_ms;
    struct notify_id read_mark; /* as they will be */
    struct notify_id seen_mark;
    struct cursor_mark *marks; /* owned */
    uint32_t mark_count;
    uint32_t mark_cap;
    int error; /* the first step that failed: -ENOMEM, -ENOSPC */
};

/* 0 or -ENOMEM, and then there is nothing to end. */
int cursor_edit_begin(struct cursor_edit *edit, struct cursor *cursor, const struct box *log,
                      uint64_t now_ms);

/* Whether the state of the entry changed: false for ids that are unknown, expired, or not after
 * start, and for read and seen marks on an event. */
bool cursor_edit_mark(struct cursor_edit *edit, struct notify_id id, enum box_mark mark);

/* BOX_MARK_READ or BOX_MARK_SEEN for everything up to upto, or the log's last id if that is
 * smaller; *ret_upto tells which. Returns how many notifications changed (those that box_tally
 * counts; archived by the inbox or not). If none did, nothing moves. */
uint64_t cursor_edit_upto(struct cursor_edit *edit, struct notify_id upto, enum box_mark mark,
                          struct notify_id *ret_upto);

/* Condenses the exceptions and takes the changes over. 0; -ENOMEM, or -ENOSPC when there would be
 * more than LIMIT_EXCEPTIONS: then nothing has changed. Ends the edit in any case. */
int cursor_edit_commit(struct cursor_edit *edit);
void cursor_edit_abort(struct cursor_edit *edit);

/* ---- payload ---- */

/* Appends the saved form: varints, the name, marks with their distance from the one before. */
void cursor_save(const struct cursor *cursor, struct text_buf *out);

/* Every byte is taken for hostile. NULL: not a sound form (bytes left over included), or no memory;
 * *ret_why says so, static. */
struct cursor *cursor_load(struct notify_str bytes, const char **ret_why);

/* ---- memory ---- */

/* Every allocation with the bytes that are known to belong to it; as box_extra_visit. */
void cursor_visit(const struct cursor *cursor, void (*visit)(void *ctx, void *ptr, size_t bytes),
                  void *ctx);
/* Hands every allocation to move (see struct box_mover). */
void cursor_move(struct cursor **cursor, box_move_fn move, void *ctx);

#endif
