/* cursor_marks -- see cursor_marks.h. */
#include "box/cursor_marks.h"

uint32_t marks_seek(const struct cursor_mark *marks, uint32_t count, struct notify_id id)
{
    uint32_t low = 0;
    uint32_t high = count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (notify_id_cmp(mark_id(&marks[middle]), id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

unsigned marks_flags_at(const struct cursor_mark *marks, uint32_t count, struct notify_id id)
{
    uint32_t i = marks_seek(marks, count, id);

    return i < count && notify_id_cmp(mark_id(&marks[i]), id) == 0 ? marks[i].flags : 0;
}

bool marks_say_read(unsigned flags, struct notify_id id, const struct watermarks *w)
{
    return (notify_id_cmp(id, w->read) <= 0) != ((flags & MARK_DIFFERS) != 0);
}

struct cursor_state marks_decode(unsigned flags, struct notify_id id, const struct watermarks *w,
                                 bool covered)
{
    struct cursor_state state;
    /* Up to read_mark all covers agree with it. */
    bool by_cover = covered && notify_id_cmp(id, w->read) > 0 && (flags & MARK_KEPT) == 0;

    state.is_read = by_cover || marks_say_read(flags, id, w);
    state.is_seen = state.is_read || (flags & MARK_SEEN) != 0 || notify_id_cmp(id, w->seen) <= 0;
    state.archived = (flags & MARK_ARCHIVED) != 0;
    return state;
}

unsigned marks_encode(struct cursor_state state, struct notify_id id, const struct watermarks *w,
                      bool covered)
{
    bool is_after = notify_id_cmp(id, w->read) > 0;
    unsigned flags = 0;

    if (is_after && covered)
        flags |= state.is_read ? 0 : MARK_KEPT;
    else if (state.is_read == is_after)
        flags |= MARK_DIFFERS;
    if (state.is_seen && !state.is_read && notify_id_cmp(id, w->seen) > 0)
        flags |= MARK_SEEN;
    if (state.archived)
        flags |= MARK_ARCHIVED;
    return flags;
}
