/* channel_message -- what somebody publishes on a channel that is no box, as clients get it:
 *
 *     {"type":"channel_message","channel":"prices:eur","data":{"bid":1.0921}}
 *
 * JSON is JSON, other text a string, and what is no text stands there as base64 ("encoding").
 * "pattern" stands behind the channel for whoever follows by one. */
#ifndef CHANNEL_MESSAGE_H
#define CHANNEL_MESSAGE_H

#include "notify_str.h"

struct event;

/* pattern: empty for none. One reference. NULL: the channel's name is no UTF-8, or out of memory.
 */
struct event *channel_message_event(struct notify_str channel, struct notify_str pattern,
                                    struct notify_str payload);

#endif
