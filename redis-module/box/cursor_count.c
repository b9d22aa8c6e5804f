/* cursor_count -- see cursor_count.h. */
#include "box/cursor_count.h"

#include <errno.h>

#include "base/mem.h"
#include "box/cursor_marks.h"

int cursor_sight_init(struct cursor_sight *sight, const struct cursor *cursor,
                      const struct box *log)
{
    *sight = (struct cursor_sight){cursor, NULL};
    if (cursor->covers == NULL)
        return 0;
    sight->map = mem_try_alloc(sizeof(*sight->map));
    if (sight->map == NULL)
        return -ENOMEM;
    cover_map_init(sight->map, cursor->covers, log);
    return 0;
}

void cursor_sight_release(struct cursor_sight *sight)
{
    mem_free(sight->map);
    sight->map = NULL;
}

struct cursor_state cursor_state_of(const struct cursor_sight *sight, struct notify_id id,
                                    uint32_t category_slot)
{
    const struct cursor *cursor = sight->cursor;
    struct watermarks w = cursor_watermarks(cursor);
    bool covered = sight->map != NULL && cover_map_has(sight->map, category_slot, id);

    return marks_decode(marks_flags_at(cursor->marks, cursor->mark_count, id), id, &w, covered);
}

struct cursor_counts cursor_count(const struct cursor *cursor, const struct box *log,
                                  const struct category_choice *choice, uint64_t now_ms)
{
    struct watermarks w = cursor_watermarks(cursor);
    struct notify_id seen_to = notify_id_later(w.read, w.seen);
    struct cursor_counts counts = {0, 0};
    struct cover_map map;
    struct box_probe probe;

    if (log == NULL)
        return counts;
    cover_map_init(&map, cursor->covers, log);
    counts.unread = box_tally_open(log, w.read, NOTIFY_ID_GREATEST, choice, &map, now_ms);
    counts.unseen = notify_id_cmp(seen_to, w.read) == 0
                        ? counts.unread
                        : box_tally_open(log, seen_to, NOTIFY_ID_GREATEST, choice, &map, now_ms);
    box_probe_init(&probe, log, choice, now_ms);
    for (uint32_t i = 0; i < cursor->mark_count; i++) {
        const struct cursor_mark *mark = &cursor->marks[i];
        struct notify_id id = mark_id(mark);
        struct cursor_state state;
        bool covered;
        if (!box_probe_has(&probe, id))
            continue;
        covered = cover_map_has(&map, probe.slot, id);
        state = marks_decode(mark->flags, id, &w, covered);
        /* What the mark says, instead of what watermarks and covers have said. */
        counts.unread += !state.is_read && !state.archived;
        counts.unread -= !covered && notify_id_cmp(id, w.read) > 0;
        counts.unseen += !state.is_seen && !state.archived;
        counts.unseen -= !covered && notify_id_cmp(id, seen_to) > 0;
    }
    return counts;
}
