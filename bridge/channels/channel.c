#include "channels/channel.h"

#include <errno.h>
#include <stdlib.h>

#include "redis/catchup.h"
#include "channels/follow.h"
#include "base/counters.h"
#include "base/log.h"
#include "base/loop.h"
#include "redis/resp.h"
#include "redis/subscription.h"

#define STASH_MAX_EVENTS 4096 /* then the hole is read again, up to a later end */

struct channel *channel_new(struct channel_shared *shared)
{
    struct channel *channel = calloc(1, sizeof(*channel));

    if (channel != NULL)
        channel->shared = shared;
    return channel;
}

/* Somebody is or will be served from what is kept now. */
static bool is_awaited(const struct channel *channel)
{
    return channel->waiting > 0 || channel->reading;
}

/* A channel with a single follow, which an inbox nearly always is, keeps nothing: whoever comes
 * back to it costs one cheap read. */
static bool keeps_recent(const struct channel *channel)
{
    return channel->len != 1 || is_awaited(channel);
}

static void forget_recent(struct channel *channel)
{
    recent_forget(&channel->recent, &channel->shared->recent);
}

void channel_free(struct channel *channel)
{
    if (channel == NULL)
        return;
    if (channel->dirty)
        TAILQ_REMOVE(&channel->shared->dirty, channel, dirty_link);
    forget_recent(channel);
    batch_free(channel->fresh);
    batch_free(channel->stash);
    free(channel->follows);
    free(channel);
}

/* Asking Redis. */

#define NOWHERE ((struct notify_id){UINT64_MAX, UINT64_MAX})

/* The smallest position at or behind at_least that something is lacking from: itself (own, unless
 * that is NOWHERE), or somebody who waits. NOWHERE: there is none. */
static struct notify_id smallest_from(const struct channel *channel, struct notify_id own,
                                      struct notify_id at_least)
{
    struct notify_id from = notify_id_cmp(own, at_least) < 0 ? NOWHERE : own;

    for (uint32_t i = 0; channel->waiting > 0 && i < channel->len; i++) {
        const struct follow *follow = channel->follows[i];
        if (follow->state == FOLLOW_WAITING && !follow->from_now &&
            notify_id_cmp(follow->pos, at_least) >= 0 && notify_id_cmp(follow->pos, from) < 0)
            from = follow->pos;
    }
    return from;
}

static void mark_in_read(struct channel *channel)
{
    for (uint32_t i = 0; channel->waiting > 0 && i < channel->len; i++)
        if (channel->follows[i]->state == FOLLOW_WAITING)
            channel->follows[i]->in_read = true;
}

/* One read at a time; who comes later is served by it too, or by the next. own: where what the
 * channel itself lacks begins; NOWHERE: nothing but what the waiting lack, and where the box ends.
 *
 * An answer is a portion. The next one goes on where it ended as long as somebody is there, and
 * only then from the smallest position again: newcomers who begin far back do not hold up those who
 * are on their way. */
static void read_from(struct channel *channel, struct notify_id own)
{
    struct notify_id from;
    bool nowhere;

    if (channel->reading)
        return;
    from = smallest_from(channel, own, channel->read_on);
    if (notify_id_cmp(from, NOWHERE) == 0)
        from = smallest_from(channel, own, (struct notify_id){0, 0});
    mark_in_read(channel);
    nowhere = notify_id_cmp(from, NOWHERE) == 0;
    channel->read_from = from;
    channel->read_last = channel->last;
    channel->read_stash = channel->stash == NULL ? 0 : channel->stash->len;
    channel->read_stale = false;
    channel->reading = catchup_ask(channel->shared->catchup, subscription_channel(channel->sub),
                                   nowhere ? NULL : &from, channel->rev, channel) == 0;
    if (!channel->reading)
        log_error("out_of_memory", "at", "catchup");
}

