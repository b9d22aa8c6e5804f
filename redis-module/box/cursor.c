/* cursor -- see cursor.h. */
#include "box/cursor.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/varint.h"
#include "box/cursor_covers.h"
#include "box/cursor_marks.h"

#define MARK_BYTES_MIN 3u /* of one in a payload */

/* ---- life ---- */

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
    cursor_covers_free(cursor->covers);
    mem_free(cursor->marks);
    mem_free(cursor);
}

static int copy_marks(struct cursor *copy, const struct cursor *cursor)
{
    if (cursor->mark_count == 0)
        return 0;
    copy->marks = mem_try_alloc(marks_size(cursor->mark_count));
    if (copy->marks == NULL)
        return -ENOMEM;
    memcpy(copy->marks, cursor->marks, marks_size(cursor->mark_count));
    return 0;
}

struct cursor *cursor_copy(const struct cursor *cursor)
{
    struct cursor *copy = mem_try_alloc(cursor_size(cursor->name_len));

    if (copy == NULL)
        return NULL;
    memcpy(copy, cursor, cursor_size(cursor->name_len));
    copy->marks = NULL;
    copy->covers = NULL;
    if (copy_marks(copy, cursor) == 0 && cursor_covers_copy(cursor->covers, &copy->covers) == 0)
        return copy;
    cursor_free(copy);
    return NULL;
}

struct notify_str cursor_name(const struct cursor *cursor)
{
    return notify_str_of(cursor->name, cursor->name_len);
}

/* ---- marks ---- */

struct watermarks cursor_watermarks(const struct cursor *cursor)
{
    return (struct watermarks){cursor->read_mark, cursor->seen_mark};
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
            [CURSOR_UNREAD] = (differs && !is_after) || (mark->flags & MARK_KEPT) != 0,
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

/* Whether each of the flags says something beside the watermarks; of what is covered a cursor
 * alone knows nothing. */
static bool flags_may_be(uint64_t flags, struct notify_id id, const struct watermarks *w)
{
    if (flags == 0 || flags > MARK_FLAGS)
        return false;
    if ((flags & MARK_KEPT) != 0 &&
        ((flags & MARK_DIFFERS) != 0 || notify_id_cmp(id, w->read) <= 0))
        return false;
    return (flags & MARK_SEEN) == 0 ||
           (!marks_say_read((unsigned)flags, id, w) && notify_id_cmp(id, w->seen) > 0);
}

/* Whether a mark may follow the one with the id last: greater, and after start. */
static bool mark_may_be(const struct cursor *cursor, struct notify_id last, struct notify_id id,
                        uint64_t flags)
{
    struct watermarks w = cursor_watermarks(cursor);

    return id.ms <= NOTIFY_ID_MAX_MS && notify_id_cmp(id, last) > 0 &&
           notify_id_cmp(id, cursor->start) > 0 && flags_may_be(flags, id, &w);
}

bool cursor_is_sound(const struct cursor *cursor)
{
    struct notify_id covered = cursor_covers_max(cursor->covers);
    struct notify_id last = {0, 0};

    if (!watermarks_may_be(cursor->start, cursor->read_mark, cursor->seen_mark) ||
        (cursor->marks == NULL) != (cursor->mark_count == 0) ||
        !cursor_covers_are_sound(cursor->covers, cursor->read_mark))
        return false;
    for (uint32_t i = 0; i < cursor->mark_count; i++) {
        struct notify_id id = mark_id(&cursor->marks[i]);
        bool is_kept = (cursor->marks[i].flags & MARK_KEPT) != 0;
        if (!mark_may_be(cursor, last, id, cursor->marks[i].flags) ||
            (is_kept && notify_id_cmp(id, covered) > 0))
            return false;
        last = id;
    }
    return true;
}

/* ---- payload ---- */

static void add_id(struct text_buf *out, struct notify_id id)
{
    text_buf_add_varint(out, id.ms);
    text_buf_add_varint(out, id.seq);
}

/* Of those that say one of these flags. */
static uint32_t count_marks(const struct cursor *cursor, unsigned flags)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < cursor->mark_count; i++)
        count += (cursor->marks[i].flags & flags) != 0;
    return count;
}

void cursor_save(const struct cursor *cursor, bool with_covers, struct text_buf *out)
{
    unsigned flags = with_covers ? MARK_FLAGS : MARK_FLAGS & ~MARK_KEPT;
    uint64_t last_ms = 0;

    text_buf_add_sized(out, cursor_name(cursor));
    add_id(out, cursor->start);
    add_id(out, cursor->read_mark);
    add_id(out, cursor->seen_mark);
    text_buf_add_varint(out, count_marks(cursor, flags));
    for (uint32_t i = 0; i < cursor->mark_count; i++) {
        const struct cursor_mark *mark = &cursor->marks[i];
        if ((mark->flags & flags) == 0)
            continue;
        text_buf_add_varint(out, mark->ms - last_ms);
        text_buf_add_varint(out, mark->seq);
        text_buf_add_varint(out, mark->flags & flags);
        last_ms = mark->ms;
    }
}

static bool take_id(struct notify_str *bytes, struct notify_id *ret_id)
{
    return varint_take(bytes, &ret_id->ms) && varint_take(bytes, &ret_id->seq);
}

static bool take_name(struct notify_str *bytes, struct notify_str *ret_name)
{
    return varint_take_sized(bytes, ret_name) && !limits_forbid(ret_name->len, LIMIT_LOG_NAME);
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
    if (cursor->covers != NULL)
        visit(ctx, cursor->covers, cursor_covers_bytes(cursor->covers));
}

void cursor_move(struct cursor **cursor, const struct mover *mover)
{
    *cursor = mover_moved(mover, *cursor);
    (*cursor)->marks = mover_moved_if(mover, (*cursor)->marks);
    (*cursor)->covers = mover_moved_if(mover, (*cursor)->covers);
}
