/* channel_read -- what becomes of the channel when Redis has answered. */
#include <stdlib.h>

#include "base/log.h"
#include "base/loop.h"
#include "channels/channel_private.h"
#include "redis/catchup.h"
#include "redis/resp.h"
#include "redis/subscription.h"

/* What has been read. */

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
    struct notify_id prev = result->after;
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

/* What Redis says against what we know. */

/* NULL: the portion holds none. */
static const struct event *first_behind(const struct batch *batch, struct notify_id id)
{
    size_t behind = batch_after(batch, id);

    return behind < batch->len ? batch->events[behind] : NULL;
}

/* Does Redis have the entry last of ours? */
enum verdict {
    VOUCHED,
    UNKNOWN, /* the portion does not reach so far */
    REFUTED, /* no: it is deleted, or has never been */
};

static enum verdict judge(const struct channel *channel, struct notify_id last,
                          const struct catchup_result *result, const struct batch *batch)
{
    const struct event *next = first_behind(batch, last);

    if (notify_id_cmp(last, channel_sure(channel)) <= 0 || notify_id_cmp(result->last, last) == 0)
        return VOUCHED;
    if (batch_has(batch, last))
        return VOUCHED;
    if (next != NULL)
        return notify_id_cmp(next->prev, last) == 0 ? VOUCHED : REFUTED;
    return result->more ? UNKNOWN : REFUTED;
}

/* What came since the channel began to doubt; 0: it was not up to date then. */
static size_t doubtful_len(const struct channel *channel)
{
    return channel->doubts && channel->stash != NULL ? channel->stash->len : 0;
}

/* Behind the last message of those that tells of the box as a whole; 0: there is none. */
static size_t behind_whole_box(const struct channel *channel)
{
    size_t i = doubtful_len(channel);

    while (i > 0 && channel->stash->events[i - 1]->whole_box == WHOLE_BOX_STAYS)
        i--;
    return i;
}

/* The last of those that tells of the box as a whole, or else the first entry, which did not fit.
 * NULL: there is none. */
static const struct event *cause_of_doubt(const struct channel *channel)
{
    size_t whole = behind_whole_box(channel), len = doubtful_len(channel);

    if (whole > 0)
        return channel->stash->events[whole - 1];
    for (size_t i = 0; i < len; i++)
        if (channel->stash->events[i]->kind == EVENT_ENTRY)
            return channel->stash->events[i];
    return NULL;
}

/* Will they who follow be told that the box is no more? */
static bool tells_end(const struct channel *channel)
{
    const struct event *cause = cause_of_doubt(channel);

    return cause != NULL && cause->whole_box == WHOLE_BOX_GONE;
}

/* That one box ended comes before what the next one holds, and behind all that was said of it,
 * unless it is not sure that it is true: then changes may be about entries that are still to come.
 */
static void hand_on_end(struct channel *channel, bool is_sure)
{
    struct channel_read *read = channel->read;
    size_t end = behind_whole_box(channel);

    if (end <= read->told_end)
        return;
    read->told_begin = is_sure ? 0 : end - 1;
    read->told_end = end;
    audience_note_gap(&channel->audience); /* of those who do not get the message */
    for (size_t i = read->told_begin; i < end; i++)
        if (channel->stash->events[i]->kind != EVENT_ENTRY)
            (void)channel_accept(channel, channel->stash->events[i]);
}

/* All keys were flushed or exchanged. The same box goes on where we are, unless the entry there is
 * deleted; of another one, which may be larger in all, the first entry behind that says that it
 * does not. */
static bool is_exchanged(const struct channel *channel, const struct catchup_result *result,
                         const struct batch *batch)
{
    const struct event *next = first_behind(batch, channel->last);

    if (!channel->flushed || notify_id_cmp(result->last, channel->last) == 0 ||
        notify_id_cmp(channel->read->from, channel->last) > 0)
        return false;
    if (next != NULL)
        return notify_id_cmp(next->prev, channel->last) != 0;
    return !result->more; /* else the portion does not reach so far */
}

/* Has Redis the entry that the message is about, and before it one that stands before ours? Its id
 * proves nothing: two servers may give the same one in a millisecond. */
static bool comes_before_ours(const struct event *cause, const struct batch *batch,
                              struct notify_id ours)
{
    const struct event *entry = first_behind(batch, notify_id_before(cause->id));