/* Reads what the channel itself lacks. */
static void sync_up(struct channel *channel)
{
    if (channel->state != CHANNEL_SYNCING) {
        channel->hole_rev = channel->known ? channel->rev : 0;
        channel->hole_entries = 0;
    }
    channel->state = CHANNEL_SYNCING;
    read_from(channel, channel->known ? channel->last : NOWHERE);
}

/* Live. */

static void mark_dirty(struct channel *channel)
{
    if (!channel->dirty)
        TAILQ_INSERT_TAIL(&channel->shared->dirty, channel, dirty_link);
    channel->dirty = true;
}

/* event has just become the newest; before: last until then. */
static void remember(struct channel *channel, struct event *event, struct notify_id before)
{
    if (keeps_recent(channel))
        recent_push(&channel->recent, &channel->shared->recent, event, before, is_awaited(channel));
    else
        forget_recent(channel);
}

/* False: out of memory. Then last stays, and the next entry shows that one is missing. */
static bool accept(struct channel *channel, struct event *event)
{
    struct notify_id before = channel->last;

    if (channel->len > 0) {
        if (batch_append(&channel->fresh, event) != 0) {
            log_error("out_of_memory", "at", "channel");
            return false;
        }
        mark_dirty(channel);
    }
    if (event->kind == EVENT_ENTRY)
        channel->last = event->id;
    /* A box that is begun anew counts from 1 again. */
    if (event->rev > channel->rev ||
        (event->kind == EVENT_ENTRY && notify_id_is_zero(event->prev) && event->rev > 0))
        channel->rev = event->rev;
    if (event->kind != EVENT_VOLATILE) /* whoever comes back may have had it, and cannot say so */
        remember(channel, event, before);
    return true;
}

/* Entries are in Redis as well: when some of the stash is given up, a read that is asked for later
 * brings them. */
static void stash(struct channel *channel, struct event *event)
{
    if (channel->stash != NULL && channel->stash->len >= STASH_MAX_EVENTS) {
        batch_clear(channel->stash);
        channel->read_stale = true;
    }
    if (batch_append(&channel->stash, event) != 0)
        channel->read_stale = true;
}

static void take(struct channel *channel, struct event *event)
{
    if (channel->state != CHANNEL_LIVE) {
        stash(channel, event); /* all kinds: a change must not overtake the entry that it changes */
    } else if (event->kind != EVENT_ENTRY) {
        (void)accept(channel, event); /* cannot be had again */
    } else if (notify_id_cmp(event->id, channel->last) > 0) {
        if (channel->known && notify_id_cmp(event->prev, channel->last) > 0) {
            counter_add(COUNTER_GAPS_REPAIRED, 1);
            stash(channel, event);
            sync_up(channel);
        } else {
            (void)accept(channel, event); /* if not, it is a hole for the next one */
        }
    } /* else it has been had already, from a read */
}

void channel_on_message(struct channel *channel, struct notify_str message)
{
    struct notify_str name = subscription_channel(channel->sub);
    struct event *event = event_decode(message);

    if (event == NULL || !event_is_of(event, name)) {
        event_unref(event);
        counter_add(COUNTER_EVENTS_FOREIGN, 1);
        log_debug("foreign_message", "channel", log_bytes(name.ptr, name.len));
        return;
    }
    take(channel, event);
    event_unref(event);
}

/* The usual case is one comparison per follow; a follow that was served by a read further than the
 * channel itself has come skips what it has had. */
static void hand_out(const struct channel *channel, struct follow *follow, struct batch *batch,
                     struct notify_id newest)
{
    size_t skip = batch_after(batch, follow->pos);

    if (skip == 0) {
        channel->shared->handlers->deliver(follow, batch, newest);
        return;
    }
    for (size_t i = skip; i < batch->len && follow->state == FOLLOW_LIVE; i++) {
        struct batch one = {0};
        if (batch_push(&one, batch->events[i]) == 0)
            channel->shared->handlers->deliver(follow, &one, batch_last_id(&one));
        batch_release(&one);
    }
}

/* With very many follows the next ones are fetched into the cache while this one's send() runs; a
 * step later what they point to, and so on. */
