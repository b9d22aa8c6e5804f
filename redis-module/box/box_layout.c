/* box_layout -- see box_layout.h. */
#include "box/box_layout.h"

#include <string.h>

#include "box/extra.h"

/* In the order in which they lie behind struct box. */
const struct box_field_kind box_fields[FIELD_COUNT] = {
    [FIELD_TRIMMED] = {BOX_HAS_TRIMMED, sizeof(struct notify_id)},
    [FIELD_EXTRA] = {BOX_HAS_EXTRA, sizeof(struct box_extra *)},
    [FIELD_KEY_END] = {BOX_HAS_KEY_END, sizeof(uint64_t)},
    [FIELD_PAST_0] = {BOX_HAS_PAST_0, sizeof(struct past_epoch)},
    [FIELD_PAST_1] = {BOX_HAS_PAST_1, sizeof(struct past_epoch)},
    [FIELD_PAST_2] = {BOX_HAS_PAST_2, sizeof(struct past_epoch)},
};

/* A table, as every command asks several times. */
#define HAS(set, field) ((set) >> (field)&1u)
#define SUM(set)                                                                                   \
    (HAS(set, FIELD_TRIMMED) * sizeof(struct notify_id) +                                          \
     HAS(set, FIELD_EXTRA) * sizeof(struct box_extra *) +                                          \
     HAS(set, FIELD_KEY_END) * sizeof(uint64_t) +                                                  \
     (HAS(set, FIELD_PAST_0) + HAS(set, FIELD_PAST_1) + HAS(set, FIELD_PAST_2)) *                  \
         sizeof(struct past_epoch))
#define SUMS_4(set) SUM(set), SUM((set) + 1), SUM((set) + 2), SUM((set) + 3)
#define SUMS_16(set) SUMS_4(set), SUMS_4((set) + 4), SUMS_4((set) + 8), SUMS_4((set) + 12)
const uint8_t box_field_sums[] = {SUMS_16(0), SUMS_16(16), SUMS_16(32), SUMS_16(48)};

_Static_assert(sizeof(box_field_sums) == 1u << FIELD_COUNT, "a sum for each set");
_Static_assert(BOX_HAS_TRIMMED << FIELD_PAST_2 == BOX_HAS_PAST_2, "flags are in the fields' order");

size_t box_field_offset(const struct box *box, enum box_field field)
{
    unsigned before = (1u << field) - 1;

    return sizeof(*box) + box_field_sums[(box->flags / BOX_HAS_TRIMMED) & before];
}

struct box_category *store_categories(const struct box *box)
{
    return store_at(box, store_table_offset(box));
}

/* Copies the field out; false (and *out untouched) when the box does not have it. */
static bool get_field(const struct box *box, enum box_field field, void *out)
{
    if ((box->flags & box_fields[field].flag) == 0)
        return false;
    memcpy(out, store_at(box, box_field_offset(box, field)), box_fields[field].len);
    return true;
}

struct notify_id store_trimmed_id(const struct box *box)
{
    struct notify_id id = {0, 0};

    (void)get_field(box, FIELD_TRIMMED, &id);
    return id;
}

uint64_t store_key_end(const struct box *box)
{
    uint64_t end_ms = 0;

    (void)get_field(box, FIELD_KEY_END, &end_ms);
    return end_ms;
}

uint32_t store_past_count(const struct box *box)
{
    uint32_t count = 0;

    while (count < BOX_PAST_EPOCHS_MAX && (box->flags & box_fields[FIELD_PAST_0 + count].flag) != 0)
        count++;
    return count;
}

struct past_epoch store_past(const struct box *box, uint32_t index)
{
    struct past_epoch past = {.epoch_high = 0};

    (void)get_field(box, (enum box_field)(FIELD_PAST_0 + index), &past);
    return past;
}

struct box_extra *box_extra(const struct box *box)
{
    struct box_extra *extra = NULL;

    (void)get_field(box, FIELD_EXTRA, &extra);
    return extra;
}

void store_cut_entry(uint8_t *bytes, const struct place *place, uint32_t size, uint32_t used)
{
    memmove(bytes + place->offset, bytes + place->offset + size, used - place->offset - size);
}

void store_cut_mark(uint8_t *marks, uint32_t ordinal, uint32_t mark_count)
{
    memmove(marks + ordinal * (size_t)MARK_LEN, marks + (ordinal + 1) * (size_t)MARK_LEN,
            (mark_count - ordinal - 1) * (size_t)MARK_LEN);
}
