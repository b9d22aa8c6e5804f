#include "channels/channel.h"

#include <errno.h>
#include <stdlib.h>

#include "redis/catchup.h"
#include "channels/channel_private.h"
#include "channels/follow.h"
#include "base/counters.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/small.h"
#include "redis/subscription.h"

#define STASH_MAX_EVENTS 4096 /* then the hole is read again, up to a later end */
#define FAR_MS 10000 /* an id may be ahead of the clock by so much, or is looked at twice */

struct channel *channel_new(struct channel_shared *shared)
{
    struct channel *channel = small_take(sizeof(*channel));

    if (channel != NULL)
        channel->shared = shared;
    return channel;
}

/* Somebody is or will be served from what is kept now. */
static bool is_awaited(const struct channel *channel)
{
    return channel->audience.waiting > 0 || channel->reading;
}

/* A channel with a single follow, which an inbox nearly always is, keeps nothing: whoever comes
 * back to it costs one cheap read. */
bool channel_keeps_recent(const struct channel *channel)
{
    return channel->audience.len != 1 || is_awaited(channel);
}

void channel_forget_recent(struct channel *channel)
{
    recent_forget(&channel->recent, &channel->shared->recent);
}

/* The stash, which is the caller's now; NULL: there is none. */
static struct batch *take_off_stash(struct channel *channel)
{
    struct batch *stash = channel->stash;

    channel->shared->stash_bytes -= batch_cost(stash);
    channel->stash = NULL;
    return stash;
}

/* What was accepted, which is the caller's now; NULL: there is nothing. */
static struct batch *take_off_fresh(struct channel *channel)
{
    struct batch *fresh = channel->fresh;

    channel->shared->ahead_bytes -= batch_cost(fresh);
    channel->fresh = NULL;
    return fresh;
}

static void leave_queue(struct channel *channel)
{
    if (channel->dirty)
        TAILQ_REMOVE(&channel->shared->dirty, channel, dirty_link);
    channel->dirty = false;
}

void channel_free(struct channel *channel)
{
    if (channel == NULL)
        return;
    leave_queue(channel);
    channel_forget_recent(channel);
    trail_forget(&channel->trail);
    batch_free(take_off_fresh(channel));
    batch_free(take_off_stash(channel));
    free(channel->read);
    audience_release(&channel->audience);
    small_give(channel, sizeof(*channel));
}

/* Asking Redis. */

static size_t stash_len(const struct channel *channel)
{
    return channel->stash == NULL ? 0 : channel->stash->len;
}

/* The smallest position at or behind at_least that something is lacking from: itself (own, unless
 * that is NOWHERE), or somebody who waits. NOWHERE: there is none. */
static struct notify_id smallest_from(const struct channel *channel, struct notify_id own,
                                      struct notify_id at_least)
{
    struct notify_id from = audience_smallest(&channel->audience, channel->epoch, at_least);

    if (notify_id_cmp(own, at_least) >= 0 && notify_id_cmp(own, from) < 0)
        return own;
    return from;
}

/* Where the next read begins. When nobody lacks anything from a position that is known to be good,
 * it is asked how far those are good that are of another epoch. */
static void choose_read(struct channel *channel, struct channel_read *read, struct notify_id own)
{
    read->judges = false;
    read->epoch = channel->known ? channel->epoch : 0;
    read->from = channel->own_only ? own : smallest_from(channel, own, read->on);
    if (notify_id_cmp(read->from, NOWHERE) == 0)
        read->from = smallest_from(channel, own, (struct notify_id){0, 0});
    if (notify_id_cmp(read->from, NOWHERE) != 0 || !channel->known)
        return;
    read->epoch = audience_unjudged(&channel->audience, channel->epoch);
    read->judges = read->epoch != 0;
    if (read->judges)
        read->from = (struct notify_id){NOTIFY_ID_MAX_MS, UINT64_MAX};
}

