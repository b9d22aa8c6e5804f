/* trail -- the entries of one channel that were believed as they were published, since Redis last
 * vouched for what the channel knows.
 *
 * A message is believed when it fits to the one before it. But whoever may PUBLISH on the channel
 * can make one that fits, and then the next real one does not. What Redis says when it is asked
 * after `sure`, less what stands here, is exactly what has not been handed on yet. */
#ifndef TRAIL_H
#define TRAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "notify_id.h"

#define TRAIL_CHECK 64 /* entries, then Redis is to be asked whether the last one is real */
#define TRAIL_MAX 1024 /* while it does not answer; then the older half is believed for good */

/* NULL: empty. */
struct trail {
    struct notify_id sure; /* all up to here is what Redis had */
    uint32_t len, cap;
    struct notify_id ids[]; /* in the order of their coming */
};

/* id has been believed; sure: what the trail begins with, if it is new. For lack of memory it is
 * believed for good: the trail is empty then. */
void trail_add(struct trail **trail, struct notify_id sure, struct notify_id id);
/* Redis vouches for all that came up to id: those are forgotten. */
void trail_vouch(struct trail **trail, struct notify_id id);
/* The channel has gone through what Redis has up to id: that is sure, whatever was believed of it.
 */
void trail_pass(struct trail **trail, struct notify_id id);
void trail_forget(struct trail **trail);

uint32_t trail_len(const struct trail *trail);
bool trail_has(const struct trail *trail, struct notify_id id);
/* The greatest one smaller than id, or sure. The trail must not be empty. */
struct notify_id trail_before(const struct trail *trail, struct notify_id id);

#endif
