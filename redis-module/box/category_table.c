/* category_table -- see category_table.h. */
#include "box/category_table.h"

#include <errno.h>
#include <string.h>

#include "base/id_table.h"
#include "base/limits.h"
#include "box/box_store.h"
#include "box/category.h"

_Static_assert(sizeof(struct box_category) == 8, "each category of each box pays for it");
_Static_assert(CATEGORY_BOUND <= UINT8_MAX, "a length is one byte");
_Static_assert(LIMIT_CATEGORIES <= CATEGORY_SLOTS_BOUND, "slots are counted in 16 bits");

uint32_t category_hash(struct notify_str name)
{
    return id_table_hash(name) & 0x7fffu;
}

/* ---- where things are ---- */

static uint32_t slots_of(const struct box *box)
{
    return (uint32_t)box->category_slots;
}

static struct category_names *names_of(const struct box *box)
{
    return category_names_of(store_categories(box), slots_of(box));
}

static uint8_t *first_name(const struct box *box)
{
    return (uint8_t *)store_categories(box) + category_fixed_size(slots_of(box));
}

static uint32_t capacity(const struct box *box)
{
    return slots_of(box) == 0 ? 0 : names_of(box)->cap;
}

static uint8_t *name_at(const struct box *box, uint32_t index)
{
    uint8_t *at = first_name(box);

    if (index >= CATEGORY_NAMES_GROUP)
        at += names_of(box)->starts[index / CATEGORY_NAMES_GROUP - 1];
    for (uint32_t n = index % CATEGORY_NAMES_GROUP; n > 0; n--)
        at += 1 + *at;
    return at;
}

/* Bytes of all names. */
static uint32_t used_by_names(const struct box *box)
{
    const uint8_t *last;

    if (slots_of(box) == 0)
        return 0;
    last = name_at(box, slots_of(box) - 1);
    return (uint32_t)(last + 1 + *last - first_name(box));
}

/* ---- looking up ---- */

struct notify_str category_table_name(const struct box *box, uint32_t slot)
{
    const uint8_t *at;

    if (slot == 0)
        return CATEGORY_NONE;
    at = name_at(box, slot - 1);
    return notify_str_of((const char *)at + 1, *at);
}

uint32_t category_table_find_hashed(const struct box *box, struct notify_str name, uint32_t hash)
{
    const struct box_category *records = store_categories(box);
    uint32_t slots = slots_of(box);

    for (uint32_t i = 0; i < slots; i++)
        if (records[i].hash == hash && notify_str_eq(category_table_name(box, i + 1), name))
            return i + 1;
    return 0;
}

uint32_t category_table_find(const struct box *box, struct notify_str name)
{
    if (slots_of(box) == 0 || name.len == 0)
        return 0;
    return category_table_find_hashed(box, name, category_hash(name));
}

/* ---- changing ---- */

/* Bytes that the table must grow by, a multiple of 8, when it needs so many more. */
static size_t growth(const struct box *box, size_t more)
{
    size_t room = capacity(box) - used_by_names(box);

    return more <= room ? 0 : (more - room + 7) & ~(size_t)7;
}

static void put_name(uint8_t *at, struct notify_str name)
{
    *at = (uint8_t)name.len;
    memcpy(at + 1, name.ptr, name.len);
}

static void put_record(struct box *box, uint32_t index, struct notify_str name)
{
    store_categories(box)[index] = (struct box_category){.hash = category_hash(name) & 0x7fffu};
}

/* Makes room for one more record, and a start if it begins a group; the names move back by what
 * these take. */
static void shift_names(struct box *box, uint32_t used, uint32_t cap)
{
    uint32_t slots = slots_of(box);
    uint8_t *records = (uint8_t *)store_categories(box);
    size_t from = slots * sizeof(struct box_category);

    memmove(records + category_fixed_size(slots + 1), records + category_fixed_size(slots), used);
    if (slots > 0)
        memmove(records + from + sizeof(struct box_category), records + from,
                category_fixed_size(slots) - from);
    box->category_slots++;
    names_of(box)->cap = cap;
    if (category_start_count(slots + 1) > category_start_count(slots))
        names_of(box)->starts[category_start_count(slots)] = used;
}

