/* cursor -- see cursor.h. */
#include "box/cursor.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/varint.h"

#define MARKS_FIRST 8 /* marks that there is room for when an edit needs more than there were */

/* What a mark says. In this order: MARK_SEEN only where neither MARK_DIFFERS nor the watermarks
 * tell that the entry has been seen. */
#define MARK_DIFFERS 0x01u /* read after read_mark, or unread up to it */
#define MARK_SEEN 0x02u    /* seen, after seen_mark, and not read */
#define MARK_ARCHIVED 0x04u
#define MARK_FLAGS 0x07u
#define MARK_BYTES_MIN 3u /* of one in a payload */

struct cursor_mark {
    uint64_t ms : 48;
    uint64_t flags : 16;
    uint64_t seq;
};

_Static_assert(sizeof(struct cursor_mark) == 16, "an exception takes 16 bytes");
_Static_assert(NOTIFY_ID_MAX_MS < UINT64_C(1) << 48, "times are stored in 48 bits");

static struct notify_id mark_id(const struct cursor_mark *mark)
{
    return (struct notify_id){mark->ms, mark->seq};
}

/* The first mark whose id is not smaller than id. */
static uint32_t seek_mark(const struct cursor_mark *marks, uint32_t count, struct notify_id id)
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

/* ---- life ---- */

static size_t marks_size(uint32_t count)
{
    return count * sizeof(struct cursor_mark);
}

static size_t cursor_size(size_t name_len)
{
    return sizeof(struct cursor) + name_len;
}

struct cursor *cursor_new(struct notify_str name, struct notify_id start)
{
    struct cursor *cursor = mem_try_alloc(cursor_size(name.len));

    if (cursor == NULL)
        return NULL;
    *cursor = (struct cursor){
        .start = start, .read_mark = start, .seen_mark = start, .name_len = (uint32_t)name.len};
    if (name.len > 0)
        memcpy(cursor->name, name.ptr, name.len);
    return cursor;
}

void cursor_free(struct cursor *cursor)
{
    if (cursor == NULL)
        return;
    mem_free(cursor->marks);
    mem_free(cursor);
}

struct cursor *cursor_copy(const struct cursor *cursor)
{
    struct cursor *copy = mem_try_alloc(cursor_size(cursor->name_len));

    if (copy == NULL)
        return NULL;
    memcpy(copy, cursor, cursor_size(cursor->name_len));
    copy->marks = NULL;
    if (cursor->mark_count == 0)
        return copy;
    copy->marks = mem_try_alloc(marks_size(cursor->mark_count));
    if (copy->marks == NULL) {
        mem_free(copy);
        return NULL;
    }
    memcpy(copy->marks, cursor->marks, marks_size(cursor->mark_count));
    return copy;
}

struct notify_str cursor_name(const struct cursor *cursor)
{
    return notify_str_of(cursor->name, cursor->name_len);
}

/* ---- states: flags beside watermarks, and back ---- */

static struct cursor_state decode(unsigned flags, struct notify_id id, struct notify_id read_mark,
                                  struct notify_id seen_mark)
{
    struct cursor_state state;

    state.is_read = (notify_id_cmp(id, read_mark) <= 0) != ((flags & MARK_DIFFERS) != 0);
    state.is_seen = state.is_read || (flags & MARK_SEEN) != 0 || notify_id_cmp(id, seen_mark) <= 0;
    state.archived = (flags & MARK_ARCHIVED) != 0;
    return state;
}

static unsigned encode(struct cursor_state state, struct notify_id id, struct notify_id read_mark,
                       struct notify_id seen_mark)
{
    unsigned flags = 0;

    if (state.is_read != (notify_id_cmp(id, read_mark) <= 0))
        flags |= MARK_DIFFERS;
    if (state.is_seen && !state.is_read && notify_id_cmp(id, seen_mark) > 0)
        flags |= MARK_SEEN;
    if (state.archived)
        flags |= MARK_ARCHIVED;
    return flags;
}

static struct cursor_state mark_state(const struct cursor_mark *mark, struct notify_id read_mark,
                                      struct notify_id seen_mark)
{
    return decode(mark->flags, mark_id(mark), read_mark, seen_mark);
}

