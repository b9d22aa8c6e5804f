/* cursor_edit -- see cursor_edit.h. */
#include "box/cursor_edit.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "box/box.h"
#include "box/box_tally.h"
#include "box/category_table.h"
#include "box/cover_map.h"
#include "box/cursor_covers.h"
#include "box/cursor_marks.h"

#define MARK_OF_READING (MARK_FLAGS & ~MARK_ARCHIVED)
#define MARKS_FIRST 8 /* marks that there is room for when an edit needs more than there were */

static const struct category_choice all = {NULL};

static struct watermarks watermarks_of(const struct cursor_edit *edit)
{
    return (struct watermarks){edit->read_mark, edit->seen_mark};
}

static bool fail(struct cursor_edit *edit, int error)
{
    if (edit->error == 0)
        edit->error = error;
    return false;
}

/* ---- begin and end ---- */

static void release(struct cursor_edit *edit)
{
    mem_free(edit->marks);
    mem_free(edit->map);
    cursor_covers_free(edit->covers);
    edit->marks = NULL;
    edit->map = NULL;
    edit->covers = NULL;
}

static int copy_marks(struct cursor_edit *edit)
{
    size_t size = marks_size(edit->cursor->mark_count);

    if (size == 0)
        return 0;
    edit->marks = mem_try_alloc(size);
    if (edit->marks == NULL)
        return -ENOMEM;
    memcpy(edit->marks, edit->cursor->marks, size);
    return 0;
}

/* After the covers have changed. */
static int map_covers(struct cursor_edit *edit)
{
    if (edit->covers == NULL || edit->log == NULL)
        return 0;
    if (edit->map == NULL)
        edit->map = mem_try_alloc(sizeof(*edit->map));
    if (edit->map == NULL)
        return -ENOMEM;
    cover_map_init(edit->map, edit->covers, edit->log);
    return 0;
}

int cursor_edit_begin(struct cursor_edit *edit, struct cursor *cursor, const struct box *log,
                      uint64_t now_ms)
{
    *edit = (struct cursor_edit){
        .cursor = cursor,
        .log = log,
        .now_ms = now_ms,
        .read_mark = cursor->read_mark,
        .seen_mark = cursor->seen_mark,
        .mark_count = cursor->mark_count,
        .mark_cap = cursor->mark_count,
    };
    if (copy_marks(edit) == 0 && cursor_covers_copy(cursor->covers, &edit->covers) == 0 &&
        map_covers(edit) == 0)
        return 0;
    release(edit);
    return -ENOMEM;
}

void cursor_edit_abort(struct cursor_edit *edit)
{
    release(edit);
}

/* ---- states ---- */

static bool is_covered(const struct cursor_edit *edit, struct notify_id id, uint32_t category_slot)
{
    return edit->map != NULL && cover_map_has(edit->map, category_slot, id);
}

/* Of an entry that may have gone from the log; then it is not covered. */
static bool may_be_covered(const struct cursor_edit *edit, struct notify_id id)
{
    struct box_entry entry;

    return edit->map != NULL && box_find(edit->log, id, BOX_NEVER_EXPIRE, &entry) &&
           is_covered(edit, id, entry.category_slot);
}

static struct cursor_state state_after(struct cursor_state state, enum box_mark mark)
{
    switch (mark) {
    case BOX_MARK_READ:
        state.is_read = state.is_seen = true;
        break;
    case BOX_MARK_UNREAD:
        state.is_read = false;
        break;
    case BOX_MARK_SEEN:
        state.is_seen = true;
        break;
    case BOX_MARK_ARCHIVED:
        state.archived = true;
        break;
    case BOX_MARK_UNARCHIVED:
        state.archived = false;
        break;
    }
    return state;
}

static bool states_equal(struct cursor_state a, struct cursor_state b)
{
    return a.is_read == b.is_read && a.is_seen == b.is_seen && a.archived == b.archived;
}

/* ---- exceptions ---- */

