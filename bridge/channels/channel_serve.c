/* channel_serve -- those who wait get what lies between their positions and now: from recent events
 * in memory, or from what was read. */
#include "channels/channel_private.h"
#include "channels/follow.h"
#include "redis/catchup.h"

static void go_live(struct channel *channel, struct follow *follow)
{
    audience_go_live(&channel->audience, channel->shared->handlers, follow);
}

/* From memory. */

/* A position among the entries that were believed, and none of them, may be that of a real one that
 * is still to come. */
static bool can_go_on_from(const struct channel *channel, struct notify_id pos)
{
    return recent_covers(&channel->recent, pos, channel->last) &&
           (notify_id_cmp(pos, channel_sure(channel)) <= 0 || trail_has(channel->trail, pos));
}

/* Serves a follow without asking Redis, if that can be done. */
static void serve_from_memory(struct channel *channel, struct follow *follow,
                              struct audience_cut *cut)
{
    if (follow->from_now) {
        follow->from_now = false;
        follow->pos = channel->last;
        go_live(channel, follow);
        return;
    }
    if (channel->known &&
        (!follow_is_judged(follow, channel->epoch) || !can_go_on_from(channel, follow->pos)))
        return;
    if (!channel->known) {
        follow_lose(follow); /* the channel can only be listened to: who knows what is missing */
        if (!follow->served && !follow->refilled && notify_id_cmp(follow->pos, channel->last) > 0)
            follow->pos = channel->last; /* nobody knows whether there is such an entry */
    }
    if (channel->recent.events == NULL ||
        audience_serve(channel->shared->handlers, follow, channel->recent.events, cut))
        go_live(channel, follow);
}

void channel_serve_from_memory(struct channel *channel)
{
    struct audience_cut cut = {.start = 0};
    struct follow *follow;
    uint32_t i = 0;

    while ((follow = audience_next_waiting(&channel->audience, &i)) != NULL)
        serve_from_memory(channel, follow, &cut);
    batch_release(&cut.batch);
    recent_served(&channel->recent, &channel->shared->recent);
    if (channel->audience.waiting > 0)
        channel_read_from(channel, NOWHERE);
}

void channel_serve_one(struct channel *channel, struct follow *follow)
{
    struct audience_cut cut = {.start = 0};

    serve_from_memory(channel, follow, &cut);
    batch_release(&cut.batch);
    recent_served(&channel->recent, &channel->shared->recent);
    if (follow->state == FOLLOW_WAITING)
        channel_read_from(channel, NOWHERE);
}

/* From what was read. */

/* Where what was read begins. */
static struct notify_id begin_of(const struct channel *channel, const struct catchup_result *result)
{
    bool is_end_alone = notify_id_cmp(channel->read->from, NOWHERE) == 0;

    return is_end_alone ? NOWHERE : result->after;
}

/* Keeps what was read for those who will come back from as far: after a restart of the bridge,
 * thousands do. */
static void remember_read(struct channel *channel, const struct catchup_result *result,
                          const struct batch *batch)
{
    const struct recent_read read = {.events = batch,
                                     .from = begin_of(channel, result),
                                     .last = result->last,
                                     .trimmed = result->trimmed,
                                     .sure = channel_sure(channel)};

    if (!result->more && channel_keeps_recent(channel))
        recent_extend(&channel->recent, &channel->shared->recent, &read, channel->last);
}

/* The last entry that live follows have had; last stands before it while what was believed is
 * looked at again. */
static struct notify_id front(const struct channel *channel)
{
    const struct trail *trail = channel->trail;

    return trail == NULL ? channel->last : trail->ids[trail->len - 1];
}

/* Serves a waiting follow from the read, then from what was published since. */
static void serve_from_read(struct channel *channel, struct follow *follow,
                            const struct catchup_result *result, const struct batch *batch,
                            struct audience_cut *cut)
{
    if (follow->from_now || !follow_is_judged(follow, channel->epoch) ||
        notify_id_cmp(follow->pos, begin_of(channel, result)) < 0 ||
        audience_stands_at_believed(follow, channel->trail))
        return;
    if (notify_id_cmp(follow->pos, result->trimmed) < 0)
        follow_lose(follow);
    if (notify_id_cmp(follow->pos, result->last) > 0) {
        if (!follow->in_read)
            return;          /* came meanwhile, from a bridge that was ahead of this read */
        follow_lose(follow); /* the server does not know this position */
        follow->pos = result->last;
    }
    if (!audience_serve(channel->shared->handlers, follow, batch, cut) || result->more)
        return;
    if (notify_id_cmp(follow->pos, result->last) < 0)
        follow->pos = result->last; /* the last entries are deleted */
    if (notify_id_cmp(follow->pos, front(channel)) > 0)
        go_live(channel, follow); /* ahead of the channel: skips what it has had */
}

void channel_serve_from_read(struct channel *channel, const struct catchup_result *result,
                             const struct batch *batch)
{
    struct audience_cut cut = {.start = 0};
    struct follow *follow;
    uint32_t i = 0;

    while ((follow = audience_next_waiting(&channel->audience, &i)) != NULL)
        serve_from_read(channel, follow, result, batch, &cut);
    batch_release(&cut.batch);
    remember_read(channel, result, batch);
}