static int append(struct box **box_ptr, struct notify_str name)
{
    uint32_t slots = slots_of(*box_ptr);
    uint32_t used = used_by_names(*box_ptr);
    size_t fixed = category_fixed_size(slots + 1) - category_fixed_size(slots);
    size_t delta = growth(*box_ptr, fixed + 1 + name.len);
    uint32_t cap = (uint32_t)(capacity(*box_ptr) + delta - fixed);

    if (delta > 0 && store_insert(box_ptr, store_table_end(*box_ptr), delta) != 0)
        return -ENOMEM;
    shift_names(*box_ptr, used, cap);
    put_name(name_at(*box_ptr, slots), name);
    put_record(*box_ptr, slots, name);
    return 0;
}

/* Gives the record another name. */
static int replace(struct box **box_ptr, uint32_t index, struct notify_str name)
{
    size_t old_len = *name_at(*box_ptr, index);
    size_t delta = name.len <= old_len ? 0 : growth(*box_ptr, name.len - old_len);
    uint32_t used = used_by_names(*box_ptr);
    struct category_names *names;
    uint8_t *at;

    if (delta > 0 && store_insert(box_ptr, store_table_end(*box_ptr), delta) != 0)
        return -ENOMEM;
    names = names_of(*box_ptr);
    names->cap += (uint32_t)delta;
    at = name_at(*box_ptr, index);
    memmove(at + 1 + name.len, at + 1 + old_len,
            (size_t)(first_name(*box_ptr) + used - (at + 1 + old_len)));
    put_name(at, name);
    for (uint32_t i = index / CATEGORY_NAMES_GROUP; i < category_start_count(slots_of(*box_ptr));
         i++)
        names->starts[i] += (uint32_t)(name.len - old_len);
    put_record(*box_ptr, index, name);
    return 0;
}

/* The index of a record that is not in use, or the number of records. */
static uint32_t find_disused(const struct box *box)
{
    const struct box_category *records = store_categories(box);
    uint32_t i = 0;

    while (i < slots_of(box) && category_is_in_use(&records[i]))
        i++;
    return i;
}

static bool may_append(const struct box *box)
{
    return slots_of(box) < LIMIT_CATEGORIES ||
           (slots_of(box) < CATEGORY_SLOTS_BOUND && limits_are_lifted());
}

bool category_table_is_full(const struct box *box)
{
    return !may_append(box) && find_disused(box) == slots_of(box);
}

int category_table_add(struct box **box, struct notify_str name, uint32_t *ret_slot)
{
    uint32_t index = find_disused(*box);
    int rc;

    if (index < slots_of(*box))
        rc = replace(box, index, name);
    else
        rc = may_append(*box) ? append(box, name) : -E2BIG;
    *ret_slot = rc == 0 ? index + 1 : 0;
    return rc;
}

/* Of a table that has room for them: records, starts and names. */
static void put_all(struct box *box, const struct notify_str *names)
{
    uint8_t *at = first_name(box);

    for (uint32_t i = 0; i < slots_of(box); i++) {
        if (i > 0 && i % CATEGORY_NAMES_GROUP == 0)
            names_of(box)->starts[i / CATEGORY_NAMES_GROUP - 1] = (uint32_t)(at - first_name(box));
        put_name(at, names[i]);
        at += 1 + names[i].len;
        put_record(box, i, names[i]);
        store_categories(box)[i].muted = true;
    }
}

int category_table_fill(struct box **box, const struct notify_str *names, size_t count)
{
    size_t fixed = category_fixed_size((uint32_t)count);
    size_t size = fixed;

    if (count > CATEGORY_SLOTS_BOUND || limits_forbid(count, LIMIT_CATEGORIES))
        return -E2BIG;
    if (count == 0)
        return 0;
    for (size_t i = 0; i < count; i++)
        size += 1 + names[i].len;
    size = (size + 7) & ~(size_t)7;
    if (store_insert(box, store_table_end(*box), size) != 0)
        return -ENOMEM;
    (*box)->category_slots = (uint16_t)count;
    names_of(*box)->cap = (uint32_t)(size - fixed);
    put_all(*box, names);
    return 0;
}