static void look_ahead(const struct channel *channel, uint32_t i)
{
    if (i + 6 < channel->len)
        __builtin_prefetch(channel->follows[i + 6], 1);
    if (i + 4 < channel->len)
        channel->shared->handlers->look_ahead(channel->follows[i + 4]);
    if (i + 2 < channel->len)
        channel->shared->handlers->look_ahead_more(channel->follows[i + 2]);
}

void channel_flush(struct channel *channel)
{
    struct batch *fresh = channel->fresh;
    struct notify_id newest;

    if (channel->dirty)
        TAILQ_REMOVE(&channel->shared->dirty, channel, dirty_link);
    channel->dirty = false;
    channel->fresh = NULL;
    if (fresh == NULL)
        return;
    newest = batch_last_id(fresh);
    for (uint32_t i = 0; i < channel->len; i++) {
        look_ahead(channel, i);
        if (channel->follows[i]->state == FOLLOW_LIVE)
            hand_out(channel, channel->follows[i], fresh, newest);
    }
    batch_free(fresh);
}

/* Serving those who wait. */

static void become_live(struct channel *channel, struct follow *follow)
{
    follow->state = FOLLOW_LIVE;
    channel->waiting--;
    channel->shared->handlers->on_live(follow);
}

/* Sends source's events behind follow->pos. False: the client could not take all of it and is
 * BEHIND. *shared is the batch that the follow before this one got: very often this one lacks the
 * same, and then all of them are sent the same buffer. */
static bool send_after(struct follow *follow, const struct batch *source, struct batch *shared,
                       size_t *shared_start)
{
    size_t start = batch_after(source, follow->pos);

    if (start == source->len)
        return true;
    if (shared->len == 0 || *shared_start != start) {
        batch_clear(shared);
        for (size_t i = start; i < source->len; i++)
            if (batch_push(shared, source->events[i]) != 0) {
                batch_clear(shared); /* half of it must not pass for all of it */
                return false;
            }
        *shared_start = start;
    }
    follow->channel->shared->handlers->deliver(follow, shared, batch_last_id(shared));
    return follow->state == FOLLOW_WAITING;
}

/* Serves a follow without asking Redis, if that can be done. */
static void serve_from_memory(struct channel *channel, struct follow *follow, struct batch *shared,
                              size_t *shared_start)
{
    if (follow->from_now) {
        follow->from_now = false;
        follow->pos = channel->last;
        become_live(channel, follow);
        return;
    }
    if (channel->known && !recent_covers(&channel->recent, follow->pos, channel->last))
        return;
    if (!channel->known)
        follow->gap = true; /* the channel can only be listened to: who knows what is missing */
    if (channel->recent.events != NULL &&
        !send_after(follow, channel->recent.events, shared, shared_start))
        return;
    become_live(channel, follow);
}

static void serve_all_from_memory(struct channel *channel)
{
    struct batch shared = {0};
    size_t shared_start = 0;

    for (uint32_t i = 0; channel->waiting > 0 && i < channel->len; i++)
        if (channel->follows[i]->state == FOLLOW_WAITING)
            serve_from_memory(channel, channel->follows[i], &shared, &shared_start);
    batch_release(&shared);
    if (channel->waiting > 0)
        read_from(channel, NOWHERE);
}

static void serve_one_from_memory(struct channel *channel, struct follow *follow)
{
    struct batch shared = {0};
    size_t shared_start = 0;

    serve_from_memory(channel, follow, &shared, &shared_start);
    batch_release(&shared);
    if (follow->state == FOLLOW_WAITING)
        read_from(channel, NOWHERE);
}

int channel_add(struct channel *channel, struct follow *follow)
{
    if (channel->len == channel->cap) {
        uint32_t cap = channel->cap == 0 ? 1 : channel->cap * 2;
        struct follow **follows = realloc(channel->follows, cap * sizeof(struct follow *));
        if (follows == NULL)
            return -ENOMEM;
        channel->follows = follows;
        channel->cap = cap;
    }
    channel_flush(channel); /* what came before is not for the newcomer */
    follow->channel = channel;
    follow->index = channel->len;
    channel->follows[channel->len++] = follow;
    follow->state = FOLLOW_BEHIND;
    channel_resume(channel, follow);
    return 0;
}