    return entry != NULL && notify_id_cmp(entry->id, cause->id) == 0 &&
           notify_id_cmp(entry->prev, ours) < 0;
}

/* Is this another box than the one that we know, or an earlier state of it (Redis came back without
 * its last writes)? The end and the revision of a box only rise; an entry of ours names one of ours
 * as the one before it. */
static bool is_another_box(const struct channel *channel, const struct catchup_result *result,
                           const struct batch *batch)
{
    struct notify_id sure = channel_sure(channel);
    const struct event *cause = cause_of_doubt(channel);

    if (notify_id_cmp(sure, channel->read->last) > 0) /* believed for good since it was asked */
        sure = channel->read->last;
    if (notify_id_cmp(result->last, sure) < 0 ||
        (result->rev != 0 && result->rev < channel->sure_rev))
        return true;
    if (channel->epoch != 0 && channel->read->epoch == channel->epoch && result->epoch == 0)
        return true; /* there was one, and is none any more */
    if (is_exchanged(channel, result, batch))
        return true;
    return cause != NULL && notify_id_cmp(cause->prev, sure) < 0 &&
           notify_id_cmp(cause->id, sure) > 0 && comes_before_ours(cause, batch, sure);
}

/* The channel begins at last, whatever was before. */

static void begin_at(struct channel *channel, struct notify_id last,
                     const struct catchup_result *result)
{
    channel_forget_recent(channel);
    trail_forget(&channel->trail);
    channel->known = true;
    channel->last = last;
    channel->sure_rev = result->rev;
    channel->rev = notify_id_cmp(last, result->last) == 0 ? result->rev : 0; /* as of last */
    channel->hole_rev = 0;
    channel->epoch = result->epoch;
    channel->branched = channel->untold = channel->own_only = false;
}

/* The usual start, or it could only be listened to until now. */
static bool begin(struct channel *channel, const struct catchup_result *result,
                  const struct batch *batch)
{
    bool complete = !result->more || audience_has_live(&channel->audience);

    begin_at(channel, complete ? result->last : batch_last_id(batch), result);
    audience_begin_at(&channel->audience, channel->shared->handlers, channel->last);
    return complete;
}

/* Does all that the box holds stand behind ours? Its first entry has none before it. So it is when
 * it was written to after all keys were flushed and before we read. */
static bool begins_behind(const struct channel *channel, const struct batch *batch)
{
    const struct event *next = first_behind(batch, channel->last);

    return next != NULL && notify_id_is_zero(next->prev);
}

/* The box was written under another epoch since: somebody else became the primary, and may not have
 * had all that we have. */
static bool is_branched(const struct channel *channel, const struct catchup_result *result)
{
    return channel->epoch != 0 && result->epoch != 0 && result->epoch != channel->epoch;
}

/* Where to go on in another box: what stands behind that is new to everybody. What stands as a
 * whole behind ours is new; a box that is gone begins with nothing; one that came to stand there,
 * with what it holds; and the first message of one that nobody told of names the entry before it.
 * One of an epoch that nobody told of either may be ours, without its last writes: what stands
 * behind ours comes, as it does to who comes back with our position. */
static struct notify_id begin_of_box(const struct channel *channel,
                                     const struct catchup_result *result, const struct batch *batch)
{
    const struct event *cause = cause_of_doubt(channel);

    if (begins_behind(channel, batch))
        return (struct notify_id){0, 0};
    if (is_branched(channel, result) && !channel->flushed && cause == NULL &&
        notify_id_cmp(channel->last, result->last) < 0)
        return channel->last;
    if (channel->flushed || cause == NULL || notify_id_cmp(cause->prev, result->last) > 0)
        return result->last;
    return cause->prev;
}

/* Did the read begin where the channel itself stands? Asked once more, it would show the same. */
static bool begins_at_ours(const struct channel *channel)
{
    return notify_id_cmp(channel->read->from, channel->last) == 0 &&
           channel->read->epoch == channel->epoch;
}

/* What stands behind ours, of the epoch that we know. What is kept is of the former box. */
static void ask_alone(struct channel *channel)
{
    channel->own_only = true;
    channel_forget_recent(channel);
}

/* Does the portion show what stands behind ours? If not, since it was asked for by somebody who
 * waits elsewhere, what does is asked for alone. */
