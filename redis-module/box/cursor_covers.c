/* cursor_covers -- see cursor_covers.h. */
#include "box/cursor_covers.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/varint.h"
#include "box/category.h"

/* The names stand one behind the other after the list. */
struct record {
    struct notify_id upto;
    uint32_t name_at;
    uint32_t name_len;
};

struct cursor_covers {
    uint32_t count;
    uint32_t name_bytes;
    struct record list[];
};

static size_t size_for(uint32_t count, size_t name_bytes)
{
    return sizeof(struct cursor_covers) + count * sizeof(struct record) + name_bytes;
}

size_t cursor_covers_bytes(const struct cursor_covers *covers)
{
    return size_for(covers->count, covers->name_bytes);
}

static char *names_of(const struct cursor_covers *covers)
{
    return (char *)&covers->list[covers->count];
}

uint32_t cursor_covers_count(const struct cursor_covers *covers)
{
    return covers == NULL ? 0 : covers->count;
}

struct cursor_cover cursor_covers_at(const struct cursor_covers *covers, uint32_t index)
{
    const struct record *record = &covers->list[index];

    return (struct cursor_cover){
        notify_str_of(names_of(covers) + record->name_at, record->name_len), record->upto};
}

struct notify_id cursor_covers_max(const struct cursor_covers *covers)
{
    struct notify_id max = {0, 0};

    for (uint32_t i = 0; i < cursor_covers_count(covers); i++)
        max = notify_id_later(max, covers->list[i].upto);
    return max;
}

/* ---- making ---- */

/* count records and so many bytes of names, to be filled by push. NULL: no memory. */
static struct cursor_covers *new_covers(uint32_t count, size_t name_bytes)
{
    struct cursor_covers *covers = mem_try_alloc(size_for(count, name_bytes));

    if (covers != NULL)
        *covers = (struct cursor_covers){.count = count};
    return covers;
}

/* The record at index, with the name behind those before it. */
static void push(struct cursor_covers *covers, uint32_t index, const struct cursor_cover *cover)
{
    uint32_t at = covers->name_bytes;

    covers->list[index] = (struct record){cover->upto, at, (uint32_t)cover->category.len};
    memcpy(names_of(covers) + at, cover->category.ptr, cover->category.len);
    covers->name_bytes += (uint32_t)cover->category.len;
}

/* What the new set consists of: the old ones that still say something, and the added one. */
struct merge {
    const struct cursor_covers *covers;
    struct notify_id read_mark;
    const struct cursor_cover *added; /* NULL: there is none */
    uint32_t pos;
    bool is_added;
};

/* The next one of the old set that is kept; false: no more. */
static bool next_old(struct merge *merge, struct cursor_cover *ret)
{
    while (merge->pos < cursor_covers_count(merge->covers)) {
        *ret = cursor_covers_at(merge->covers, merge->pos);
        if (notify_id_cmp(ret->upto, merge->read_mark) > 0)
            return true;
        merge->pos++;
    }
    return false;
}

/* In the order of names. */
static bool next_merged(struct merge *merge, struct cursor_cover *ret)
{
    struct cursor_cover old;
    bool has_old = next_old(merge, &old);
    bool has_added = merge->added != NULL && !merge->is_added;
    int order;

    if (!has_old && !has_added)
        return false;
    order = !has_old ? 1 : !has_added ? -1 : notify_str_cmp(old.category, merge->added->category);
    *ret = order > 0 ? *merge->added : old;
    if (order == 0)
        ret->upto = notify_id_later(old.upto, merge->added->upto);
    merge->pos += order <= 0;
    merge->is_added = merge->is_added || order >= 0;
    return true;
}

int cursor_covers_make(const struct cursor_covers *covers, struct notify_id read_mark,
                       const struct cursor_cover *added, struct cursor_covers **ret_covers)
{
    struct merge merge = {covers, read_mark, added, 0, false};
    struct merge again = merge;
    struct cursor_cover cover;
    size_t name_bytes = 0;
    uint32_t count = 0;

    for (; next_merged(&merge, &cover); count++)
        name_bytes += cover.category.len;
    *ret_covers = NULL;
    if (count > CURSOR_COVERS_BOUND || limits_forbid(count, LIMIT_COVERS))
        return -ENOSPC;
    if (count == 0)
        return 0;
    *ret_covers = new_covers(count, name_bytes);
    if (*ret_covers == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; next_merged(&again, &cover); i++)
        push(*ret_covers, i, &cover);
    return 0;
}

int cursor_covers_copy(const struct cursor_covers *covers, struct cursor_covers **ret_copy)
{
    *ret_copy = NULL;
    if (covers == NULL)
        return 0;
    *ret_copy = mem_try_alloc(cursor_covers_bytes(covers));
    if (*ret_copy == NULL)
        return -ENOMEM;
    memcpy(*ret_copy, covers, cursor_covers_bytes(covers));
    return 0;
}

void cursor_covers_free(struct cursor_covers *covers)
{
    mem_free(covers);
}

bool cursor_covers_are_sound(const struct cursor_covers *covers, struct notify_id read_mark)
{
    for (uint32_t i = 0; i < cursor_covers_count(covers); i++) {
        struct cursor_cover cover = cursor_covers_at(covers, i);
        if (!category_is_valid(cover.category) || cover.upto.ms > NOTIFY_ID_MAX_MS ||
            notify_id_cmp(cover.upto, read_mark) <= 0)
            return false;
        if (i > 0 && notify_str_cmp(cursor_covers_at(covers, i - 1).category, cover.category) >= 0)
            return false;
    }
    return covers == NULL || covers->count > 0;
}

/* ---- payload ---- */

void cursor_covers_save(const struct cursor_covers *covers, struct text_buf *out)
{
    text_buf_add_varint(out, cursor_covers_count(covers));
    for (uint32_t i = 0; i < cursor_covers_count(covers); i++) {
        struct cursor_cover cover = cursor_covers_at(covers, i);
        text_buf_add_sized(out, cover.category);
        text_buf_add_varint(out, cover.upto.ms);
        text_buf_add_varint(out, cover.upto.seq);
    }
}

static bool take_cover(struct notify_str *bytes, struct cursor_cover *ret)
{
    return varint_take_sized(bytes, &ret->category) && varint_take(bytes, &ret->upto.ms) &&
           varint_take(bytes, &ret->upto.seq);
}

/* Whether count of them follow; *ret_name_bytes: of all their names. */
static bool measure(struct notify_str bytes, uint64_t count, size_t *ret_name_bytes)
{
    struct cursor_cover cover;

    *ret_name_bytes = 0;
    for (uint64_t i = 0; i < count; i++) {
        if (!take_cover(&bytes, &cover))
            return false;
        *ret_name_bytes += cover.category.len;
    }
    return true;
}

bool cursor_covers_load(struct notify_str *bytes, struct cursor_covers **ret_covers,
                        const char **ret_why)
{
    struct cursor_covers *covers;
    struct cursor_cover cover;
    size_t name_bytes;
    uint64_t count;

    *ret_why = "bad number of read categories";
    if (!varint_take(bytes, &count) || count == 0 || count > CURSOR_COVERS_BOUND ||
        limits_forbid(count, LIMIT_COVERS))
        return false;
    *ret_why = "bad read category";
    if (!measure(*bytes, count, &name_bytes))
        return false;
    *ret_why = "no memory";
    covers = new_covers((uint32_t)count, name_bytes);
    if (covers == NULL)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        (void)take_cover(bytes, &cover); /* measured before */
        push(covers, i, &cover);
    }
    *ret_covers = covers;
    return true;
}
