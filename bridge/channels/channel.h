/* channel -- one followed key: what it last said, and who listens.
 *
 * Its promise to each follow (docs/protocol.md, "Delivery"): every entry once, in the order of ids,
 * none left out. It keeps the promise by knowing the id that it has forwarded up to, `last`, and by
 * three rules: a message whose prev is not last reveals a hole, which is read from Redis before
 * anything else goes out; a message that does not fit in another way is doubted, and Redis is asked
 * what is true; and a follow that begins in the past is served from recent events or from one read
 * that all who wait share.
 *
 *     JOINING --subscribed--> SYNCING --read from Redis--> LIVE --hole, doubt--> SYNCING
 *        ^                       |                           |
 *        +------- link lost -----+---------------------------+
 *
 * Whoever may PUBLISH can say anything on a channel, also what fits. So what was believed since
 * Redis was last asked is remembered (trail.h): nothing that somebody else says keeps a real entry
 * from being delivered, or has one delivered twice. The box may also begin anew, deleted or
 * replaced, with smaller ids: then its first message does not fit.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/log_once.h"
#include "channels/audience.h"
#include "channels/batch.h"
#include "notify_id.h"
#include "notify_str.h"
#include "channels/recent.h"
#include "channels/trail.h"

struct catchup;
struct catchup_result;
struct channel;
struct channel_read;
struct follow;
struct follow_handlers;
struct loop;
struct subscription;
struct subscription_handlers;

#define CHANNEL_STASH_BYTES_MAX (UINT64_C(64) << 20) /* of the stashes of all channels */

/* Whoever is told of each event when it has been handed to all who follow (wire/reach.h), or there
 * was nobody. followers: whether they are to get it or not. */
struct channel_watch {
    void (*fn)(void *ctx, struct notify_str key, const struct event *event, size_t followers);
    void *ctx;
};

/* What all channels of a process share; owned by the router. */
struct channel_shared {
    const struct follow_handlers *handlers; /* of all follows */
    struct loop *loop;                      /* borrowed */
    struct catchup *catchup;
    TAILQ_HEAD(channel_queue, channel) dirty; /* have events that their follows have not got */
    struct recent_budget recent;              /* of all channels together */
    size_t stash_bytes, stash_bytes_max;      /* what it takes in memory that they have stashed */
    /* And what was accepted and has not been handed on. When both come to so much, what comes is
     * dropped (channel_missed.c). */
    size_t ahead_bytes, ahead_bytes_max;
    size_t plain_bytes_max;                                 /* of a message on a plain channel */
    bool hears_replicas;                                    /* who publishes is not who is asked */
    bool hears_former;                                      /* nor need it be, for a moment */
    bool (*is_plain)(void *ctx, struct notify_str channel); /* is none of ours */
    void *ctx;
    struct log_once said;       /* of the log */
    struct channel_watch watch; /* fn NULL: nobody */
};

enum channel_state { CHANNEL_JOINING, CHANNEL_SYNCING, CHANNEL_LIVE };

struct channel {
    struct channel_shared *shared;    /* borrowed */
    struct subscription *sub;         /* set by the router */
    TAILQ_ENTRY(channel) dirty_link;  /* while dirty */
    TAILQ_ENTRY(channel) linger_link; /* while nobody follows: linger.c's, with the next two */
    uint64_t linger_until_ms;
    struct linger_account *left_by;
    struct audience audience; /* who follows */
    struct notify_id last;
    uint64_t rev;              /* of the box, as far as known: reveals changes that were missed */
    uint32_t epoch;            /* of the box, as far as known: under which last was given */
    uint64_t sure_rev;         /* what it was when Redis was last asked; 0: not known */
    uint64_t hole_rev;         /* rev when the hole began that is being read; 0: not known */
    uint64_t hole_entries;     /* that have filled it so far */
    struct channel_read *read; /* owned; of reads until the channel is live; or NULL */
    struct trail *trail;       /* owned; believed since Redis was last asked; or NULL */
    struct recent recent;      /* contiguous up to last, for those who come back */
    struct batch *fresh;       /* owned; accepted, not yet handed to the follows; or NULL */
    struct batch *stash;       /* owned; arrived while the channel was not live; or NULL */
    uint8_t state;
    bool known;      /* last is what Redis said, not a guess */
    bool reading;    /* a read is under way, */
    bool read_stale; /* but was asked for too early: before the subscription that holds now */
    bool doubts;     /* a message did not fit: the stash begins with it */
    bool branched;   /* the box has another epoch than before: changes of state may be lost */
    bool untold;     /* nothing has said the epoch yet to those who are live: the next entry does */
    bool own_only;   /* the next read begins at last, whoever waits: to judge the box by it */
    bool flushed;    /* what is read differs from what is known: it is another box */
    bool missed;     /* of what Redis published something was dropped since it was last asked */
    bool dirty, lingering;
    bool plain, pattern; /* no box stands behind it; and it is a pattern of such channels */
};

/* NULL: out of memory. */
struct channel *channel_new(struct channel_shared *shared);
/* Nobody may follow it and no read may be under way. */
void channel_free(struct channel *channel);

/* Adds a follow, whose client, pos and from_now are set; it is served as soon as that is possible,
 * which may be at once. 0 or -ENOMEM. */
int channel_add(struct channel *channel, struct follow *follow);
void channel_remove(struct channel *channel, struct follow *follow);
/* follow is to be served again from its pos: it was FOLLOW_BEHIND, or its client named a position.
 */
void channel_resume(struct channel *channel, struct follow *follow);
/* The client's queue overflowed: nothing more until channel_resume(). */
void channel_fall_behind(struct follow *follow);

/* What subscription and catchup tell; owner: the channel. */
extern const struct subscription_handlers channel_subscription_handlers;
void channel_on_held(void *owner);
void channel_on_lost(void *owner);
void channel_on_refused(void *owner); /* nobody follows it any more */
void channel_on_message(void *owner, struct notify_str message);
void channel_on_pattern_message(void *owner, struct notify_str name, struct notify_str message);
void channel_on_read(void *owner, const struct catchup_result *result);
/* Whatever is known of it is to be read anew: it may be another box now. */
void channel_on_flushed(void *owner);
/* That may have been said, and nobody could hear it. */
void channel_on_perhaps_flushed(void *owner);

/* Hands what has been accepted to all live follows. */
void channel_flush(struct channel *channel);
/* The same, when its turn among all that are dirty has come: what it missed is read now. */
void channel_take_turn(struct channel *channel);

/* The key that it follows; borrowed from its channel. */
struct notify_str follow_key(const struct follow *follow);

#endif
