/* category -- an array of names by number and a hash table of numbers, both growing together. */
#include "box/category.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/json_text.h"
#include "base/mem.h"
#include "base/text_buf.h"
#include "base/utf8.h"

#define SLOTS_FIRST 64   /* a power of two; the table is kept at most half full */
#define ROOM_WANTED 1024 /* names that there is to be room for when a command begins */
#define ROOM_WORTH 64    /* names that must have come or gone before it is worth to look again */

/* One allocation each: the name, then its escaped form. */
struct category {
    uint64_t hash;
    uint32_t name_len;
    uint32_t json_len;
    char bytes[];
};

static struct {
    struct category **by_number; /* [number - 1]; NULL: the number is free */
    uint16_t *slots;             /* numbers, 0 is free; linear probing */
    size_t slot_count;           /* a power of two, or 0 */
    size_t count;                /* the highest number given out */
    size_t names;                /* numbers that are not free */
    size_t free_from;            /* none before this one is free */
    size_t made;                 /* names since there was made room */
} table;

/* By number: how often boxes hold it, and how many have been left since there was made room. Apart
 * from the table, as boxes are freed in other threads: what counts in them never moves. */
static atomic_uint holds[CATEGORY_LIMIT + 1];
static atomic_size_t left;

/* FNV-1a: the names are short and there are at most CATEGORY_LIMIT of them. */
static uint64_t hash_name(struct notify_str name)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.ptr[i]) * UINT64_C(1099511628211);
    return hash ^ hash >> 29;
}

static bool name_is_valid(struct notify_str name)
{
    if (name.len == 0 || name.len > NOTIFY_CATEGORY_MAX || !utf8_is_valid(name))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] < 0x20 || name.ptr[i] == 0x7f)
            return false;
    return true;
}

/* The slot of name, or the free one where it belongs. The table must have slots. */
static size_t find_slot(struct notify_str name, uint64_t hash)
{
    size_t i = hash & (table.slot_count - 1);

    for (; table.slots[i] != 0; i = (i + 1) & (table.slot_count - 1)) {
        const struct category *c = table.by_number[table.slots[i] - 1];
        if (c->hash == hash && notify_str_eq(notify_str_of(c->bytes, c->name_len), name))
            break;
    }
    return i;
}

uint16_t category_find(struct notify_str name)
{
    if (table.slot_count == 0 || name.len == 0)
        return CATEGORY_NONE;
    return table.slots[find_slot(name, hash_name(name))];
}

/* Puts the names into the slots, which are all free. */
static void fill_slots(void)
{
    for (size_t n = 0; n < table.count; n++) {
        size_t i;
        if (table.by_number[n] == NULL)
            continue;
        i = table.by_number[n]->hash & (table.slot_count - 1);
        while (table.slots[i] != 0)
            i = (i + 1) & (table.slot_count - 1);
        table.slots[i] = (uint16_t)(n + 1);
    }
}

/* Makes room for one more number: doubles both arrays when the slots are half full. */
static int grow_table(void)
{
    size_t slot_count = table.slot_count == 0 ? SLOTS_FIRST : table.slot_count * 2;
    struct category **by_number;
    uint16_t *slots;

    if (table.count < table.slot_count / 2)
        return 0;
    slots = mem_try_alloc(slot_count * sizeof(*slots));
    if (slots == NULL)
        return -ENOMEM;
    by_number = mem_try_realloc(table.by_number, table.count * sizeof(struct category *),
                                slot_count / 2 * sizeof(struct category *));
    if (by_number == NULL) {
        mem_free(slots);
        return -ENOMEM;
    }
    mem_free(table.slots);
    memset(slots, 0, slot_count * sizeof(*slots));
    table.by_number = by_number;
    table.slots = slots;
    table.slot_count = slot_count;
    fill_slots();
    return 0;
}

/* The index of a free number, for which there is room. -ENOMEM. */
static int need_number(size_t *ret_index)
{
    size_t n = table.free_from;

    while (n < table.count && table.by_number[n] != NULL)
        n++;
    table.free_from = n;
    *ret_index = n;
    return n < table.count ? 0 : grow_table();
}

