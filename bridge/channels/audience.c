#include "channels/audience.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "channels/follow.h"
#include "channels/trail.h"

/* Most inboxes have one follow: it needs no table. */
static struct follow **table_of(const struct audience *audience)
{
    struct audience *owner = (struct audience *)audience; /* nothing is changed by looking */

    return audience->cap == 0 ? &owner->only : audience->follows;
}

static struct follow *at(const struct audience *audience, uint32_t i)
{
    return table_of(audience)[i];
}

void audience_release(struct audience *audience)
{
    if (audience->cap > 0)
        free(audience->follows);
    *audience = (struct audience){0};
}

/* 0 or -ENOMEM. */
static int grow(struct audience *audience)
{
    uint32_t cap = audience->cap == 0 ? 2 : audience->cap * 2;
    struct follow **follows = malloc(cap * sizeof(struct follow *));

    if (follows == NULL)
        return -ENOMEM;
    memcpy(follows, table_of(audience), audience->len * sizeof(struct follow *));
    if (audience->cap > 0)
        free(audience->follows);
    audience->follows = follows;
    audience->cap = cap;
    return 0;
}

int audience_add(struct audience *audience, struct follow *follow)
{
    if (audience->len > 0 && audience->len >= audience->cap && grow(audience) != 0)
        return -ENOMEM;
    follow->index = audience->len;
    follow->state = FOLLOW_BEHIND;
    table_of(audience)[audience->len++] = follow;
    return 0;
}

void audience_remove(struct audience *audience, struct follow *follow)
{
    struct follow *moved = at(audience, --audience->len);

    if (follow->state == FOLLOW_WAITING)
        audience->waiting--;
    table_of(audience)[follow->index] = moved;
    moved->index = follow->index;
}

void audience_wait(struct audience *audience, struct follow *follow)
{
    if (follow->state != FOLLOW_WAITING)
        audience->waiting++;
    follow->state = FOLLOW_WAITING;
    follow->in_read = follow->served = false;
}

void audience_fall_behind(struct audience *audience, struct follow *follow)
{
    if (follow->state == FOLLOW_WAITING)
        audience->waiting--;
    follow->state = FOLLOW_BEHIND;
    follow->refilled = true;
}

void audience_go_live(struct audience *audience, const struct follow_handlers *handlers,
                      struct follow *follow)
{
    follow->state = FOLLOW_LIVE;
    follow->epoch = 0;
    audience->waiting--;
    handlers->on_live(follow);
}

/* Who they are. */

static struct follow *next_in(const struct audience *audience, enum follow_state state, uint32_t *i)
{
    while (*i < audience->len) {
        struct follow *follow = at(audience, (*i)++);
        if (follow->state == state)
            return follow;
    }
    return NULL;
}

struct follow *audience_next_waiting(const struct audience *audience, uint32_t *i)
{
    return audience->waiting == 0 ? NULL : next_in(audience, FOLLOW_WAITING, i);
}

static struct follow *next_live(const struct audience *audience, uint32_t *i)
{
    return next_in(audience, FOLLOW_LIVE, i);
}

struct follow *audience_any(const struct audience *audience)
{
    return audience->len == 0 ? NULL : at(audience, audience->len - 1);
}

bool audience_has_live(const struct audience *audience)
{
    uint32_t i = 0;

    return next_live(audience, &i) != NULL;
}

struct notify_id audience_smallest(const struct audience *audience, uint32_t epoch,
                                   struct notify_id at_least)
{
    struct notify_id smallest = NOWHERE;
    const struct follow *follow;
    uint32_t i = 0;

    while ((follow = audience_next_waiting(audience, &i)) != NULL)
        if (!follow->from_now && follow_is_judged(follow, epoch) &&
            notify_id_cmp(follow->pos, at_least) >= 0 && notify_id_cmp(follow->pos, smallest) < 0)
            smallest = follow->pos;
    return smallest;
}

uint32_t audience_unjudged(const struct audience *audience, uint32_t epoch)
{
    const struct follow *follow;
    uint32_t i = 0;

    while ((follow = audience_next_waiting(audience, &i)) != NULL)
        if (!follow_is_judged(follow, epoch))
            return follow->epoch;
    return 0;
}

static void cut_at(struct follow *follow, struct notify_id end)
{
    if (notify_id_cmp(follow->pos, end) <= 0)
        return;
    follow->pos = end;
    follow_lose(follow);
}

void audience_judge(struct audience *audience, uint32_t epoch, struct notify_id end, bool is_known,
                    uint32_t now)
{
    struct follow *follow;
    uint32_t i = 0;

    while ((follow = audience_next_waiting(audience, &i)) != NULL) {
        if (follow->from_now || follow->epoch != epoch)
            continue;
        follow->epoch = now;
        if (!is_known && !notify_id_is_zero(follow->pos))
            follow_lose(follow);
        cut_at(follow, end);
    }
}