void channel_read_from(struct channel *channel, struct notify_id own)
{
    struct channel_read *read = channel->read;
    bool nowhere;

    if (channel->reading)
        return;
    if (read == NULL)
        read = channel->read = calloc(1, sizeof(*read));
    if (read == NULL) {
        log_error("out_of_memory", "at", "channel");
        return;
    }
    choose_read(channel, read, own);
    audience_note_read(&channel->audience);
    nowhere = notify_id_cmp(read->from, NOWHERE) == 0;
    read->last = channel->last;
    read->rev = channel->rev;
    read->stash = stash_len(channel);
    channel->read_stale = false;
    channel->reading =
        catchup_ask(channel->shared->catchup, subscription_channel(channel->sub),
                    nowhere ? NULL : &read->from, channel->rev, read->epoch, channel) == 0;
    if (!channel->reading)
        log_error("out_of_memory", "at", "catchup");
}

void channel_stop(struct channel *channel, enum sync_reason reason)
{
    if (channel->state == CHANNEL_SYNCING)
        return;
    channel->state = CHANNEL_SYNCING;
    channel->hole_rev = channel->known && reason == SYNC_HOLE ? channel->rev : 0;
    channel->hole_entries = 0;
}

void channel_sync_up(struct channel *channel, enum sync_reason reason)
{
    channel_stop(channel, reason);
    channel_read_from(channel, channel->known ? channel->last : NOWHERE);
}

/* Live. */

void channel_mark_dirty(struct channel *channel)
{
    if (!channel->dirty)
        TAILQ_INSERT_TAIL(&channel->shared->dirty, channel, dirty_link);
    channel->dirty = true;
}

/* event has just become the newest; before: last until then. */
static void remember(struct channel *channel, struct event *event, struct notify_id before)
{
    if (channel_keeps_recent(channel))
        recent_push(&channel->recent, &channel->shared->recent, event, before, is_awaited(channel));
    else
        channel_forget_recent(channel);
}

void channel_tell_watch(struct channel *channel, struct event *event, size_t followers)
{
    const struct channel_watch *watch = &channel->shared->watch;

    if (watch->fn != NULL)
        watch->fn(watch->ctx, subscription_channel(channel->sub), event, followers);
}

static bool append_fresh(struct channel *channel, struct event *event)
{
    size_t before = batch_cost(channel->fresh);
    bool appended = batch_append(&channel->fresh, event) == 0;

    channel->shared->ahead_bytes += batch_cost(channel->fresh) - before;
    return appended;
}

bool channel_accept(struct channel *channel, struct event *event)
{
    struct notify_id before = channel->last;
    bool tells = channel->untold && event->kind == EVENT_ENTRY;

    if (tells) /* whoever goes on from there can say so, too */
        event = event_with_epoch(event, channel->epoch);
    if (event == NULL)
        return false;
    if (channel->audience.len > 0) {
        counter_add(COUNTER_NOTIFICATIONS_HEARD, event_is_notification(event));
        if (!append_fresh(channel, event)) {
            log_error("out_of_memory", "at", "channel");
            return false;
        }
        channel_mark_dirty(channel);
    } else {
        channel_tell_watch(channel, event, 0);
    }
    channel->untold = channel->untold && !tells && event->epoch != channel->epoch;
    if (event->kind == EVENT_ENTRY)
        channel->last = event->id;
    if (event->rev > channel->rev && event->whole_box == WHOLE_BOX_STAYS)
        channel->rev = event->rev;
    if (event->kind != EVENT_VOLATILE) /* whoever comes back may have had it, and cannot say so */
        remember(channel, event, before);
    return true;
}

/* Entries are in Redis as well: a read that is asked for later brings them. */
static void give_up_stash(struct channel *channel)
{
    struct batch *stash = take_off_stash(channel);

    for (size_t i = 0; stash != NULL && i < stash->len; i++)
        if (stash->events[i]->kind == EVENT_VOLATILE)
            channel_lose(channel, stash->events[i]);
    batch_free(stash);
    if (channel->read != NULL)
        channel->read->told_begin = channel->read->told_end = 0;
    channel->doubts = false;
    channel->read_stale = true;
}