static struct category *new_category(struct notify_str name, uint64_t hash)
{
    struct text_buf json = TEXT_BUF_INIT;
    struct category *c = NULL;

    json_text_escape(&json, name);
    if (!json.failed)
        c = mem_try_alloc(sizeof(*c) + name.len + json.len);
    if (c != NULL) {
        c->hash = hash;
        c->name_len = (uint32_t)name.len;
        c->json_len = (uint32_t)json.len;
        memcpy(c->bytes, name.ptr, name.len);
        memcpy(c->bytes + name.len, json.ptr, json.len);
    }
    text_buf_release(&json);
    return c;
}

int category_intern(struct notify_str name, uint16_t *ret_category)
{
    uint16_t number = category_find(name);
    uint64_t hash;
    size_t index;
    struct category *c;

    if (number != CATEGORY_NONE) {
        *ret_category = number;
        return 0;
    }
    if (!name_is_valid(name))
        return -EINVAL;
    if (table.names >= CATEGORY_LIMIT)
        return -ENOSPC;
    hash = hash_name(name);
    if (need_number(&index) != 0 || (c = new_category(name, hash)) == NULL)
        return -ENOMEM;
    table.by_number[index] = c;
    table.slots[find_slot(name, hash)] = (uint16_t)(index + 1);
    table.count += index == table.count;
    table.names++;
    table.made++;
    *ret_category = (uint16_t)(index + 1);
    return 0;
}

/* ---- forgetting ---- */

void category_hold(uint16_t category)
{
    if (category != CATEGORY_NONE)
        atomic_fetch_add_explicit(&holds[category], 1, memory_order_relaxed);
}

void category_release(uint16_t category)
{
    if (category != CATEGORY_NONE &&
        atomic_fetch_sub_explicit(&holds[category], 1, memory_order_relaxed) == 1)
        atomic_fetch_add_explicit(&left, 1, memory_order_relaxed);
}

/* Looking costs a step for every name: only after so many changes that each of them pays for a few
 * of these, or when nothing else helps. */
static bool is_worth_looking(void)
{
    size_t changes = table.made + atomic_load_explicit(&left, memory_order_relaxed);

    if (table.names < CATEGORY_LIMIT - ROOM_WANTED)
        return false;
    return changes >= ROOM_WORTH || (changes > 0 && table.names == CATEGORY_LIMIT);
}

void category_make_room(void)
{
    if (!is_worth_looking())
        return;
    table.made = 0;
    table.free_from = 0;
    atomic_store_explicit(&left, 0, memory_order_relaxed);
    for (size_t n = 0; n < table.count; n++) {
        if (table.by_number[n] == NULL ||
            atomic_load_explicit(&holds[n + 1], memory_order_relaxed) > 0)
            continue;
        mem_free(table.by_number[n]);
        table.by_number[n] = NULL;
        table.names--;
    }
    memset(table.slots, 0, table.slot_count * sizeof(*table.slots));
    fill_slots();
}

/* ---- what a number stands for ---- */

static const struct category *find_number(uint16_t category)
{
    return category == CATEGORY_NONE || category > table.count ? NULL
                                                               : table.by_number[category - 1];
}

struct notify_str category_name(uint16_t category)
{
    const struct category *c = find_number(category);

    return c == NULL ? notify_str_of(NULL, 0) : notify_str_of(c->bytes, c->name_len);
}

struct notify_str category_json(uint16_t category)
{
    const struct category *c = find_number(category);

    return c == NULL ? notify_str_of(NULL, 0) : notify_str_of(c->bytes + c->name_len, c->json_len);
}

size_t category_count(void)
{
    return table.count;
}

void category_reset(void)
{
    for (size_t n = 0; n < table.count; n++)
        mem_free(table.by_number[n]);
    mem_free(table.by_number);
    mem_free(table.slots);
    memset(&table, 0, sizeof(table));
    for (size_t n = 0; n <= CATEGORY_LIMIT; n++)
        atomic_store_explicit(&holds[n], 0, memory_order_relaxed);
    atomic_store_explicit(&left, 0, memory_order_relaxed);
}