void audience_note_read(struct audience *audience)
{
    struct follow *follow;
    uint32_t i = 0;

    while ((follow = audience_next_waiting(audience, &i)) != NULL)
        follow->in_read = true;
}

/* Handing on. */

/* The usual case is one comparison per follow; a follow that was served by a read further than the
 * channel itself has come skips what it has had. */
static void hand_out(const struct follow_handlers *handlers, struct follow *follow,
                     struct batch *batch, struct notify_id newest)
{
    size_t skip = batch_after(batch, follow->pos);

    if (skip == 0) {
        handlers->deliver(follow, batch, newest);
        return;
    }
    for (size_t i = skip; i < batch->len && follow->state == FOLLOW_LIVE; i++) {
        struct event *room[1]; /* without memory the next one would hide that one is missing */
        struct batch one = {.events = room, .cap = 1};
        (void)batch_push(&one, batch->events[i]);
        handlers->deliver(follow, &one, batch_last_id(&one));
        batch_settle(&one);
        batch_clear(&one);
    }
}

/* With very many follows the next ones are fetched into the cache while this one's send() runs; a
 * step later what they point to, and so on. */
static void look_ahead(const struct audience *audience, const struct follow_handlers *handlers,
                       uint32_t i)
{
    if (i + 6 < audience->len)
        __builtin_prefetch(at(audience, i + 6), 1);
    if (i + 4 < audience->len)
        handlers->look_ahead(at(audience, i + 4));
    if (i + 2 < audience->len)
        handlers->look_ahead_more(at(audience, i + 2));
}

/* What those miss, now or for good, who are not live. Who is about to be served for the first time
 * was not there when an event was said that is not stored. */
static void note_absent(const struct batch *batch, uint32_t behind, uint32_t waiting)
{
    for (size_t i = 0; i < batch->len; i++) {
        struct event *event = batch->events[i];
        if (event->kind == EVENT_ENTRY)
            event->reach.of[REACH_LATER] += behind + waiting;
        if (event->kind != EVENT_VOLATILE)
            continue;
        event->reach.of[REACH_TOO_SLOW] += behind;
        counter_add(COUNTER_EVENTS_LOST_VOLATILE, behind);
        counter_add(COUNTER_DROPPED_SLOW, behind);
    }
}

void audience_deliver(struct audience *audience, const struct follow_handlers *handlers,
                      struct batch *batch)
{
    struct notify_id newest = batch_last_id(batch);
    uint32_t behind = 0, waiting = 0;

    for (uint32_t i = 0; i < audience->len; i++) {
        struct follow *follow = at(audience, i);
        look_ahead(audience, handlers, i);
        if (follow->state == FOLLOW_LIVE)
            hand_out(handlers, follow, batch, newest);
        else if (follow->state == FOLLOW_BEHIND)
            behind++;
        else
            waiting += !follow->from_now;
    }
    if (behind + waiting > 0)
        note_absent(batch, behind, waiting);
}

/* Its first entry says the epoch: whoever is cut off behind it must be able to say under which he
 * had it. False: out of memory. */
static bool cut_out(struct batch *cut, const struct batch *source, size_t start, uint32_t epoch)
{
    bool told = epoch == 0;

    for (size_t i = start; i < source->len; i++) {
        struct event *event = source->events[i];
        bool tells = !told && event->kind == EVENT_ENTRY;
        if (tells)
            event = event_with_epoch(event, epoch);
        if (event == NULL || batch_push(cut, event) != 0)
            return false;
        told = told || tells;
    }
    return true;
}

/* False: out of memory. Half of it must not pass for all of it. */
static bool cut_from(struct audience_cut *cut, const struct batch *source, size_t start,
                     uint32_t epoch)
{
    if (cut->batch.len > 0 && cut->start == start)
        return true;
    batch_clear(&cut->batch);
    cut->start = start;
    if (cut_out(&cut->batch, source, start, epoch))
        return true;
    batch_clear(&cut->batch);
    return false;
}

/* Whoever is cut off behind what still came must have been told that something before it is gone:
 * from there on nothing shows it any more. */
static bool say_gap(const struct follow_handlers *handlers, struct follow *follow)
{
    if (follow_owes_gap(follow))
        follow->gap_said = handlers->on_gap_ahead(follow);
    return !follow_owes_gap(follow);
}

bool audience_serve(const struct follow_handlers *handlers, struct follow *follow,
                    const struct batch *source, struct audience_cut *cut)
{
    size_t start = batch_after(source, follow->pos);

    if (start == source->len)
        return true;
    if (!cut_from(cut, source, start, follow_box_epoch(follow)) || !say_gap(handlers, follow))
        return false;
    handlers->deliver(follow, &cut->batch, batch_last_id(&cut->batch));
    follow->served = true;
    follow->epoch = 0;
    return follow->state == FOLLOW_WAITING;
}

/* Positions that prove wrong. */

void audience_tell_gap(struct audience *audience, const struct follow_handlers *handlers,
                       struct notify_id trimmed)
{
    struct follow *follow;
    uint32_t i = 0;

