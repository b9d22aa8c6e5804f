/* plain_channels -- which channels of Redis are followed although no box stands behind them
 * (--channel), so that whoever has PUBLISH need not change it.
 *
 * A name with a '*' in it is a pattern: all channels that it fits (PSUBSCRIBE). A channel that has
 * the name of a box, a log or a session set is never one of them, whatever pattern fits it. */
#ifndef PLAIN_CHANNELS_H
#define PLAIN_CHANNELS_H

#include <stdbool.h>

#include "identity/key_names.h"

struct plain_channels {
    const char *const *patterns; /* with '*'; borrowed and NULL-terminated, as are the logs */
    const char *const *logs;
    const struct key_names *keys;
};

/* Is it a channel, or a pattern of channels, that may be followed? NULL: none may. */
bool plain_channels_have(const struct plain_channels *channels, struct notify_str name);
bool plain_channel_is_pattern(struct notify_str name);
/* Why this is no usable --channel (static text); NULL: it is one. */
const char *plain_channel_check(const char *pattern);

#endif
