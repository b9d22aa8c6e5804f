/* sessions_gone -- which revisions the session sets had that are gone, so that a new one goes on
 * behind them. */
#ifndef SESSIONS_GONE_H
#define SESSIONS_GONE_H

#include <stdint.h>

#include "sessions/sessions.h"

/* The revision that a new set begins with: the time instead of 1, and more than what was told of
 * any set that has left its key here, so that it does not go back when a set has vanished with its
 * last connection, or otherwise, and comes again, were it in the same millisecond. */
uint64_t sessions_gone_first_rev(uint64_t now_ms);
/* The set leaves its key. */
void sessions_gone_note(const struct sessions *set);

#endif
