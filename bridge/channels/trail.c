#include "channels/trail.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_IDS 4

static struct trail *grow(struct trail *trail, struct notify_id sure)
{
    uint32_t cap = trail == NULL ? FIRST_IDS : trail->cap * 2;
    struct trail *larger = realloc(trail, sizeof(*trail) + cap * sizeof(struct notify_id));

    if (larger == NULL)
        return NULL;
    if (trail == NULL)
        *larger = (struct trail){.sure = sure};
    larger->cap = cap;
    return larger;
}

/* The first n count as sure. */
static void drop_first(struct trail *trail, uint32_t n)
{
    if (n == 0)
        return;
    trail->sure = trail->ids[n - 1];
    trail->len -= n;
    memmove(trail->ids, trail->ids + n, trail->len * sizeof(struct notify_id));
}

void trail_add(struct trail **trail, struct notify_id sure, struct notify_id id)
{
    struct trail *t = *trail;

    if (t != NULL && t->len == TRAIL_MAX)
        drop_first(t, TRAIL_MAX / 2);
    if (t == NULL || t->len == t->cap)
        t = grow(*trail, sure);
    if (t == NULL) {
        trail_forget(trail);
        return;
    }
    t->ids[t->len++] = id;
    *trail = t;
}

void trail_vouch(struct trail **trail, struct notify_id id)
{
    struct trail *t = *trail;

    if (t == NULL)
        return;
    for (uint32_t n = t->len; n > 0; n--)
        if (notify_id_cmp(t->ids[n - 1], id) == 0) {
            drop_first(t, n);
            break;
        }
    if (t->len == 0)
        trail_forget(trail);
}

void trail_pass(struct trail **trail, struct notify_id id)
{
    struct trail *t = *trail;
    uint32_t kept = 0;

    if (t == NULL)
        return;
    for (uint32_t i = 0; i < t->len; i++)
        if (notify_id_cmp(t->ids[i], id) > 0)
            t->ids[kept++] = t->ids[i];
    t->len = kept;
    t->sure = id;
    if (kept == 0)
        trail_forget(trail);
}

void trail_forget(struct trail **trail)
{
    free(*trail);
    *trail = NULL;
}

uint32_t trail_len(const struct trail *trail)
{
    return trail == NULL ? 0 : trail->len;
}

bool trail_has(const struct trail *trail, struct notify_id id)
{
    for (uint32_t i = trail_len(trail); i > 0; i--)
        if (notify_id_cmp(trail->ids[i - 1], id) == 0)
            return true;
    return false;
}

struct notify_id trail_before(const struct trail *trail, struct notify_id id)
{
    struct notify_id before = trail->sure;

    for (uint32_t i = 0; i < trail->len; i++)
        if (notify_id_cmp(trail->ids[i], id) < 0 && notify_id_cmp(trail->ids[i], before) > 0)
            before = trail->ids[i];
    return before;
}