void channel_remove(struct channel *channel, struct follow *follow)
{
    struct follow *moved = channel->follows[--channel->len];

    if (follow->state == FOLLOW_WAITING)
        channel->waiting--;
    channel->follows[follow->index] = moved;
    moved->index = follow->index;
    follow->channel = NULL;
}

void channel_resume(struct channel *channel, struct follow *follow)
{
    if (follow->state != FOLLOW_WAITING)
        channel->waiting++;
    follow->state = FOLLOW_WAITING;
    follow->in_read = false;
    if (channel->state == CHANNEL_LIVE) {
        channel_flush(channel); /* recent and follows must agree on what is out */
        serve_one_from_memory(channel, follow);
    }
}

void channel_fall_behind(struct follow *follow)
{
    if (follow->state == FOLLOW_WAITING)
        follow->channel->waiting--;
    follow->state = FOLLOW_BEHIND;
    follow->refilled = true;
}

/* A read from Redis has come back. */

static void log_bad_entry(const struct channel *channel)
{
    struct notify_str key = subscription_channel(channel->sub);
    unsigned skipped;

    if (log_once(&channel->shared->said, loop_now_ms(channel->shared->loop), "bad_entry", &skipped))
        log_error("bad_entry", "key", log_bytes(key.ptr, key.len), "text",
                  "an entry read from Redis is none of this box", "times", log_int(skipped + 1));
}

/* Is it an entry that may stand in such an answer, behind prev? */
static bool is_entry_behind(const struct channel *channel, const struct event *event,
                            struct notify_id prev, struct notify_id last)
{
    return event != NULL && event->kind == EVENT_ENTRY && notify_id_cmp(event->id, prev) > 0 &&
           notify_id_cmp(event->id, last) <= 0 &&
           event_is_of(event, subscription_channel(channel->sub));
}

static void raise_id(struct notify_id *id, struct notify_id to)
{
    if (notify_id_cmp(*id, to) < 0)
        *id = to;
}

/* Decodes the entries. One that is none must not be asked for again and again: it counts as
 * trimmed away, together with what stands between its neighbours, which is told as a gap. *result
 * is changed to say so. */
static struct batch take_entries(struct channel *channel, struct catchup_result *result)
{
    struct batch batch = {0};
    struct notify_id prev = channel->read_from;
    size_t n = result->entries == NULL ? 0 : result->entries->len;
    bool lacks_one = false;

    for (size_t i = 0; i < n; i++) {
        struct event *event = event_decode(resp_str(result->entries->items[i]));
        bool good =
            is_entry_behind(channel, event, prev, result->last) && batch_push(&batch, event) == 0;
        if (good && lacks_one)
            raise_id(&result->trimmed, event->id);
        if (good)
            prev = event->id;
        lacks_one = !good;
        event_unref(event);
        if (!good)
            log_bad_entry(channel);
    }
    result->more = result->more && batch.len > 0;
    if (lacks_one && !result->more)
        raise_id(&result->trimmed, result->last);
    return batch;
}

/* Entries that the live follows were to get are gone. A follow that is ahead may have had them. */
static void tell_gap(struct channel *channel, struct notify_id trimmed)
{
    for (uint32_t i = 0; i < channel->len; i++) {
        struct follow *follow = channel->follows[i];
        if (follow->state == FOLLOW_LIVE && notify_id_cmp(follow->pos, trimmed) < 0)
            channel->shared->handlers->on_gap(follow);
    }
}

static bool has_live(const struct channel *channel)
{
    for (uint32_t i = 0; i < channel->len; i++)
        if (channel->follows[i]->state == FOLLOW_LIVE)
            return true;
    return false;
}

/* Begins at last, whatever was before. A live follow has missed nobody knows what; those who wait
 * are served from their own positions. */