static bool grow(struct cursor_edit *edit)
{
    uint32_t cap = edit->mark_cap < MARKS_FIRST ? MARKS_FIRST : edit->mark_cap * 2;
    struct cursor_mark *marks;

    if (edit->mark_count >= CURSOR_EDIT_TIDY && !limits_are_lifted())
        return fail(edit, -ENOSPC);
    marks = mem_try_realloc(edit->marks, marks_size(edit->mark_count), marks_size(cap));
    if (marks == NULL)
        return fail(edit, -ENOMEM);
    edit->marks = marks;
    edit->mark_cap = cap;
    return true;
}

/* Writes the flags of an entry; none: the mark goes. */
static bool put_flags(struct cursor_edit *edit, struct notify_id id, unsigned flags)
{
    uint32_t i = marks_seek(edit->marks, edit->mark_count, id);
    bool exists = i < edit->mark_count && notify_id_cmp(mark_id(&edit->marks[i]), id) == 0;

    if (exists && flags != 0) {
        edit->marks[i].flags = flags & MARK_FLAGS;
    } else if (exists) {
        edit->mark_count--;
        memmove(&edit->marks[i], &edit->marks[i + 1], marks_size(edit->mark_count - i));
    } else if (flags != 0) {
        if (edit->mark_count == edit->mark_cap && !grow(edit))
            return false;
        memmove(&edit->marks[i + 1], &edit->marks[i], marks_size(edit->mark_count - i));
        edit->marks[i] = (struct cursor_mark){id.ms, flags & MARK_FLAGS, id.seq};
        edit->mark_count++;
    }
    return true;
}

static bool is_of_category(const struct cursor_edit *edit, struct notify_id id, uint32_t slot)
{
    struct box_entry entry;

    return box_find(edit->log, id, BOX_NEVER_EXPIRE, &entry) && entry.category_slot == slot;
}

/* Takes flags away from every exception up to upto, of one category unless the slot is 0. */
static void drop_flags(struct cursor_edit *edit, struct notify_id upto, uint32_t category_slot,
                       unsigned flags)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < edit->mark_count; i++) {
        struct cursor_mark mark = edit->marks[i];
        struct notify_id id = mark_id(&mark);
        if (notify_id_cmp(id, upto) <= 0 &&
            (category_slot == 0 || is_of_category(edit, id, category_slot)))
            mark.flags &= ~flags & MARK_FLAGS;
        if (mark.flags != 0)
            edit->marks[kept++] = mark;
    }
    edit->mark_count = kept;
}

/* ---- one entry ---- */

/* Moves read_mark; what each mark says of its entry stays as it is. */
static void move_read_mark(struct cursor_edit *edit, struct notify_id read_mark)
{
    struct watermarks before = watermarks_of(edit);
    struct watermarks after = {read_mark, edit->seen_mark};
    uint32_t kept = 0;

    for (uint32_t i = 0; i < edit->mark_count; i++) {
        struct cursor_mark mark = edit->marks[i];
        struct notify_id id = mark_id(&mark);
        bool covered = may_be_covered(edit, id);
        mark.flags =
            marks_encode(marks_decode(mark.flags, id, &before, covered), id, &after, covered) &
            MARK_FLAGS;
        if (mark.flags != 0)
            edit->marks[kept++] = mark;
    }
    edit->mark_count = kept;
    edit->read_mark = read_mark;
}

/* Whether there is anything after read_mark that has been read, or archived. */
static bool may_advance(const struct cursor_edit *edit)
{
    const struct cursor_mark *last =
        edit->mark_count > 0 ? &edit->marks[edit->mark_count - 1] : NULL;

    return (last != NULL && notify_id_cmp(mark_id(last), edit->read_mark) > 0) ||
           (edit->map != NULL && notify_id_cmp(edit->map->max, edit->read_mark) > 0);
}

/* Moves read_mark over entries that need no unread count: read ones, archived ones (which keep
 * their mark) and events. Entries that have expired or that the log has withdrawn stop it, as far
 * as they are stored: the first so that no clock has a say, the others because they may return. */
