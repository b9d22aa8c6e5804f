/* channel_plain -- channels without a box: what somebody publishes there is handed on to those who
 * listen just then. It has no ids, and so no order to keep and nothing to catch up with. */
#include "channels/channel_private.h"

#include "base/counters.h"
#include "base/log.h"
#include "base/loop.h"
#include "redis/subscription.h"
#include "wire/channel_message.h"

/* Those who were there before have missed nobody knows what. */
void channel_plain_held(struct channel *channel)
{
    channel->state = CHANNEL_LIVE;
    audience_tell_gap(&channel->audience, channel->shared->handlers, NOWHERE);
    channel_serve_from_memory(channel);
}

static void log_too_big(struct channel *channel, struct notify_str name)
{
    unsigned skipped;

    counter_add(COUNTER_CHANNEL_MESSAGES_TOO_BIG, 1);
    counter_add(COUNTER_DROPPED_TOO_BIG, 1);
    if (log_once(&channel->shared->said, loop_now_ms(channel->shared->loop), "channel_message",
                 &skipped))
        log_warn("limit", "limit", "max-channel-message", "channel", log_bytes(name.ptr, name.len),
                 "times", log_int(skipped + 1));
}

void channel_plain_message(struct channel *channel, struct notify_str name,
                           struct notify_str message)
{
    struct notify_str pattern = {NULL, 0};
    struct event *event;

    if (channel->state != CHANNEL_LIVE || channel->audience.len == 0)
        return;
    if (message.len > channel->shared->plain_bytes_max) {
        log_too_big(channel, name);
        return;
    }
    if (channel->pattern)
        pattern = subscription_channel(channel->sub);
    event = channel_message_event(name, pattern, message);
    if (event == NULL) { /* a name that is no text, most likely */
        counter_add(COUNTER_EVENTS_FOREIGN, 1);
        counter_add(COUNTER_DROPPED_FOREIGN, 1);
        return;
    }
    if (channel_has_room(channel))
        (void)channel_accept(channel, event);
    else
        channel_miss(channel, event);
    event_unref(event);
}

/* A pattern may fit channels of boxes, which are not for whoever follows by it. */
void channel_on_pattern_message(void *owner, struct notify_str name, struct notify_str message)
{
    struct channel *channel = owner;

    if (channel->shared->is_plain(channel->shared->ctx, name))
        channel_plain_message(channel, name, message);
}
