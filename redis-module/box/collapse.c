/* collapse -- see collapse.h. */
#include "box/collapse.h"

#include <errno.h>

#include "box/body.h"
#include "box/box_extra.h"
#include "box/box_store.h"

enum { TAG_USED = 1 };

struct notify_str collapse_token(struct notify_str body)
{
    if (body.len == 0 || (uint8_t)body.ptr[0] != BODY_COLLAPSE)
        return notify_str_of(NULL, 0);
    return body_find(body, BODY_COLLAPSE);
}

struct wanted {
    const struct box *box;
    struct notify_str token;
};

static bool has_token(const void *ctx, const struct id_slot *slot)
{
    const struct wanted *wanted = ctx;
    struct place place;
    struct entry e;

    if (!store_seek(wanted->box, slot->id, &place, &e) || notify_id_cmp(e.id, slot->id) != 0)
        return false;
    return notify_str_eq(collapse_token(notify_str_of((const char *)e.body, e.body_len)),
                         wanted->token);
}

struct id_slot *collapse_find(const struct box *box, struct notify_str token)
{
    const struct box_extra *extra = box_extra(box);
    struct wanted wanted = {box, token};

    if (extra == NULL)
        return NULL;
    return id_table_find(&extra->collapse, id_table_hash(token), has_token, &wanted);
}

int collapse_reserve(struct box **box)
{
    struct box_extra *extra = box_need_extra(box);

    return extra == NULL ? -ENOMEM : id_table_reserve(&extra->collapse);
}

void collapse_add(struct box *box, struct notify_str token, struct notify_id id)
{
    struct id_slot slot = {id, id_table_hash(token), TAG_USED};

    id_table_add(&box_extra(box)->collapse, &slot);
}

static bool has_id(const void *ctx, const struct id_slot *slot)
{
    const struct notify_id *id = ctx;

    return notify_id_cmp(slot->id, *id) == 0;
}

void collapse_remove(struct box *box, struct notify_str token, struct notify_id id)
{
    struct id_table *table = &box_extra(box)->collapse;
    struct id_slot *slot = id_table_find(table, id_table_hash(token), has_id, &id);

    if (slot != NULL)
        id_table_remove(table, slot);
}

bool collapse_is_sound(const struct box *box)
{
    uint32_t count = 0;
    struct walk walk;
    struct entry e;

    walk_init(&walk, box);
    while (walk_next(&walk, &e)) {
        struct notify_str token = collapse_token(notify_str_of((const char *)e.body, e.body_len));
        const struct id_slot *slot = token.ptr == NULL ? NULL : collapse_find(box, token);
        if (token.ptr == NULL)
            continue;
        if (slot == NULL || notify_id_cmp(slot->id, e.id) != 0)
            return false;
        count++;
    }
    return count == (box_extra(box) == NULL ? 0 : box_extra(box)->collapse.count);
}