static void advance(struct cursor_edit *edit)
{
    struct box_range range = {.from = notify_id_after(edit->read_mark),
                              .to = NOTIFY_ID_GREATEST,
                              .now_ms = BOX_NEVER_EXPIRE,
                              .filter = BOX_FILTER_ALL};
    struct watermarks w = watermarks_of(edit);
    struct notify_id mark = edit->read_mark;
    struct box_iter iter;
    struct box_entry entry;

    if (!may_advance(edit))
        return;
    box_iter_init(&iter, edit->log, &range);
    while (box_iter_next(&iter, &entry)) {
        unsigned flags = marks_flags_at(edit->marks, edit->mark_count, entry.id);
        bool covered = is_covered(edit, entry.id, entry.category_slot);
        struct cursor_state state = marks_decode(flags, entry.id, &w, covered);
        if (entry.kind != ENTRY_EVENT && !state.is_read && !state.archived)
            break;
        mark = entry.id;
    }
    if (notify_id_cmp(mark, edit->read_mark) > 0)
        move_read_mark(edit, mark);
}

/* What the flags of an entry become, of which nothing is known but them. Whether it is covered
 * decides nothing then. */
static unsigned blind_flags(const struct cursor_edit *edit, struct notify_id id, unsigned flags,
                            enum box_mark mark)
{
    struct watermarks w = watermarks_of(edit);
    bool is_after = notify_id_cmp(id, w.read) > 0;
    bool is_within_covers = is_after && notify_id_cmp(id, cursor_covers_max(edit->covers)) <= 0;
    bool is_read = marks_say_read(flags, id, &w);
    unsigned seen = notify_id_cmp(id, w.seen) > 0 ? MARK_SEEN : 0;

    switch (mark) {
    case BOX_MARK_READ:
        flags &= ~MARK_OF_READING;
        return flags | (is_after ? MARK_DIFFERS : 0);
    case BOX_MARK_UNREAD:
        if (!is_read && (!is_within_covers || (flags & MARK_KEPT) != 0))
            return flags;
        flags &= ~MARK_DIFFERS;
        return flags | seen | (!is_after ? MARK_DIFFERS : is_within_covers ? MARK_KEPT : 0);
    case BOX_MARK_SEEN:
        return is_read ? flags : flags | seen;
    case BOX_MARK_ARCHIVED:
        return flags | MARK_ARCHIVED;
    case BOX_MARK_UNARCHIVED:
        return flags & ~MARK_ARCHIVED;
    }
    return flags;
}

static bool mark_blindly(struct cursor_edit *edit, struct notify_id id, enum box_mark mark)
{
    unsigned flags = marks_flags_at(edit->marks, edit->mark_count, id);
    unsigned after = blind_flags(edit, id, flags, mark);

    return after != flags && put_flags(edit, id, after);
}

static bool mark_entry(struct cursor_edit *edit, const struct box_entry *entry, enum box_mark mark)
{
    bool is_for_events = mark == BOX_MARK_ARCHIVED || mark == BOX_MARK_UNARCHIVED;
    bool covered = is_covered(edit, entry->id, entry->category_slot);
    struct cursor_state before;
    struct cursor_state after;
    struct watermarks w;
    unsigned flags;

    if (entry->kind == ENTRY_EVENT && !is_for_events)
        return false;
    /* Many marks in a row may be but a watermark that has not been moved yet. */
    if (edit->mark_count >= CURSOR_EDIT_TIDY)
        advance(edit);
    w = watermarks_of(edit);
    flags = marks_flags_at(edit->marks, edit->mark_count, entry->id);
    before = marks_decode(flags, entry->id, &w, covered);
    after = state_after(before, mark);
    return !states_equal(before, after) &&
           put_flags(edit, entry->id, marks_encode(after, entry->id, &w, covered));
}

bool cursor_edit_mark(struct cursor_edit *edit, struct notify_id id, enum box_mark mark)
{
    struct box_entry entry;

    if (edit->error != 0 || notify_id_cmp(id, edit->cursor->start) <= 0 || id.ms > NOTIFY_ID_MAX_MS)
        return false;
    if (edit->log == NULL)
        return mark_blindly(edit, id, mark);
    return box_find(edit->log, id, edit->now_ms, &entry) && mark_entry(edit, &entry, mark);
}

