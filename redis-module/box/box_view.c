/* box_view -- see box_view.h. */
#include "box/box_view.h"

#include <errno.h>

void box_view_own(struct box_view *view, const struct box *box)
{
    *view = (struct box_view){.box = box};
}

int box_view_follow(struct box_view *view, const struct box *log, const struct cursor *cursor,
                    const struct muted_set *muted)
{
    *view = (struct box_view){.box = cursor == NULL ? NULL : log, .muted = muted};
    return view->box == NULL ? 0 : cursor_sight_init(&view->sight, cursor, log);
}

void box_view_release(struct box_view *view)
{
    cursor_sight_release(&view->sight);
}

/* The entry of a log, as the follower sees it. */
static void look(const struct box_view *view, struct box_entry *entry)
{
    struct cursor_state state = cursor_state_of(&view->sight, entry->id, entry->category_slot);
    bool has_state = entry->kind != ENTRY_EVENT;

    entry->is_read = has_state && state.is_read;
    entry->is_seen = has_state && state.is_seen;
    entry->archived = state.archived;
    entry->read_ms = entry->seen_ms = 0;
    entry->is_muted = muted_set_has(view->muted, view->box, entry->category_slot);
}

bool box_view_find(const struct box_view *view, struct notify_id id, uint64_t now_ms,
                   struct box_entry *ret_entry)
{
    if (view->box == NULL || !box_find(view->box, id, now_ms, ret_entry))
        return false;
    if (view->muted == NULL)
        return true;
    if (ret_entry->archived || notify_id_cmp(id, view->sight.cursor->start) <= 0)
        return false;
    look(view, ret_entry);
    return true;
}

/* Whether something up to the read mark is unread again; *ret_id: the first that is. */
static bool has_exception(const struct box_view *view, struct notify_id *ret_id)
{
    const struct cursor *cursor = view->sight.cursor;
    struct box_entry entry;
    uint32_t pos = 0;

    while (cursor_next_mark(cursor, CURSOR_UNREAD, &pos, ret_id) &&
           notify_id_cmp(*ret_id, cursor->read_mark) <= 0)
        if (box_find(view->box, *ret_id, BOX_NEVER_EXPIRE, &entry) && entry.kind != ENTRY_EVENT)
            return true;
    return false;
}

struct notify_id box_view_read_to(const struct box_view *view)
{
    struct notify_id mark = {0, 0};
    struct box_range range = {.to = NOTIFY_ID_GREATEST, .filter = BOX_FILTER_ALL};
    struct box_iter iter;
    struct box_entry entry;

    if (view->box == NULL)
        return mark;
    if (has_exception(view, &mark))
        return notify_id_before(mark);
    mark = view->sight.cursor->read_mark;
    range.from = notify_id_after(mark);
    box_iter_init(&iter, view->box, &range);
    while (box_iter_next(&iter, &entry)) {
        if (entry.kind != ENTRY_EVENT &&
            !cursor_state_of(&view->sight, entry.id, entry.category_slot).is_read)
            break;
        mark = entry.id;
    }
    return mark;
}

/* Of an entry that has been looked at. */
static bool state_matches(const struct box_entry *entry, enum box_state state)
{
    bool counts = entry->kind == ENTRY_NOTIFICATION && !entry->archived;

    switch (state) {
    case BOX_PRESENT:
        return !entry->archived;
    case BOX_NOTIFICATIONS:
        return counts;
    case BOX_UNREAD:
        return counts && !entry->is_read;
    case BOX_READ:
        return counts && entry->is_read;
    case BOX_UNSEEN:
        return counts && !entry->is_seen;
    case BOX_ARCHIVED:
        return entry->archived;
    case BOX_ALL:
        return true;
    }
    return false;
}

void box_view_iter_init(struct box_view_iter *iter, const struct box_view *view,
                        const struct box_range *range)
{
    struct box_range own = *range;

    iter->view = view;
    iter->state = range->filter.state;
    if (view->box == NULL)
        return;
    if (view->muted != NULL) {
        struct notify_id first = notify_id_after(view->sight.cursor->start);
        if (notify_id_cmp(own.from, first) < 0)
            own.from = first;
        own.filter.state = BOX_PRESENT;
    }
    box_iter_init(&iter->iter, view->box, &own);
}

bool box_view_iter_next(struct box_view_iter *iter, struct box_entry *ret_entry)
{
    if (iter->view->box == NULL)
        return false;
    while (box_iter_next(&iter->iter, ret_entry)) {
        if (iter->view->muted == NULL)
            return true;
        look(iter->view, ret_entry);
        if (state_matches(ret_entry, iter->state))
            return true;
    }
    return false;
}