static void begin_anew(struct channel *channel, struct notify_id last, uint64_t rev)
{
    forget_recent(channel);
    channel->known = true;
    channel->last = last;
    channel->rev = rev;
    channel->hole_rev = 0;
    for (uint32_t i = 0; i < channel->len; i++) {
        struct follow *follow = channel->follows[i];
        if (follow->state != FOLLOW_LIVE)
            continue;
        follow->pos = last; /* ids may go on below the old ones */
        channel->shared->handlers->on_gap(follow);
    }
}

/* Redis does not let us read: all that can be done is to listen. */
static void only_listen(struct channel *channel)
{
    forget_recent(channel);
    channel->known = false;
    if (channel->state != CHANNEL_LIVE) /* there may have been a hole */
        tell_gap(channel, NOWHERE);
}

/* {"type":"changed"}: something else than new entries has changed while we could not hear it. The
 * count is right again with it; what it was, clients find out by asking. */
static void tell_changed(struct channel *channel, const struct catchup_result *result)
{
    struct event *event =
        event_changed(subscription_channel(channel->sub), result->rev, result->unread);

    if (event != NULL)
        (void)accept(channel, event);
    event_unref(event);
}

/* Each new entry raises the revision by one. What is more than that came from changes of state;
 * their messages went the way of the entries', or are in the stash. */
static bool shows_changes(const struct channel *channel, const struct catchup_result *result)
{
    return channel->hole_rev != 0 && result->rev != 0 && channel->state == CHANNEL_SYNCING &&
           result->rev != channel->hole_rev + channel->hole_entries;
}

/* Hands out what the channel lacked as if it had just been published. False: not all of it. */
static bool fill_hole(struct channel *channel, const struct catchup_result *result,
                      const struct batch *batch)
{
    bool lost_entries = notify_id_cmp(channel->last, result->trimmed) < 0;
    bool complete = !result->more;
    size_t start = batch_after(batch, channel->last);

    if (lost_entries)
        tell_gap(channel, result->trimmed);
    for (size_t i = start; i < batch->len; i++)
        if (!accept(channel, batch->events[i])) {
            complete = false;
            break;
        }
    channel->hole_entries += batch->len - start;
    if (complete && shows_changes(channel, result))
        tell_changed(channel, result);
    channel_flush(channel);
    if (complete)
        channel->last = result->last; /* beyond the last entry when that is deleted */
    if (complete && result->rev != 0)
        channel->rev = result->rev;
    if (lost_entries)
        forget_recent(channel); /* it no longer holds all that it stands for */
    return complete;
}

/* The box ends before what it once held: Redis came back without its last writes, or the box was
 * deleted. Not to be seen when the channel has gone on since it asked. */
static bool shows_lost_writes(const struct channel *channel, const struct catchup_result *result)
{
    return notify_id_cmp(result->last, channel->read_last) < 0 &&
           notify_id_cmp(channel->last, channel->read_last) == 0;
}

/* The channel's own part of a read. Returns whether it is up to date. */
static bool close_hole(struct channel *channel, const struct catchup_result *result,
                       const struct batch *batch)
{
    if (result->unreadable) {
        only_listen(channel);
        return true;
    }
    if (!channel->known) { /* the usual start, or it could only be listened to until now */
        bool complete = !result->more || has_live(channel);
        begin_anew(channel, complete ? result->last : batch_last_id(batch), result->rev);
        return complete;
    }
    if (shows_lost_writes(channel, result)) {
        begin_anew(channel, result->last, result->rev);
        return true;
    }
    if (notify_id_cmp(channel->read_from, channel->last) > 0 ||
        notify_id_cmp(result->last, channel->last) < 0)
        return false; /* asked for before the hole was seen: begins behind it, or ends before it */
    return fill_hole(channel, result, batch);
}

/* Keeps what was read for those who will come back from as far: after a restart of the bridge,
 * thousands do. */