    while ((follow = next_live(audience, &i)) != NULL)
        if (notify_id_cmp(follow->pos, trimmed) < 0) /* one that is ahead may have had them */
            handlers->on_gap(follow);
}

/* Stands where we have brought it to, and not where its client has said. */
static bool has_been_served(const struct follow *follow)
{
    return follow->state != FOLLOW_WAITING || follow->refilled || follow->served;
}

/* It has missed nobody knows what. told: a message says so. */
static void set_back(const struct follow_handlers *handlers, struct follow *follow,
                     struct notify_id pos, bool told)
{
    follow->pos = pos;
    if (follow->state != FOLLOW_LIVE)
        follow_lose(follow);
    else if (!told)
        handlers->on_gap(follow);
}

void audience_come_back(struct audience *audience, const struct follow_handlers *handlers,
                        const struct trail *trail, struct notify_id end)
{
    struct follow *follow;
    uint32_t i = 0;

    while ((follow = next_live(audience, &i)) != NULL)
        if (notify_id_cmp(follow->pos, end) > 0 && !trail_has(trail, follow->pos))
            set_back(handlers, follow, end, false);
}

void audience_begin_at(struct audience *audience, const struct follow_handlers *handlers,
                       struct notify_id pos)
{
    struct follow *follow;
    uint32_t i = 0;

    while ((follow = next_live(audience, &i)) != NULL)
        set_back(handlers, follow, pos, false);
}

void audience_go_before(struct audience *audience, struct notify_id id)
{
    struct follow *follow;
    uint32_t i = 0;

    while ((follow = next_live(audience, &i)) != NULL)
        follow->pos = notify_id_before(id);
}

void audience_note_gap(struct audience *audience)
{
    for (uint32_t i = 0; i < audience->len; i++)
        if (at(audience, i)->state != FOLLOW_LIVE && has_been_served(at(audience, i)))
            follow_lose(at(audience, i));
}

void audience_change_box(struct audience *audience, const struct follow_handlers *handlers,
                         struct notify_id from, struct notify_id ahead, struct notify_id end,
                         bool told)
{
    for (uint32_t i = 0; i < audience->len; i++) {
        struct follow *follow = at(audience, i);
        bool stays =
            (follow->state != FOLLOW_LIVE && notify_id_cmp(follow->pos, from) <= 0) ||
            (notify_id_cmp(follow->pos, ahead) > 0 && notify_id_cmp(follow->pos, end) <= 0);
        if (has_been_served(follow))
            set_back(handlers, follow, stays ? follow->pos : from, told);
    }
}

/* It stands somewhere in the former epoch: how far that is good, the box is asked. Who is live
 * waits for the answer. */
static void doubt(struct audience *audience, struct follow *follow, uint32_t epoch)
{
    if (follow->state == FOLLOW_LIVE) {
        audience_fall_behind(audience, follow); /* it is told how it came out */
        audience_wait(audience, follow);
    }
    if (follow->epoch == 0)
        follow->epoch = epoch;
}

void audience_doubt(struct audience *audience, struct notify_id last, uint32_t epoch)
{
    for (uint32_t i = 0; i < audience->len; i++) {
        struct follow *follow = at(audience, i);
        if (!follow->from_now && notify_id_cmp(follow->pos, last) > 0)
            doubt(audience, follow, epoch);
    }
}

/* Is id one that was believed, at missing or behind it, and so not real? */
static bool is_unreal(const struct trail *trail, struct notify_id id, struct notify_id missing)
{
    return notify_id_cmp(id, missing) >= 0 && trail_has(trail, id);
}

/* Does it stand at such an id? Who fell behind stands before one that was dropped from its queue.
 */
static bool stands_at_unreal(const struct follow *follow, const struct trail *trail,
                             struct notify_id missing)
{
    return is_unreal(trail, follow->pos, missing) ||
           (follow->refilled && is_unreal(trail, notify_id_after(follow->pos), missing));
}

void audience_leave_unreal(struct audience *audience, const struct follow_handlers *handlers,
                           const struct trail *trail, struct notify_id missing, bool told)
{
    struct notify_id real;

    if (trail == NULL)
        return;
    real = trail_before(trail, missing);
    for (uint32_t i = 0; i < audience->len; i++)
        if (stands_at_unreal(at(audience, i), trail, missing))
            set_back(handlers, at(audience, i), real, told);
}

bool audience_stands_at_believed(const struct follow *follow, const struct trail *trail)
{
    return trail != NULL && stands_at_unreal(follow, trail, (struct notify_id){0, 0});
}

bool audience_waits_at_believed(const struct audience *audience, const struct trail *trail)
{
    const struct follow *follow;
    uint32_t i = 0;

    while (trail != NULL && (follow = audience_next_waiting(audience, &i)) != NULL)
        if (audience_stands_at_believed(follow, trail))
            return true;
    return false;
}