static unsigned flags_at(const struct cursor_mark *marks, uint32_t count, struct notify_id id)
{
    uint32_t i = seek_mark(marks, count, id);

    return i < count && notify_id_cmp(mark_id(&marks[i]), id) == 0 ? marks[i].flags : 0;
}

struct cursor_state cursor_state_of(const struct cursor *cursor, struct notify_id id)
{
    return decode(flags_at(cursor->marks, cursor->mark_count, id), id, cursor->read_mark,
                  cursor->seen_mark);
}

/* ---- counts ---- */

static const struct notify_id greatest = {UINT64_MAX, UINT64_MAX};

static struct notify_id later(struct notify_id a, struct notify_id b)
{
    return notify_id_cmp(a, b) > 0 ? a : b;
}

struct cursor_counts cursor_count(const struct cursor *cursor, const struct box *log,
                                  const struct category_choice *choice, uint64_t now_ms)
{
    struct notify_id seen_to = later(cursor->read_mark, cursor->seen_mark);
    struct cursor_counts counts = {0, 0};
    struct box_probe probe;

    if (log == NULL)
        return counts;
    counts.unread = box_tally(log, notify_id_after(cursor->read_mark), greatest, choice, now_ms);
    counts.unseen = notify_id_cmp(seen_to, cursor->read_mark) == 0
                        ? counts.unread
                        : box_tally(log, notify_id_after(seen_to), greatest, choice, now_ms);
    box_probe_init(&probe, log, choice, now_ms);
    for (uint32_t i = 0; i < cursor->mark_count; i++) {
        const struct cursor_mark *mark = &cursor->marks[i];
        struct notify_id id = mark_id(mark);
        struct cursor_state state = mark_state(mark, cursor->read_mark, cursor->seen_mark);
        if (!box_probe_has(&probe, id))
            continue;
        /* What the mark says, instead of what the watermarks have said. */
        counts.unread += !state.is_read && !state.archived;
        counts.unread -= notify_id_cmp(id, cursor->read_mark) > 0;
        counts.unseen += !state.is_seen && !state.archived;
        counts.unseen -= notify_id_cmp(id, seen_to) > 0;
    }
    return counts;
}

bool cursor_next_mark(const struct cursor *cursor, enum cursor_mark_kind kind, uint32_t *pos,
                      struct notify_id *ret_id)
{
    while (*pos < cursor->mark_count) {
        const struct cursor_mark *mark = &cursor->marks[(*pos)++];
        bool is_after = notify_id_cmp(mark_id(mark), cursor->read_mark) > 0;
        bool differs = (mark->flags & MARK_DIFFERS) != 0;
        bool is_meant[] = {
            [CURSOR_READ] = differs && is_after,
            [CURSOR_UNREAD] = differs && !is_after,
            [CURSOR_SEEN] = (mark->flags & MARK_SEEN) != 0,
            [CURSOR_ARCHIVED] = (mark->flags & MARK_ARCHIVED) != 0,
        };
        if (!is_meant[kind])
            continue;
        *ret_id = mark_id(mark);
        return true;
    }
    return false;
}

/* ---- soundness ---- */

static bool watermarks_may_be(struct notify_id start, struct notify_id read_mark,
                              struct notify_id seen_mark)
{
    return read_mark.ms <= NOTIFY_ID_MAX_MS && seen_mark.ms <= NOTIFY_ID_MAX_MS &&
           notify_id_cmp(read_mark, start) >= 0 && notify_id_cmp(seen_mark, start) >= 0;
}

/* Whether a mark may follow the one with the id last: greater, after start, with flags that encode
 * would give. */
static bool mark_may_be(const struct cursor *cursor, struct notify_id last, struct notify_id id,
                        uint64_t flags)
{
    struct cursor_state state;

    if (flags == 0 || flags > MARK_FLAGS || id.ms > NOTIFY_ID_MAX_MS ||
        notify_id_cmp(id, last) <= 0 || notify_id_cmp(id, cursor->start) <= 0)
        return false;
    state = decode((unsigned)flags, id, cursor->read_mark, cursor->seen_mark);
    return encode(state, id, cursor->read_mark, cursor->seen_mark) == flags;
}