static void remember_read(struct channel *channel, const struct catchup_result *result,
                          const struct batch *batch)
{
    const struct recent_read read = {.events = batch,
                                     .from = channel->read_from,
                                     .last = result->last,
                                     .trimmed = result->trimmed};

    if (!result->more && keeps_recent(channel))
        recent_extend(&channel->recent, &channel->shared->recent, &read, channel->last);
}

/* Serves a waiting follow from the read, then from what was published since. */
static void serve_from_read(struct channel *channel, struct follow *follow,
                            const struct catchup_result *result, const struct batch *batch,
                            struct batch *shared, size_t *shared_start)
{
    if (follow->from_now || notify_id_cmp(follow->pos, channel->read_from) < 0)
        return;
    if (notify_id_cmp(follow->pos, result->trimmed) < 0)
        follow->gap = true;
    if (notify_id_cmp(follow->pos, result->last) > 0) {
        if (!follow->in_read)
            return;         /* came meanwhile, from a bridge that was ahead of this read */
        follow->gap = true; /* the server does not know this position */
        follow->pos = result->last;
    }
    if (!send_after(follow, batch, shared, shared_start) || result->more)
        return;
    if (notify_id_cmp(follow->pos, result->last) < 0)
        follow->pos = result->last; /* the last entries are deleted */
    if (notify_id_cmp(follow->pos, channel->last) > 0)
        become_live(channel, follow); /* ahead of the channel: skips what it has had */
}

static void serve_waiting_from_read(struct channel *channel, const struct catchup_result *result,
                                    const struct batch *batch)
{
    struct batch shared = {0};
    size_t shared_start = 0;

    for (uint32_t i = 0; channel->waiting > 0 && i < channel->len; i++)
        if (channel->follows[i]->state == FOLLOW_WAITING)
            serve_from_read(channel, channel->follows[i], result, batch, &shared, &shared_start);
    batch_release(&shared);
}

/* covered: so many of the stash were there before the read was asked for. Their entries are in what
 * was read, or do not exist any more: to look for those again would never end. */
static void take_stash(struct channel *channel, size_t covered)
{
    struct batch *stashed = channel->stash;

    channel->stash = NULL;
    for (size_t i = 0; stashed != NULL && i < stashed->len; i++)
        if (i >= covered || stashed->events[i]->kind != EVENT_ENTRY)
            take(channel, stashed->events[i]);
    batch_free(stashed);
}

void channel_on_read(struct channel *channel, const struct catchup_result *answer)
{
    struct catchup_result taken = *answer, *result = &taken;
    struct batch batch = take_entries(channel, result);
    bool current = channel->state == CHANNEL_LIVE;

    channel->reading = false;
    channel->read_on = result->more ? batch_last_id(&batch) : (struct notify_id){0, 0};
    if (channel->state == CHANNEL_JOINING) /* asked again once subscribed */
        goto out;
    if (channel->read_stale) {
        sync_up(channel);
        goto out;
    }
    channel_flush(channel);
    if (!current || result->unreadable || shows_lost_writes(channel, result))
        current = close_hole(channel, result, &batch);
    if (!result->unreadable) {
        serve_waiting_from_read(channel, result, &batch);
        remember_read(channel, result, &batch);
    }
    if (!current) {
        sync_up(channel);
        goto out;
    }
    channel->state = CHANNEL_LIVE;
    take_stash(channel, channel->known ? channel->read_stash : 0);
    channel_flush(channel);
    if (channel->state == CHANNEL_LIVE)
        serve_all_from_memory(channel);
out:
    batch_release(&batch);
}

void channel_on_held(struct channel *channel)
{
    sync_up(channel);
}

void channel_on_lost(struct channel *channel)
{
    channel->state = CHANNEL_JOINING;
    channel->read_stale = true;
    channel->stash = batch_free(channel->stash);
}

void channel_on_refused(struct channel *channel)
{
    while (channel->len > 0)
        channel->shared->handlers->on_refused(channel->follows[channel->len - 1]);
}

struct notify_str follow_key(const struct follow *follow)
{
    return subscription_channel(follow->channel->sub);
}