/* ---- up to an id ---- */

/* How many notifications up to upto are not yet what the mark makes of them. */
static uint64_t count_upto(const struct cursor_edit *edit, struct notify_id upto,
                           enum box_mark mark)
{
    struct watermarks w = watermarks_of(edit);
    struct notify_id done_to = mark == BOX_MARK_READ ? w.read : notify_id_later(w.read, w.seen);
    uint64_t count = box_tally_open(edit->log, done_to, upto, &all, edit->map, edit->now_ms);
    struct box_probe probe;

    box_probe_init(&probe, edit->log, &all, edit->now_ms);
    for (uint32_t i = 0; i < edit->mark_count; i++) {
        struct notify_id id = mark_id(&edit->marks[i]);
        struct cursor_state state;
        bool covered;
        if (notify_id_cmp(id, upto) > 0)
            break;
        if (!box_probe_has(&probe, id))
            continue;
        covered = is_covered(edit, id, probe.slot);
        state = marks_decode(edit->marks[i].flags, id, &w, covered);
        count += mark == BOX_MARK_READ ? !state.is_read : !state.is_seen;
        count -= !covered && notify_id_cmp(id, done_to) > 0;
    }
    return count;
}

/* Whether a blind edit has something to move: a watermark, or an exception that says otherwise. */
static bool moves_upto(const struct cursor_edit *edit, struct notify_id upto, enum box_mark mark)
{
    struct watermarks w = watermarks_of(edit);

    if (notify_id_cmp(upto, mark == BOX_MARK_READ ? w.read : notify_id_later(w.read, w.seen)) > 0)
        return true;
    for (uint32_t i = 0; i < edit->mark_count; i++) {
        struct cursor_state state =
            marks_decode(edit->marks[i].flags, mark_id(&edit->marks[i]), &w, false);
        if (notify_id_cmp(mark_id(&edit->marks[i]), upto) <= 0 &&
            (mark == BOX_MARK_READ ? !state.is_read : !state.is_seen))
            return true;
    }
    return false;
}

/* What has been archived stays so. */
static void mark_upto(struct cursor_edit *edit, struct notify_id upto, enum box_mark mark)
{
    edit->seen_mark = notify_id_later(edit->seen_mark, upto);
    if (mark == BOX_MARK_READ) {
        edit->read_mark = notify_id_later(edit->read_mark, upto);
        drop_flags(edit, upto, 0, MARK_OF_READING);
    } else {
        drop_flags(edit, upto, 0, MARK_SEEN);
    }
}

uint64_t cursor_edit_upto(struct cursor_edit *edit, struct notify_id upto, enum box_mark mark,
                          struct notify_id *ret_upto)
{
    uint64_t count;

    if (edit->log != NULL && notify_id_cmp(upto, box_last_id(edit->log)) > 0)
        upto = box_last_id(edit->log);
    if (edit->error != 0 || upto.ms > NOTIFY_ID_MAX_MS)
        return 0;
    count = edit->log != NULL ? count_upto(edit, upto, mark) : moves_upto(edit, upto, mark);
    if (count == 0)
        return 0;
    *ret_upto = upto;
    mark_upto(edit, upto, mark);
    return count;
}

/* ---- one category ---- */

/* Those of it that are not read. */
static uint64_t count_category(const struct cursor_edit *edit, struct notify_str category,
                               struct notify_id upto)
{
    struct box_range range = {.from = notify_id_after(edit->cursor->start),
                              .to = upto,
                              .now_ms = edit->now_ms,
                              .filter = {.categories = &category, .category_count = 1}};
    struct watermarks w = watermarks_of(edit);
    struct box_iter iter;
    struct box_entry entry;
    uint64_t count = 0;