bool cursor_is_sound(const struct cursor *cursor)
{
    struct notify_id last = {0, 0};

    if (!watermarks_may_be(cursor->start, cursor->read_mark, cursor->seen_mark) ||
        (cursor->marks == NULL) != (cursor->mark_count == 0))
        return false;
    for (uint32_t i = 0; i < cursor->mark_count; i++) {
        struct notify_id id = mark_id(&cursor->marks[i]);
        if (!mark_may_be(cursor, last, id, cursor->marks[i].flags))
            return false;
        last = id;
    }
    return true;
}

/* ---- changing ---- */

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
    if (cursor->mark_count == 0)
        return 0;
    edit->marks = mem_try_alloc(marks_size(cursor->mark_count));
    if (edit->marks == NULL)
        return -ENOMEM;
    memcpy(edit->marks, cursor->marks, marks_size(cursor->mark_count));
    return 0;
}

static bool fail(struct cursor_edit *edit, int error)
{
    if (edit->error == 0)
        edit->error = error;
    return false;
}

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
    uint32_t i = seek_mark(edit->marks, edit->mark_count, id);
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

/* How many notifications up to upto are not yet what the mark makes of them. */
static uint64_t count_upto(const struct cursor_edit *edit, struct notify_id upto,
                           enum box_mark mark)
{
    static const struct category_choice all = {NULL};
    struct notify_id done_to =
        mark == BOX_MARK_READ ? edit->read_mark : later(edit->read_mark, edit->seen_mark);
    uint64_t count = box_tally(edit->log, notify_id_after(done_to), upto, &all, edit->now_ms);
    struct box_probe probe;

    box_probe_init(&probe, edit->log, &all, edit->now_ms);
    for (uint32_t i = 0; i < edit->mark_count; i++) {
        struct notify_id id = mark_id(&edit->marks[i]);
        struct cursor_state state;
        if (notify_id_cmp(id, upto) > 0)
            break;
        if (!box_probe_has(&probe, id))
            continue;
        state = mark_state(&edit->marks[i], edit->read_mark, edit->seen_mark);
        count += mark == BOX_MARK_READ ? !state.is_read : !state.is_seen;
        count -= notify_id_cmp(id, done_to) > 0;
    }
    return count;
}

/* Moves the watermarks; what each mark says stays as it is. */
static void move_watermarks(struct cursor_edit *edit, struct notify_id read_mark,
                            struct notify_id seen_mark)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < edit->mark_count; i++) {
        struct cursor_mark mark = edit->marks[i];
        struct cursor_state state = mark_state(&mark, edit->read_mark, edit->seen_mark);
        mark.flags = encode(state, mark_id(&mark), read_mark, seen_mark) & MARK_FLAGS;
        if (mark.flags != 0)
            edit->marks[kept++] = mark;
    }
    edit->mark_count = kept;
    edit->read_mark = read_mark;
    edit->seen_mark = seen_mark;
}

/* Applies the mark to every exception up to upto. */
static void mark_exceptions(struct cursor_edit *edit, struct notify_id upto, enum box_mark mark)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < edit->mark_count; i++) {
        struct cursor_mark one = edit->marks[i];
        struct notify_id id = mark_id(&one);
        if (notify_id_cmp(id, upto) <= 0) {
            struct cursor_state state = mark_state(&one, edit->read_mark, edit->seen_mark);
            one.flags =
                encode(state_after(state, mark), id, edit->read_mark, edit->seen_mark) & MARK_FLAGS;
        }
        if (one.flags != 0)
            edit->marks[kept++] = one;
    }
    edit->mark_count = kept;
}

uint64_t cursor_edit_upto(struct cursor_edit *edit, struct notify_id upto, enum box_mark mark,
                          struct notify_id *ret_upto)
{
    struct notify_id read_mark = edit->read_mark;
    uint64_t count;

    if (edit->log == NULL)
        return 0;
    if (notify_id_cmp(upto, box_last_id(edit->log)) > 0)
        upto = box_last_id(edit->log);
    count = count_upto(edit, upto, mark);
    if (count == 0)
        return 0;
    *ret_upto = upto;
    if (mark == BOX_MARK_READ)
        read_mark = later(read_mark, upto);
    /* The exceptions first: what the watermark passes over without one changes by its moving. */
    mark_exceptions(edit, upto, mark);
    move_watermarks(edit, read_mark, later(edit->seen_mark, upto));
    return count;
}