static bool may_change_box(struct channel *channel, const struct catchup_result *result,
                           const struct batch *batch)
{
    bool shows = notify_id_cmp(channel->read->from, channel->last) <= 0 &&
                 (!result->more || first_behind(batch, channel->last) != NULL);

    if (shows || begins_at_ours(channel))
        return true;
    ask_alone(channel);
    return false;
}

/* Ids may go on below the old ones. Returns whether the channel is up to date. */
static bool change_box(struct channel *channel, const struct catchup_result *result,
                       const struct batch *batch, struct notify_id from)
{
    bool told = notify_id_is_zero(from) && tells_end(channel) && !channel->flushed;
    bool complete = notify_id_cmp(from, result->last) == 0;
    /* Who was served from Redis ahead of us may stand in that box already. */
    struct notify_id ahead = begins_behind(channel, batch) ? channel->last : NOWHERE;

    begin_at(channel, from, result);
    channel->untold = result->epoch != 0;
    audience_change_box(&channel->audience, channel->shared->handlers, from, ahead, result->last,
                        told);
    hand_on_end(channel, true);
    return complete;
}

/* Redis does not let us read: all that can be done is to listen. */
static void only_listen(struct channel *channel)
{
    channel_forget_recent(channel);
    channel->known = channel->untold = false;
    if (channel->state != CHANNEL_LIVE) /* there may have been a hole */
        audience_tell_gap(&channel->audience, channel->shared->handlers, NOWHERE);
}

/* Some of what was believed is not there. What Redis has behind the last entry that it vouched for
 * is looked at again; what was had of it stands in the trail, and is skipped. */
static void go_back(struct channel *channel, const struct catchup_result *result)
{
    audience_come_back(&channel->audience, channel->shared->handlers, channel->trail, result->last);
    channel->last = channel->trail->sure;
    channel->rev = channel->sure_rev;
    channel_forget_recent(channel);
    hand_on_end(channel, false);
}

static void leave_unreal(struct channel *channel, struct notify_id missing)
{
    audience_leave_unreal(&channel->audience, channel->shared->handlers, channel->trail, missing,
                          channel->read->told_end > 0 && tells_end(channel));
}

/* Filling a hole. */

/* {"type":"changed"}: something else than new entries has changed while we could not hear it. The
 * count is right again with it; what it was, clients find out by asking. */
static void tell_changed(struct channel *channel, const struct catchup_result *result)
{
    struct event *event =
        event_changed(subscription_channel(channel->sub), channel->branched ? channel->epoch : 0,
                      result->rev, result->unread);

    if (event != NULL)
        (void)channel_accept(channel, event);
    event_unref(event);
}

/* Each new entry raises the revision by one. What is more than that came from changes of state;
 * their messages went the way of the entries', or are in the stash. */
static bool shows_changes(const struct channel *channel, const struct catchup_result *result)
{
    if (channel->branched)
        return true;
    return channel->hole_rev != 0 && result->rev != 0 && channel->state == CHANNEL_SYNCING &&
           result->rev != channel->hole_rev + channel->hole_entries;
}

/* The revision of an entry that is read is the box's present one, and not its own. */
static bool accept_one(struct channel *channel, struct event *event)
{
    uint64_t rev = channel->rev;
    bool accepted = channel_accept(channel, event);

    channel->rev = accepted && rev != 0 ? rev + 1 : rev;
    channel->hole_entries += accepted;
    return accepted;
}

/* Hands on the entries behind last as if they had just been published, but for those that have
 * been. False: out of memory. */
static bool accept_missing(struct channel *channel, const struct batch *batch)
{
    bool is_first = true;

    for (size_t i = batch_after(batch, channel->last); i < batch->len; i++) {
        struct event *event = batch->events[i];
        if (trail_has(channel->trail, event->id)) {
            channel->last = event->id;
            continue;
        }
        if (is_first)
            leave_unreal(channel, event->id);
        if (!accept_one(channel, event))
            return false;
        is_first = false;
    }
    return true;
}

/* All is known up to what Redis has said. */
static void complete(struct channel *channel, const struct catchup_result *result)
{
    leave_unreal(channel, notify_id_after(result->last));
    audience_come_back(&channel->audience, channel->shared->handlers, channel->trail, result->last);
    trail_forget(&channel->trail);
    channel->last = result->last; /* beyond the last entry when that is deleted */
    if (result->rev != 0 || notify_id_is_zero(result->last))
        channel->rev = result->rev;
    channel->sure_rev = channel->rev;
    channel->epoch = result->epoch;
    channel->branched = false;
}