static bool tells_of_whole_box(const struct batch *batch)
{
    for (size_t i = 0; batch != NULL && i < batch->len; i++)
        if (batch->events[i]->whole_box != WHOLE_BOX_STAYS)
            return true;
    return false;
}

static bool is_too_much(const struct channel *channel, const struct event *event)
{
    const struct batch alone = {.len = 1, .bytes = event->len};
    size_t more =
        batch_cost(&alone) - (channel->stash == NULL ? 0 : batch_cost(&(struct batch){0}));

    return channel->shared->stash_bytes + more > channel->shared->stash_bytes_max;
}

static void make_room(struct channel *channel, const struct event *event)
{
    if (stash_len(channel) >= STASH_MAX_EVENTS)
        counter_add(COUNTER_STASHED_EVENTS, 1);
    else if (is_too_much(channel, event))
        counter_add(COUNTER_STASHED_BYTES, 1);
    else
        return;
    channel->flushed |= tells_of_whole_box(channel->stash); /* that will not be said again */
    give_up_stash(channel);
}

/* False: there is no room, or no memory. */
static bool append_stash(struct channel *channel, struct event *event)
{
    size_t before = batch_cost(channel->stash);
    bool appended = !is_too_much(channel, event) && batch_append(&channel->stash, event) == 0;

    channel->shared->stash_bytes += batch_cost(channel->stash) - before;
    return appended;
}

static void stash(struct channel *channel, struct event *event)
{
    make_room(channel, event);
    if (append_stash(channel, event))
        return;
    channel->flushed |= event->whole_box != WHOLE_BOX_STAYS;
    channel->doubts &= stash_len(channel) > 0;
    channel->read_stale = true;
    if (event->kind == EVENT_VOLATILE)
        channel_lose(channel, event);
}

struct notify_id channel_sure(const struct channel *channel)
{
    return channel->trail == NULL ? channel->last : channel->trail->sure;
}

static bool is_far(const struct channel *channel, struct notify_id id)
{
    return id.ms > loop_wall_ms(channel->shared->loop) + FAR_MS;
}

/* What the module publishes next of a box as we know it: it names the last entry, and stands behind
 * it in id and in revision. */
static bool fits(const struct channel *channel, const struct event *event)
{
    return notify_id_cmp(event->prev, channel->last) == 0 &&
           notify_id_cmp(event->id, channel->last) > 0 && event->rev > channel->rev &&
           !is_far(channel, event->id);
}

/* Has it been had: on the way while Redis was read, or published twice by somebody else? The first
 * entry of a box may also be that of a box that has begun anew. */
static bool is_repetition(const struct channel *channel, const struct event *event)
{
    bool is_old = channel->sure_rev == 0 || event->rev <= channel->sure_rev; /* 0: not known */

    return trail_has(channel->trail, event->id) ||
           (is_old && notify_id_cmp(event->id, channel_sure(channel)) <= 0);
}

/* It is handed on; Redis is asked now and then whether such entries are real. */
static void believe(struct channel *channel, struct event *event)
{
    struct notify_id before = channel_sure(channel);

    if (!channel_accept(channel, event))
        return; /* a hole for the next one */
    if (event->epoch != 0)
        channel->epoch = event->epoch;
    trail_add(&channel->trail, before, event->id);
    if (trail_len(channel->trail) >= TRAIL_CHECK)
        channel_read_from(channel, channel->last);
}

/* Redis is asked what is true before anything else goes out. */
static void doubt(struct channel *channel, struct event *event)
{
    bool hole = event->kind == EVENT_ENTRY && notify_id_cmp(event->prev, channel->last) > 0;

    counter_add(hole ? COUNTER_GAPS_REPAIRED : COUNTER_EVENTS_DOUBTED, 1);
    channel->doubts = true;
    stash(channel, event);
    channel_sync_up(channel, hole ? SYNC_HOLE : SYNC_DOUBT);
}

