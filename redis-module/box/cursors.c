/* cursors -- see cursors.h. */
#include "box/cursors.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

struct cursors {
    uint32_t count;
    uint32_t cap;
    struct cursor *list[]; /* owned; names rise */
};

static size_t list_size(uint32_t cap)
{
    return sizeof(struct cursors) + cap * sizeof(struct cursor *);
}

/* The first cursor whose name is not smaller; *ret_found: it has that very name. */
static uint32_t seek_name(const struct cursors *cursors, struct notify_str name, bool *ret_found)
{
    uint32_t low = 0;
    uint32_t high = cursors_count(cursors);

    *ret_found = false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = notify_str_cmp(cursor_name(cursors->list[middle]), name);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void cursors_free(struct cursors *cursors)
{
    for (uint32_t i = 0; i < cursors_count(cursors); i++)
        cursor_free(cursors->list[i]);
    mem_free(cursors);
}

struct cursors *cursors_copy(const struct cursors *cursors)
{
    struct cursors *copy;

    if (cursors == NULL)
        return NULL;
    copy = mem_try_alloc(list_size(cursors->count));
    if (copy == NULL)
        return NULL;
    copy->count = 0;
    copy->cap = cursors->count;
    for (; copy->count < cursors->count; copy->count++) {
        struct cursor *one = cursor_copy(cursors->list[copy->count]);
        if (one == NULL) {
            cursors_free(copy);
            return NULL;
        }
        copy->list[copy->count] = one;
    }
    return copy;
}

uint32_t cursors_count(const struct cursors *cursors)
{
    return cursors == NULL ? 0 : cursors->count;
}

struct cursor *cursors_at(const struct cursors *cursors, uint32_t index)
{
    return cursors->list[index];
}

struct cursor *cursors_find(const struct cursors *cursors, struct notify_str name)
{
    bool found;
    uint32_t i = seek_name(cursors, name, &found);

    return found ? cursors->list[i] : NULL;
}

/* Room for one more: the first few come one by one, as most inboxes follow one or two. */
static int grow(struct cursors **cursors)
{
    uint32_t count = cursors_count(*cursors);
    uint32_t cap = count < 2 ? count + 1 : count * 2;
    struct cursors *grown;

    if (limits_forbid(count + UINT64_C(1), LIMIT_LOGS))
        return -ENOSPC;
    if (*cursors != NULL && count < (*cursors)->cap)
        return 0;
    grown = mem_try_realloc(*cursors, list_size(count), list_size(cap));
    if (grown == NULL)
        return -ENOMEM;
    grown->count = count;
    grown->cap = cap;
    *cursors = grown;
    return 0;
}

static void insert(struct cursors *cursors, uint32_t i, struct cursor *cursor)
{
    memmove(&cursors->list[i + 1], &cursors->list[i],
            (cursors->count - i) * sizeof(cursors->list[0]));
    cursors->list[i] = cursor;
    cursors->count++;
}

int cursors_put(struct cursors **cursors, struct cursor *cursor)
{
    bool found;
    uint32_t i = seek_name(*cursors, cursor_name(cursor), &found);
    int rc;

    if (found) {
        cursor_free((*cursors)->list[i]);
        (*cursors)->list[i] = cursor;
        return 0;
    }
    rc = grow(cursors);
    if (rc == 0)
        insert(*cursors, i, cursor);
    return rc;
}

int cursors_add(struct cursors **cursors, struct notify_str name, struct notify_id start)
{
    struct cursor *cursor;
    int rc;

    if (limits_forbid(name.len, LIMIT_LOG_NAME))
        return -EINVAL;
    if (cursors_find(*cursors, name) != NULL)
        return 0;
    cursor = cursor_new(name, start);
    if (cursor == NULL)
        return -ENOMEM;
    rc = cursors_put(cursors, cursor);
    if (rc == 0)
        return 1;
    cursor_free(cursor);
    return rc;
}

bool cursors_remove(struct cursors **cursors, struct notify_str name)
{
    struct cursors *all = *cursors;
    bool found;
    uint32_t i = seek_name(all, name, &found);

    if (!found)
        return false;
    cursor_free(all->list[i]);
    all->count--;
    memmove(&all->list[i], &all->list[i + 1], (all->count - i) * sizeof(all->list[0]));
    if (all->count == 0) {
        mem_free(all);
        *cursors = NULL;
    }
    return true;
}

bool cursors_are_sound(const struct cursors *cursors)
{
    for (uint32_t i = 0; i < cursors_count(cursors); i++) {
        if (!cursor_is_sound(cursors->list[i]) ||
            (i > 0 &&
             notify_str_cmp(cursor_name(cursors->list[i - 1]), cursor_name(cursors->list[i])) >= 0))
            return false;
    }
    return cursors == NULL || (cursors->count > 0 && cursors->count <= cursors->cap);
}

void cursors_visit(const struct cursors *cursors, void (*visit)(void *ctx, void *ptr, size_t bytes),
                   void *ctx)
{
    if (cursors == NULL)
        return;
    visit(ctx, (void *)cursors, list_size(cursors->cap));
    for (uint32_t i = 0; i < cursors->count; i++)
        cursor_visit(cursors->list[i], visit, ctx);
}

void cursors_move(struct cursors **cursors, const struct mover *mover)
{
    *cursors = mover_moved_if(mover, *cursors);
    if (*cursors == NULL)
        return;
    for (uint32_t i = 0; i < (*cursors)->count; i++)
        cursor_move(&(*cursors)->list[i], mover);
}
