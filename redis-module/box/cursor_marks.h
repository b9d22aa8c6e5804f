/* cursor_marks -- the exceptions of a cursor, as they are stored; internal to the cursor*.c files.
 *
 * A mark's flags say how its entry differs from what watermarks and covers tell. In them the state
 * of reading is absolute as long as read_mark stays where it is: an entry up to it is read unless
 * MARK_DIFFERS; one after it is read if MARK_DIFFERS, is not if MARK_KEPT, and else as its category
 * is covered. So whoever cannot see the log, and does not know the category, can write it too. */
#ifndef CURSOR_MARKS_H
#define CURSOR_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "box/cursor_state.h"
#include "notify_id.h"

#define MARK_DIFFERS 0x01u /* read after read_mark, or unread up to it */
#define MARK_SEEN 0x02u    /* seen, after seen_mark, and not read as far as flags and marks tell */
#define MARK_ARCHIVED 0x04u
#define MARK_KEPT 0x08u /* after read_mark: not read, whatever is covered */
#define MARK_FLAGS 0x0fu

struct cursor_mark {
    uint64_t ms : 48;
    uint64_t flags : 16;
    uint64_t seq;
};

_Static_assert(sizeof(struct cursor_mark) == 16, "an exception takes 16 bytes");
_Static_assert(NOTIFY_ID_MAX_MS < UINT64_C(1) << 48, "times are stored in 48 bits");

/* Beside what flags are read. */
struct watermarks {
    struct notify_id read;
    struct notify_id seen;
};

static inline struct notify_id mark_id(const struct cursor_mark *mark)
{
    return (struct notify_id){mark->ms, mark->seq};
}

/* The first mark whose id is not smaller than id. */
uint32_t marks_seek(const struct cursor_mark *marks, uint32_t count, struct notify_id id);
/* 0: there is no mark for the entry. */
unsigned marks_flags_at(const struct cursor_mark *marks, uint32_t count, struct notify_id id);

/* Whether flags and read_mark say that the entry has been read; a cover may say so, too. */
bool marks_say_read(unsigned flags, struct notify_id id, const struct watermarks *w);
/* covered: the entry's category is, up to it. */
struct cursor_state marks_decode(unsigned flags, struct notify_id id, const struct watermarks *w,
                                 bool covered);
unsigned marks_encode(struct cursor_state state, struct notify_id id, const struct watermarks *w,
                      bool covered);

static inline size_t marks_size(uint32_t count)
{
    return count * sizeof(struct cursor_mark);
}

#endif