/* Where nothing can be read, everything is handed on, but for what came just now. Ids may go back
 * then, and positions with them. */
static void take_unread(struct channel *channel, struct event *event)
{
    struct notify_id before = channel_sure(channel);

    if (is_repetition(channel, event))
        return;
    if (notify_id_cmp(event->id, channel->last) <= 0) {
        channel_flush(channel);
        channel_forget_recent(channel);
        audience_go_before(&channel->audience, event->id);
    }
    if (channel_accept(channel, event))
        trail_add(&channel->trail, before, event->id);
}

/* May changes that were heard since Redis was asked be of another branch than what comes next? In a
 * cluster a former primary may have told of them that did not know yet that it is none. */
static bool may_have_heard_former(const struct channel *channel)
{
    return channel->shared->hears_former && channel->rev != channel->sure_rev;
}

/* Does a new epoch begin with it that need not be asked about? It does with the first change of a
 * box, and where the stream goes on: who hears that has lost nothing. A replica says so, too, when
 * it has been made a primary of its own. */
static bool begins_epoch(const struct channel *channel, const struct event *event)
{
    if (event->epoch == 0 || event->epoch == channel->epoch)
        return true;
    return !channel->shared->hears_replicas && !may_have_heard_former(channel) &&
           (channel->rev == 0 || event->rev == channel->rev + 1);
}

static void take_live(struct channel *channel, struct event *event)
{
    if (event->kind == EVENT_VOLATILE || !channel->known)
        (void)channel_accept(channel, event); /* cannot be had again */
    else if (event->whole_box != WHOLE_BOX_STAYS || !begins_epoch(channel, event))
        doubt(channel, event);
    else if (channel_accept(channel, event) && event->epoch != 0)
        channel->epoch = event->epoch;
}

static void take_entry(struct channel *channel, struct event *event)
{
    if (!channel->known) {
        take_unread(channel, event);
    } else if (fits(channel, event) && begins_epoch(channel, event)) {
        believe(channel, event);
    } else if (notify_id_is_zero(event->prev) || !is_repetition(channel, event)) {
        doubt(channel, event);
    }
}

static void take(struct channel *channel, struct event *event)
{
    if (channel->state != CHANNEL_LIVE)
        stash(channel, event); /* all kinds: a change must not overtake the entry that it changes */
    else if (event->kind == EVENT_ENTRY)
        take_entry(channel, event);
    else
        take_live(channel, event);
}

void channel_take_stash(struct channel *channel)
{
    struct channel_read read = *channel->read;
    struct batch *stashed = take_off_stash(channel);

    channel->read->told_begin = channel->read->told_end = 0;
    for (size_t i = 0; stashed != NULL && i < stashed->len; i++) {
        struct event *event = stashed->events[i];
        bool was_told = event->kind != EVENT_ENTRY && i >= read.told_begin && i < read.told_end;
        if (!was_told && (i >= read.stash || !channel->known))
            take(channel, event);
        else if (!was_told && event->kind != EVENT_ENTRY)
            (void)channel_accept(channel, event);
    }
    batch_free(stashed);
    if (channel->reading) /* if one of them made us ask, all of them were there before */
        channel->read->stash = stash_len(channel);
}

/* Counted, not told to anybody. */
static bool is_foreign(const struct event *event, struct notify_str name)
{
    if (event != NULL && event_is_of(event, name))
        return false;
    counter_add(COUNTER_EVENTS_FOREIGN, 1);
    counter_add(COUNTER_DROPPED_FOREIGN, 1);
    log_debug("foreign_message", "channel", log_bytes(name.ptr, name.len));
    return true;
}

