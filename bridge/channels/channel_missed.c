/* channel_missed -- messages that there is no room for, since Redis publishes faster than clients
 * can be sent to.
 *
 * The link is read on all the same, or the server would cut it off with everything that waits
 * there. What is stored is dropped and read from its box, many entries at once, when the channel's
 * turn among all that have something to send has come: until then the channel is not live, and
 * nobody who follows it notices more than a delay. What is not stored is lost, which is counted,
 * and told where nothing else could tell of it. */
#include "base/counters.h"
#include "channels/channel_private.h"

bool channel_has_room(const struct channel *channel)
{
    return channel->audience.len == 0 || /* then nothing waits to be handed on */
           channel->shared->ahead_bytes + channel->shared->stash_bytes <
               channel->shared->ahead_bytes_max;
}

/* Who is about to be served for the first time was not there when it was said. */
void channel_lose(struct channel *channel, struct event *event)
{
    uint32_t had_been_there = channel->audience.len - channel->audience.waiting;

    event->reach.of[REACH_TOO_SLOW] += had_been_there;
    counter_add(COUNTER_EVENTS_LOST_VOLATILE, had_been_there);
    channel_tell_watch(channel, event, channel->audience.len);
}

void channel_miss(struct channel *channel, struct event *event)
{
    counter_add(COUNTER_AHEAD_DROPPED, 1);
    counter_add(COUNTER_DROPPED_AHEAD, 1);
    if (event != NULL && event->kind == EVENT_VOLATILE)
        channel_lose(channel, event);
    if (channel->state == CHANNEL_JOINING ||
        (event != NULL && event->kind == EVENT_VOLATILE && !channel->plain))
        return;
    if (!channel->plain)
        channel_stop(channel, SYNC_HOLE);
    channel->missed = true;
    if (!channel->reading)
        channel_mark_dirty(channel);
}

void channel_repair(struct channel *channel)
{
    if (channel->reading)
        return;
    channel->missed = false;
    if (channel->plain)
        audience_tell_gap(&channel->audience, channel->shared->handlers, NOWHERE);
    else if (channel->state != CHANNEL_JOINING)
        channel_sync_up(channel, SYNC_HOLE);
}
