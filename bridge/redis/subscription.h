/* subscription -- which channels we want from Redis, and which we have.
 *
 * The set of wanted channels is ours and outlives every connection: when the link comes up, all of
 * it is subscribed again, in batches. Each subscription is a small machine of its own, driven by
 * what is wanted and by what Redis has confirmed, so that want and drop in any order never leave a
 * hole:
 *
 *     IDLE --want--> ASKED --confirmed--> HELD --drop--> LEAVING --confirmed--> (gone, or ASKED
 * again)
 *                      +--refused--> REFUSED (until it is wanted again)
 *
 * A channel that Redis forbids is refused alone: the command that it shared is said again channel
 * by channel. Whatever else a command is refused for passes: it is said again after a while.
 *
 * In a cluster the channels of keys are sharded: those of a slot are heard at the server that has
 * it (SSUBSCRIBE, one command for each slot), and slots move. So there are lanes, each a link, and
 * each slot has one of them. A server takes back by itself what it has confirmed when a slot leaves
 * it; and where lanes change, what was held elsewhere is lost, and asked for anew. Without a
 * cluster there may be several lanes to the one server, and a channel is in the same one for ever.
 */
#ifndef SUBSCRIPTION_H
#define SUBSCRIPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_str.h"

struct loop;
struct redis_link;
struct resp;
struct subscription;
struct subscription_set;

#define SUBSCRIPTION_LANES_MAX 1024
#define SUBSCRIPTION_NO_LANE SUBSCRIPTION_LANES_MAX /* of a slot that nobody has */

struct subscription_handlers {
    /* Redis has confirmed: whatever is published from now on arrives. Comes again after each loss
     * of the link. owner: as given to subscription_want(). */
    void (*on_held)(void *owner);
    /* The link is gone: messages are being missed until on_held. */
    void (*on_lost)(void *owner);
    /* Redis does not let us listen to it (ACL): nothing will come. */
    void (*on_refused)(void *owner);
    /* A message. Borrowed. */
    void (*on_message)(void *owner, struct notify_str payload);
    /* The same in a set of patterns: which channel it came on. */
    void (*on_pattern_message)(void *owner, struct notify_str channel, struct notify_str payload);
};

/* NULL: out of memory. handlers is borrowed. */
struct subscription_set *subscription_set_new(struct loop *loop,
                                              const struct subscription_handlers *handlers);
/* The same over so many links, each a lane, over which the channels are spread: a server bounds
 * what waits for each of them by itself. */
struct subscription_set *subscription_set_new_spread(struct loop *loop,
                                                     const struct subscription_handlers *handlers,
                                                     unsigned lanes);
/* The same for patterns of channels (PSUBSCRIBE), which are called channels below. */
struct subscription_set *
subscription_set_new_patterns(struct loop *loop, const struct subscription_handlers *handlers);
/* The same for channels of keys in a cluster. */
struct subscription_lanes {
    /* The lane of a slot, or SUBSCRIPTION_NO_LANE. */
    unsigned (*of_slot)(void *ctx, unsigned slot);
    /* A server does not take channels of this slot just now. Within, the slot may be given another
     * lane (subscription_set_reroute_slot()). */
    void (*on_refused)(void *ctx, unsigned slot, const struct resp *error);
    /* A server has taken back what it had confirmed: the slot is leaving it. */
    void (*on_taken)(void *ctx, unsigned slot);
    /* Nothing is to be told it any more. */
    void (*on_freed)(void *ctx, const struct subscription_set *set);
    void *ctx;
};
/* lanes is copied. */
struct subscription_set *subscription_set_new_sharded(struct loop *loop,
                                                      const struct subscription_handlers *handlers,
                                                      const struct subscription_lanes *lanes);
void subscription_set_free(struct subscription_set *set);

/* What the link reports. The link is not owned; it must be up from set_up to set_down. */
void subscription_set_up(struct subscription_set *set, struct redis_link *link);
void subscription_set_down(struct subscription_set *set);
void subscription_set_push(struct subscription_set *set, const struct resp *push);

/* The same of one lane. */
void subscription_set_lane_up(struct subscription_set *set, unsigned lane, struct redis_link *link);
void subscription_set_lane_down(struct subscription_set *set, unsigned lane);
void subscription_set_lane_push(struct subscription_set *set, unsigned lane,
                                const struct resp *push);
/* Slots may have other lanes now: of_slot() is asked about each. */
void subscription_set_reroute(struct subscription_set *set);
/* This slot has: what its old server had confirmed it takes back by itself, or the next
 * subscription_set_reroute() does. */
void subscription_set_reroute_slot(struct subscription_set *set, unsigned slot);

/* The owner of the wanted subscription to this channel, or NULL. */
void *subscription_find(const struct subscription_set *set, struct notify_str channel);
/* Calls fn with the owner of each wanted one. Nothing may be wanted or dropped meanwhile. */
void subscription_each(const struct subscription_set *set, void (*fn)(void *owner));
/* The same until fn says that it has seen enough. False: it has. */
bool subscription_walk(const struct subscription_set *set, bool (*fn)(void *ctx, void *owner),
                       void *ctx);
size_t subscription_count(const struct subscription_set *set); /* wanted */
/* Not wanted any more, but Redis has not confirmed that they are ended. */
size_t subscription_leaving_count(const struct subscription_set *set);

#define SUBSCRIPTIONS_LEAVING_MAX 65536 /* then no other is begun, until Redis answers */

/* Wants channel (1 to NOTIFY_KEY_MAX bytes), which must not be wanted already. NULL: out of memory.
 * The handle is good until subscription_drop(). */
struct subscription *subscription_want(struct subscription_set *set, struct notify_str channel,
                                       void *owner);
void subscription_drop(struct subscription_set *set, struct subscription *sub);
/* Asks again for one that was refused; others are left as they are. */
void subscription_retry(struct subscription_set *set, struct subscription *sub);

struct notify_str subscription_channel(const struct subscription *sub);
bool subscription_is_held(const struct subscription *sub);
bool subscription_is_refused(const struct subscription *sub);

#endif