/* False: not all of it. */
static bool fill_hole(struct channel *channel, const struct catchup_result *result,
                      const struct batch *batch)
{
    bool lost_entries = notify_id_cmp(channel->last, result->trimmed) < 0 &&
                        !trail_has(channel->trail, result->trimmed);
    bool skips = channel->trail != NULL;
    bool is_complete;

    if (lost_entries) {
        audience_tell_gap(&channel->audience, channel->shared->handlers, result->trimmed);
        leave_unreal(channel, result->trimmed);
    }
    is_complete = accept_missing(channel, batch) && !result->more;
    trail_pass(&channel->trail, channel->last);
    if (result->rev != 0)
        channel->sure_rev = result->rev;
    if (is_complete && shows_changes(channel, result))
        tell_changed(channel, result);
    channel_flush(channel);
    if (is_complete)
        complete(channel, result);
    if (lost_entries || skips)
        channel_forget_recent(channel); /* it does not hold all that it stands for */
    return is_complete;
}

/* A read that was asked for while the channel was live: may it stay so? If Redis is ahead of it, it
 * takes what was read, too: no follow is to be ahead of a channel that believes messages. */
static bool may_stay_live(struct channel *channel, const struct catchup_result *result,
                          const struct batch *batch)
{
    if (result->unreadable || (channel->known && (is_another_box(channel, result, batch) ||
                                                  is_branched(channel, result))))
        return false;
    if (!channel->known)
        return true;
    switch (judge(channel, channel->read->last, result, batch)) {
    case REFUTED:
        return false;
    case VOUCHED:
        trail_vouch(&channel->trail, channel->read->last);
        channel->sure_rev = result->rev != 0 ? result->rev : channel->read->rev;
        return result->more || notify_id_cmp(result->last, channel->last) <= 0;
    case UNKNOWN:
        break;
    }
    return !audience_waits_at_believed(&channel->audience,
                                       channel->trail); /* those wait until it is known */
}

/* How far the position of a read is good, if not to the end. Of an epoch that the box does not know
 * (any more: it keeps a few) nothing is known; what stands behind the position comes all the same.
 */
static bool is_lost(const struct channel *channel, const struct catchup_result *result,
                    struct notify_id *ret_end)
{
    *ret_end = result->after;
    if (notify_id_cmp(result->after, channel->read->from) < 0)
        return true;
    *ret_end =
        notify_id_cmp(channel->read->from, result->last) < 0 ? channel->read->from : result->last;
    return result->gap && notify_id_cmp(channel->read->from, result->trimmed) >= 0;
}

/* Asked for before the hole was seen: begins behind it, or ends before it. */
static bool is_too_early(const struct channel *channel, const struct catchup_result *result)
{
    return notify_id_cmp(channel->read->from, channel->last) > 0 ||
           (notify_id_cmp(result->last, channel->last) < 0 &&
            notify_id_cmp(channel->read->last, channel->last) < 0);
}

/* Does the box say where it left our epoch? Then it is ours, or was, and all that it holds behind
 * that is new, whatever else speaks for another box. */
static bool knows_branch(const struct channel *channel, const struct catchup_result *result)
{
    return is_branched(channel, result) && notify_id_cmp(result->after, channel->read->from) < 0;
}

/* Is what we know good in the new epoch as well? *ret_end: if not, up to where it is. */
static bool judge_branch(struct channel *channel, const struct catchup_result *result,
                         const struct batch *batch, struct notify_id *ret_end)
{
    channel->branched = channel->rev != 0 && !tells_end(channel);
    channel->untold = true;
    if (!is_lost(channel, result, ret_end)) {
        audience_doubt(&channel->audience, channel->last, channel->epoch);
        channel->epoch = result->epoch;
        return true;
    }
    audience_judge(&channel->audience, 0, *ret_end, true, 0);
    if (tells_end(channel) || begins_behind(channel, batch))
        *ret_end = begin_of_box(channel, result, batch);
    return false;
}