void channel_on_message(void *owner, struct notify_str message)
{
    struct channel *channel = owner;
    struct notify_str name = subscription_channel(channel->sub);
    bool room = channel_has_room(channel);
    struct event *event;

    if (channel->plain) {
        channel_plain_message(channel, name, message);
        return;
    }
    if (!room && event_looks_stored(message)) {
        channel_miss(channel, NULL);
        return;
    }
    event = event_decode(message);
    if (!is_foreign(event, name)) {
        room = room || event->whole_box != WHOLE_BOX_STAYS; /* that will not be said again */
        (room ? take : channel_miss)(channel, event);
    }
    event_unref(event);
}

/* The same, of what has been handed on: how far it has come. */
static void tell_watch(struct channel *channel, struct batch *batch)
{
    if (channel->shared->watch.fn == NULL)
        return;
    batch_settle(batch);
    for (size_t i = 0; i < batch->len; i++)
        channel_tell_watch(channel, batch->events[i], channel->audience.len);
}

void channel_flush(struct channel *channel)
{
    struct batch *fresh = take_off_fresh(channel);

    if (!channel->missed) /* else its turn is still to come */
        leave_queue(channel);
    if (fresh == NULL)
        return;
    audience_deliver(&channel->audience, channel->shared->handlers, fresh);
    tell_watch(channel, fresh);
    batch_free(fresh);
}

void channel_take_turn(struct channel *channel)
{
    leave_queue(channel);
    channel_flush(channel);
    if (channel->missed)
        channel_repair(channel);
}

/* Who follows. */

int channel_add(struct channel *channel, struct follow *follow)
{
    if (audience_add(&channel->audience, follow) != 0)
        return -ENOMEM;
    channel_flush(channel); /* what came before is not for the newcomer, who is behind */
    follow->channel = channel;
    channel_resume(channel, follow);
    return 0;
}

void channel_remove(struct channel *channel, struct follow *follow)
{
    audience_remove(&channel->audience, follow);
    follow->channel = NULL;
}

void channel_resume(struct channel *channel, struct follow *follow)
{
    audience_wait(&channel->audience, follow);
    if (channel->state == CHANNEL_LIVE) {
        channel_flush(channel); /* recent and follows must agree on what is out */
        channel_serve_one(channel, follow);
    }
}

void channel_fall_behind(struct follow *follow)
{
    audience_fall_behind(&follow->channel->audience, follow);
}

/* What subscription reports. */

void channel_on_held(void *owner)
{
    struct channel *channel = owner;

    if (channel->plain)
        channel_plain_held(channel);
    else
        channel_sync_up(channel, SYNC_HOLE);
}

void channel_on_lost(void *owner)
{
    struct channel *channel = owner;

    channel->state = CHANNEL_JOINING;
    give_up_stash(channel);
    channel->missed = channel->flushed = channel->own_only = false;
}

static void read_anew(struct channel *channel, bool flushed)
{
    if (channel->plain || channel->state == CHANNEL_JOINING) /* is read once it is held */
        return;
    channel_flush(channel);
    channel->flushed |= flushed;
    channel->read_stale = true; /* if one is under way */
    channel_sync_up(channel, SYNC_HOLE);
}

void channel_on_flushed(void *owner)
{
    read_anew(owner, true);
}

/* One that has missed messages itself must not take what stands where they were for another box:
 * entries among them may have been deleted or cut off since. */
void channel_on_perhaps_flushed(void *owner)
{
    struct channel *channel = owner;

    read_anew(channel, channel->state == CHANNEL_LIVE);
}

void channel_on_refused(void *owner)
{
    struct channel *channel = owner;
    struct follow *follow;

    while ((follow = audience_any(&channel->audience)) != NULL)
        channel->shared->handlers->on_refused(follow);
}

const struct subscription_handlers channel_subscription_handlers = {
    .on_held = channel_on_held,
    .on_lost = channel_on_lost,
    .on_refused = channel_on_refused,
    .on_message = channel_on_message,
    .on_pattern_message = channel_on_pattern_message,
};

uint32_t follow_box_epoch(const struct follow *follow)
{
    return follow->channel->known ? follow->channel->epoch : 0;
}

struct notify_str follow_key(const struct follow *follow)
{
    return subscription_channel(follow->channel->sub);
}