/* Marks of entries older than the oldest that the log still has. */
static void drop_trimmed(struct cursor_edit *edit)
{
    struct notify_id first = box_first_visible(edit->log, BOX_NEVER_EXPIRE);
    uint32_t gone = seek_mark(edit->marks, edit->mark_count, first);

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

/* Moves read_mark over entries that need no unread count: read ones, archived ones (which keep
 * their mark) and events. Entries that have expired or that the log has withdrawn stop it, as far
 * as they are stored: the first so that no clock has a say, the others because they may return. */
static void advance(struct cursor_edit *edit)
{
    struct box_range range = {.from = notify_id_after(edit->read_mark),
                              .to = greatest,
                              .now_ms = BOX_NEVER_EXPIRE,
                              .filter = BOX_FILTER_ALL};
    struct notify_id mark = edit->read_mark;
    struct box_iter iter;
    struct box_entry entry;

    if (edit->mark_count == 0 ||
        notify_id_cmp(mark_id(&edit->marks[edit->mark_count - 1]), edit->read_mark) <= 0)
        return;
    box_iter_init(&iter, edit->log, &range);
    while (box_iter_next(&iter, &entry)) {
        unsigned flags = flags_at(edit->marks, edit->mark_count, entry.id);
        if (entry.kind != ENTRY_EVENT && (flags & (MARK_DIFFERS | MARK_ARCHIVED)) == 0)
            break;
        mark = entry.id;
    }
    if (notify_id_cmp(mark, edit->read_mark) > 0)
        move_watermarks(edit, mark, edit->seen_mark);
}

bool cursor_edit_mark(struct cursor_edit *edit, struct notify_id id, enum box_mark mark)
{
    bool is_for_events = mark == BOX_MARK_ARCHIVED || mark == BOX_MARK_UNARCHIVED;
    struct cursor_state before;
    struct cursor_state after;
    struct box_entry entry;

    if (edit->error != 0 || notify_id_cmp(id, edit->cursor->start) <= 0 || edit->log == NULL ||
        !box_find(edit->log, id, edit->now_ms, &entry) ||
        (entry.kind == ENTRY_EVENT && !is_for_events))
        return false;
    /* Many marks in a row may be but a watermark that has not been moved yet. */
    if (edit->mark_count >= CURSOR_EDIT_TIDY)
        advance(edit);
    before =
        decode(flags_at(edit->marks, edit->mark_count, id), id, edit->read_mark, edit->seen_mark);
    after = state_after(before, mark);
    return !states_equal(before, after) &&
           put_flags(edit, id, encode(after, id, edit->read_mark, edit->seen_mark));
}

static int condense(struct cursor_edit *edit)
{
    if (edit->error != 0)
        return edit->error;
    if (edit->log != NULL) {
        drop_trimmed(edit);
        advance(edit);
        if (edit->mark_count > CURSOR_MARKS_TIDY)
            drop_vanished(edit);
    }
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
    int rc = condense(edit);

    if (rc != 0) {
        cursor_edit_abort(edit);
        return rc;
    }
    fit_marks(edit);
    mem_free(cursor->marks);
    cursor->marks = edit->marks;
    cursor->mark_count = edit->mark_count;
    cursor->read_mark = edit->read_mark;
    cursor->seen_mark = edit->seen_mark;
    edit->marks = NULL;
    return 0;
}

void cursor_edit_abort(struct cursor_edit *edit)
{
    mem_free(edit->marks);
    edit->marks = NULL;
}

/* ---- payload ---- */

static void add_varint(struct text_buf *out, uint64_t value)
{
    uint8_t bytes[VARINT_MAX];
    size_t len = (size_t)(varint_put(bytes, value) - bytes);

    text_buf_add(out, notify_str_of((const char *)bytes, len));
}

static void add_id(struct text_buf *out, struct notify_id id)
{
    add_varint(out, id.ms);
    add_varint(out, id.seq);
}

void cursor_save(const struct cursor *cursor, struct text_buf *out)
{
    uint64_t last_ms = 0;

    add_varint(out, cursor->name_len);
    text_buf_add(out, cursor_name(cursor));
    add_id(out, cursor->start);
    add_id(out, cursor->read_mark);
    add_id(out, cursor->seen_mark);
    add_varint(out, cursor->mark_count);
    for (uint32_t i = 0; i < cursor->mark_count; i++) {
        const struct cursor_mark *mark = &cursor->marks[i];
        add_varint(out, mark->ms - last_ms);
        add_varint(out, mark->seq);
        add_varint(out, mark->flags);
        last_ms = mark->ms;
    }
}

static bool take_id(struct notify_str *bytes, struct notify_id *ret_id)
{
    return varint_take(bytes, &ret_id->ms) && varint_take(bytes, &ret_id->seq);
}

static bool take_name(struct notify_str *bytes, struct notify_str *ret_name)
{
    uint64_t len;

    if (!varint_take(bytes, &len) || len > bytes->len || limits_forbid(len, LIMIT_LOG_NAME))
        return false;
    *ret_name = notify_str_of(bytes->ptr, (size_t)len);
    *bytes = notify_str_of(bytes->ptr + len, bytes->len - (size_t)len);
    return true;
}

static bool take_mark(struct notify_str *bytes, const struct cursor *cursor, struct notify_id last,
                      struct cursor_mark *ret_mark)
{
    struct notify_id id;
    uint64_t ms;
    uint64_t flags;

    if (!varint_take(bytes, &ms) || ms > NOTIFY_ID_MAX_MS || !varint_take(bytes, &id.seq) ||
        !varint_take(bytes, &flags))
        return false;
    id.ms = last.ms + ms;
    if (!mark_may_be(cursor, last, id, flags))
        return false;
    *ret_mark = (struct cursor_mark){id.ms, flags & MARK_FLAGS, id.seq};
    return true;
}

static const char *load_marks(struct cursor *cursor, struct notify_str bytes)
{
    struct notify_id last = {0, 0};
    uint64_t count;

    if (!varint_take(&bytes, &count) || count > bytes.len / MARK_BYTES_MIN ||
        limits_forbid(count, LIMIT_EXCEPTIONS))
        return "bad number of exceptions";
    if (count > 0) {
        cursor->marks = mem_try_alloc(marks_size((uint32_t)count));
        if (cursor->marks == NULL)
            return "no memory";
    }
    for (; cursor->mark_count < count; cursor->mark_count++) {
        struct cursor_mark *mark = &cursor->marks[cursor->mark_count];
        if (!take_mark(&bytes, cursor, last, mark))
            return "bad exception";
        last = mark_id(mark);
    }
    return bytes.len > 0 ? "bytes left over behind a cursor" : NULL;
}

struct cursor *cursor_load(struct notify_str bytes, const char **ret_why)
{
    struct notify_id start;
    struct notify_id read_mark;
    struct notify_id seen_mark;
    struct cursor *cursor;
    struct notify_str name;
    const char *why;

    *ret_why = "bad cursor";
    if (!take_name(&bytes, &name) || !take_id(&bytes, &start) || !take_id(&bytes, &read_mark) ||
        !take_id(&bytes, &seen_mark) || !watermarks_may_be(start, read_mark, seen_mark))
        return NULL;
    *ret_why = "no memory";
    cursor = cursor_new(name, start);
    if (cursor == NULL)
        return NULL;
    cursor->read_mark = read_mark;
    cursor->seen_mark = seen_mark;
    why = load_marks(cursor, bytes);
    if (why == NULL)
        return cursor;
    *ret_why = why;
    cursor_free(cursor);
    return NULL;
}

/* ---- memory ---- */

void cursor_visit(const struct cursor *cursor, void (*visit)(void *ctx, void *ptr, size_t bytes),
                  void *ctx)
{
    visit(ctx, (void *)cursor, cursor_size(cursor->name_len));
    if (cursor->marks != NULL)
        visit(ctx, cursor->marks, marks_size(cursor->mark_count));
}

void cursor_move(struct cursor **cursor, box_move_fn move, void *ctx)
{
    void *moved = move(ctx, *cursor);

    if (moved != NULL)
        *cursor = moved;
    moved = (*cursor)->marks == NULL ? NULL : move(ctx, (*cursor)->marks);
    if (moved != NULL)
        (*cursor)->marks = moved;
}