/* The channel's own part of a read. Returns whether it is up to date. */
static bool close_hole(struct channel *channel, const struct catchup_result *result,
                       const struct batch *batch)
{
    struct notify_id end;

    channel->own_only = false;
    if (result->unreadable) {
        only_listen(channel);
        return true;
    }
    if (!channel->known)
        return begin(channel, result, batch);
    if (is_branched(channel, result) && !begins_at_ours(channel)) {
        ask_alone(channel);
        return false;
    }
    if (!knows_branch(channel, result) && is_another_box(channel, result, batch))
        return may_change_box(channel, result, batch) &&
               change_box(channel, result, batch, begin_of_box(channel, result, batch));
    if (is_branched(channel, result) && !judge_branch(channel, result, batch, &end))
        return change_box(channel, result, batch, end);
    if (is_too_early(channel, result))
        return false;
    switch (judge(channel, channel->last, result, batch)) {
    case VOUCHED:
        trail_vouch(&channel->trail, channel->last);
        return fill_hole(channel, result, batch);
    case REFUTED:
        go_back(channel, result);
        break;
    case UNKNOWN:
        break;
    }
    return false;
}

static void forget_read(struct channel *channel)
{
    if (channel->reading || channel->state != CHANNEL_LIVE)
        return;
    free(channel->read);
    channel->read = NULL;
}

/* How far the positions are good that were given under the epoch that the read asked about. */
static void judge_positions(struct channel *channel, const struct catchup_result *result)
{
    const struct channel_read *read = channel->read;
    bool is_present = result->epoch == read->epoch;
    bool is_past = notify_id_cmp(result->after, read->from) < 0;
    struct notify_id end = is_past ? result->after : result->last;

    audience_judge(&channel->audience, read->epoch, is_present ? NOWHERE : end,
                   is_present || is_past, result->epoch);
    if (!is_present && channel->epoch != 0)
        channel->untold = true; /* to them, unless they are served something first */
}

/* The box was none when the channel began, and has begun since. */
static void note_epoch(struct channel *channel, const struct catchup_result *result)
{
    if (channel->epoch != 0 || result->epoch == 0)
        return;
    channel->epoch = result->epoch;
    channel->untold = true;
}

/* It has begun without a message (it follows a log), or that is on its way. Unless its epoch is
 * known none can be told from it. False: the box is ahead of us, and what it holds says the epoch,
 * too. */
static bool learn_epoch(struct channel *channel, const struct catchup_result *result)
{
    if (notify_id_cmp(result->last, channel->last) == 0)
        note_epoch(channel, result);
    return channel->epoch != 0 || result->epoch == 0;
}

/* What the channel itself has of a read. Whether it is up to date with it. */
static bool take_read(struct channel *channel, const struct catchup_result *result,
                      const struct batch *batch)
{
    bool current = channel->state == CHANNEL_LIVE;

    if (channel->read->judges && !result->unreadable) {
        judge_positions(channel, result);
        return current && !is_branched(channel, result) && learn_epoch(channel, result);
    }
    channel_flush(channel);
    if (channel->known)
        note_epoch(channel, result); /* what goes out now is of it */
    if (!current || !may_stay_live(channel, result, batch))
        current = close_hole(channel, result, batch);
    if (!result->unreadable && !is_branched(channel, result) && !channel->own_only)
        channel_serve_from_read(channel, result, batch);
    return current;
}

void channel_on_read(void *owner, const struct catchup_result *answer)
{
    struct channel *channel = owner;
    struct catchup_result taken = *answer, *result = &taken;
    struct batch batch = take_entries(channel, result);
    bool missed = channel->missed;

    channel->reading = channel->missed = false;
    channel->read->on =
        result->more && !channel->read->judges ? batch_last_id(&batch) : (struct notify_id){0, 0};
    if (channel->state == CHANNEL_JOINING) /* asked again once subscribed */
        goto out;
    if (channel->read_stale) {
        channel_sync_up(channel, SYNC_HOLE);
        goto out;
    }
    if (!take_read(channel, result, &batch)) {
        channel_sync_up(channel, SYNC_DOUBT);
        goto out;
    }
    channel->state = CHANNEL_LIVE;
    channel->doubts = channel->flushed = channel->own_only = false;
    if (missed) /* meanwhile, and the answer may lack it: what is stashed may speak of that */
        channel_sync_up(channel, SYNC_HOLE);
    else
        channel_take_stash(channel);
    channel_flush(channel);
    if (channel->state == CHANNEL_LIVE || missed)
        channel_serve_from_memory(channel);
out:
    batch_release(&batch);
    forget_read(channel);
}
