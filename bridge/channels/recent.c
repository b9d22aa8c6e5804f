#include "channels/recent.h"

#include "wire/frame.h"

size_t recent_cost(const struct batch *events)
{
    return events == NULL ? 0
                          : batch_cost(events) + events->bytes + events->len * sizeof(struct frame);
}

void recent_forget(struct recent *recent, struct recent_budget *budget)
{
    budget->bytes -= recent_cost(recent->events);
    recent->events = batch_free(recent->events);
}

size_t recent_taken(const struct recent_budget *budget)
{
    return budget->bytes + event_excerpts_bytes();
}

static bool has_room(const struct recent_budget *budget)
{
    return recent_taken(budget) < budget->bytes_max;
}

static void drop_first(struct recent *recent, struct recent_budget *budget, size_t n)
{
    size_t before = recent_cost(recent->events);

    for (size_t i = 0; i < n; i++)
        if (recent->events->events[i]->kind == EVENT_ENTRY)
            recent->from = recent->events->events[i]->id;
    batch_drop_first(recent->events, n);
    budget->bytes -= before - recent_cost(recent->events);
}

void recent_push(struct recent *recent, struct recent_budget *budget, struct event *event,
                 struct notify_id before, bool awaited)
{
    size_t max = budget->events_max * (awaited ? RECENT_AWAITED_FACTOR : 1);
    size_t cost = recent_cost(recent->events);
    bool appended;

    if (!has_room(budget)) {
        recent_forget(recent, budget);
        return;
    }
    if (recent->events == NULL)
        recent->from = before;
    appended = batch_append(&recent->events, event) == 0;
    budget->bytes += recent_cost(recent->events) - cost;
    if (!appended) {
        recent_forget(recent, budget);
        return;
    }
    /* Half at a time, so that dropping costs nothing per event. */
    if (recent->events->len > max)
        drop_first(recent, budget, recent->events->len - max / 2);
}

/* The events that were read up to end, then those of old (may be NULL). NULL: out of memory. */
static struct batch *join(const struct batch *read, struct notify_id end, const struct batch *old)
{
    struct batch *joined = NULL;

    for (size_t i = 0; i < read->len && notify_id_cmp(read->events[i]->id, end) <= 0; i++)
        if (batch_append(&joined, read->events[i]) != 0)
            return batch_free(joined);
    for (size_t i = 0; old != NULL && i < old->len; i++)
        if (batch_append(&joined, old->events[i]) != 0)
            return batch_free(joined);
    return joined;
}

/* Does what was read end where what is held begins, or behind that, and is all sure up to there? */
static bool lengthens(const struct recent_read *read, struct notify_id begin)
{
    return notify_id_cmp(read->from, begin) < 0 && notify_id_cmp(begin, read->last) <= 0 &&
           notify_id_cmp(begin, read->sure) <= 0;
}

void recent_extend(struct recent *recent, struct recent_budget *budget,
                   const struct recent_read *read, struct notify_id end)
{
    size_t max = budget->events_max * RECENT_AWAITED_FACTOR;
    struct notify_id begin = recent->events == NULL ? end : recent->from;
    struct batch *joined;

    if (read->events->len == 0 || !has_room(budget) || !lengthens(read, begin))
        return;
    joined = join(read->events, begin, recent->events);
    if (joined == NULL)
        return;
    recent_forget(recent, budget);
    recent->events = joined;
    recent->from = notify_id_later(read->from, read->trimmed);
    budget->bytes += recent_cost(joined);
    if (joined->len > max)
        drop_first(recent, budget, joined->len - max);
    recent_served(recent, budget);
}

void recent_served(struct recent *recent, struct recent_budget *budget)
{
    if (recent_taken(budget) > budget->bytes_max)
        recent_forget(recent, budget);
}

bool recent_covers(const struct recent *recent, struct notify_id pos, struct notify_id end)
{
    struct notify_id from = recent->events == NULL ? end : recent->from;

    return notify_id_cmp(pos, from) >= 0 && notify_id_cmp(pos, end) <= 0;
}