    box_iter_init(&iter, edit->log, &range);
    while (box_iter_next(&iter, &entry)) {
        unsigned flags = marks_flags_at(edit->marks, edit->mark_count, entry.id);
        bool covered = is_covered(edit, entry.id, entry.category_slot);
        count += entry.kind != ENTRY_EVENT && !marks_decode(flags, entry.id, &w, covered).is_read;
    }
    return count;
}

static bool cover(struct cursor_edit *edit, const struct cursor_cover *added)
{
    struct cursor_covers *covers;
    int rc = cursor_covers_make(edit->covers, edit->read_mark, added, &covers);

    if (rc != 0)
        return fail(edit, rc);
    cursor_covers_free(edit->covers);
    edit->covers = covers;
    rc = map_covers(edit);
    return rc == 0 || fail(edit, rc);
}

uint64_t cursor_edit_category(struct cursor_edit *edit, struct notify_str category,
                              struct notify_id upto, struct notify_id *ret_upto)
{
    uint32_t slot = category_table_find(edit->log, category);
    struct cursor_cover added = {category, upto};
    uint64_t count;

    if (notify_id_cmp(upto, box_last_id(edit->log)) > 0)
        added.upto = box_last_id(edit->log);
    if (edit->error != 0 || slot == 0)
        return 0;
    count = count_category(edit, category, added.upto);
    if (count == 0 || !cover(edit, &added))
        return 0;
    *ret_upto = added.upto;
    drop_flags(edit, added.upto, slot, MARK_OF_READING);
    return count;
}

/* ---- taking it over ---- */

/* Marks of entries older than the oldest that the log still has. */
static void drop_trimmed(struct cursor_edit *edit)
{
    struct notify_id first = box_first_visible(edit->log, BOX_NEVER_EXPIRE);
    uint32_t gone = marks_seek(edit->marks, edit->mark_count, first);

    if (gone == 0)
        return;
    edit->mark_count -= gone;
    memmove(edit->marks, edit->marks + gone, marks_size(edit->mark_count));
}

/* Marks of all entries that the log no longer has. */
static void drop_vanished(struct cursor_edit *edit)
{
    struct box_entry entry;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < edit->mark_count; i++)
        if (box_find(edit->log, mark_id(&edit->marks[i]), BOX_NEVER_EXPIRE, &entry))
            edit->marks[kept++] = edit->marks[i];
    edit->mark_count = kept;
}

int cursor_edit_condense(struct cursor_edit *edit)
{
    if (edit->error != 0)
        return edit->error;
    if (edit->log != NULL) {
        drop_trimmed(edit);
        advance(edit);
        if (edit->mark_count > CURSOR_MARKS_TIDY)
            drop_vanished(edit);
    }
    if (edit->covers != NULL && !cover(edit, NULL)) /* what read_mark has reached goes */
        return edit->error;
    return limits_forbid(edit->mark_count, LIMIT_EXCEPTIONS) ? -ENOSPC : 0;
}

/* Gives back the room that the marks do not need. */
static void fit_marks(struct cursor_edit *edit)
{
    struct cursor_mark *marks;

    if (edit->mark_count == 0) {
        mem_free(edit->marks);
        edit->marks = NULL;
    }
    if (edit->mark_count == 0 || edit->mark_count == edit->mark_cap)
        return;
    marks =
        mem_try_realloc(edit->marks, marks_size(edit->mark_count), marks_size(edit->mark_count));
    if (marks != NULL)
        edit->marks = marks;
}

int cursor_edit_commit(struct cursor_edit *edit)
{
    struct cursor *cursor = edit->cursor;
    int rc = cursor_edit_condense(edit);

    if (rc != 0) {
        release(edit);
        return rc;
    }
    fit_marks(edit);
    mem_free(cursor->marks);
    cursor_covers_free(cursor->covers);
    cursor->marks = edit->marks;
    cursor->covers = edit->covers;
    cursor->mark_count = edit->mark_count;
    cursor->read_mark = edit->read_mark;
    cursor->seen_mark = edit->seen_mark;
    edit->marks = NULL;
    edit->covers = NULL;
    release(edit);
    return 0;
}
