/* group -- see group.h. */
#include "commands/group.h"

#include <errno.h>

#include "base/limits.h"
#include "base/mem.h"
#include "box/body.h"
#include "message/render.h"

#define CAP_FIRST 16

void groups_init(struct groups *groups, enum group_by by)
{
    *groups = (struct groups){.by = by};
}

void groups_release(struct groups *groups)
{
    mem_free(groups->list);
    id_table_release(&groups->by_hash);
}

/* What the entry belongs to. */
static struct group group_of(const struct box_entry *entry, enum group_by by)
{
    switch (by) {
    case GROUP_CATEGORY:
        return (struct group){.name = entry->category};
    case GROUP_TYPE:
        return (struct group){.name = body_find(entry->body, BODY_TYPE)};
    case GROUP_LEVEL:
        return (struct group){.name = render_level(entry->level)};
    case GROUP_ENTITY:
        return (struct group){.name = body_find(entry->body, BODY_ENTITY_TYPE),
                              .id = body_find(entry->body, BODY_ENTITY_ID)};
    }
    return (struct group){.count = 0};
}

struct wanted {
    const struct groups *groups;
    const struct group *group;
};

static bool is_wanted(const void *ctx, const struct id_slot *slot)
{
    const struct wanted *wanted = ctx;
    const struct group *group = &wanted->groups->list[slot->tag - 1];

    return notify_str_eq(group->name, wanted->group->name) &&
           notify_str_eq(group->id, wanted->group->id);
}

static int grow(struct groups *groups)
{
    size_t cap = groups->cap == 0 ? CAP_FIRST : groups->cap * 2;
    struct group *list;

    if (groups->count == LIMIT_GROUPS)
        return -ENOSPC;
    if (id_table_reserve(&groups->by_hash) != 0)
        return -ENOMEM;
    if (groups->count < groups->cap)
        return 0;
    list = mem_try_realloc(groups->list, groups->cap * sizeof(*list), cap * sizeof(*list));
    if (list == NULL)
        return -ENOMEM;
    groups->list = list;
    groups->cap = cap;
    return 0;
}

int groups_add(struct groups *groups, const struct box_entry *entry)
{
    struct group group = group_of(entry, groups->by);
    struct wanted wanted = {groups, &group};
    struct id_slot slot = {.hash = id_table_hash(group.name) * 31u + id_table_hash(group.id)};
    struct id_slot *found = id_table_find(&groups->by_hash, slot.hash, is_wanted, &wanted);
    int rc;

    if (found != NULL) {
        groups->list[found->tag - 1].count++;
        return 0;
    }
    rc = grow(groups);
    if (rc != 0)
        return rc;
    group.count = 1;
    groups->list[groups->count++] = group;
    slot.tag = (uint32_t)groups->count;
    id_table_add(&groups->by_hash, &slot);
    return 0;
}
