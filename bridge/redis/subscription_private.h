/* What subscription.c and the files named after it share. */
#ifndef SUBSCRIPTION_PRIVATE_H
#define SUBSCRIPTION_PRIVATE_H

#include <sys/queue.h>

#include "base/hash_table.h"
#include "base/log_once.h"
#include "redis/subscription.h"

/* Of hashes, each of one lane if there are no slots. A power of 2. */
#define SUBSCRIPTION_CLASSES 1024
/* What is refused for a while is said again after so long, then after longer pauses. */
#define SUBSCRIPTION_RETRY_MIN_MS 250

enum subscription_state { SUB_IDLE, SUB_ASKED, SUB_HELD, SUB_LEAVING, SUB_REFUSED };

struct subscription {
    struct hash_node node; /* first */
    union {
        TAILQ_ENTRY(subscription) queue; /* of those that something is to be sent for */
        LIST_ENTRY(subscription) batch;  /* while ASKED or LEAVING: of the command's */
    };
    void *owner; /* NULL: not wanted any more */
    uint32_t hash;
    uint16_t len;
    unsigned state : 3;
    unsigned queued : 1;
    unsigned late : 1;  /* if it is queued: until retry rings */
    unsigned alone : 1; /* a command that it shared was refused: which channel is at fault? */
    unsigned lane : 10; /* where it is ASKED, HELD or LEAVING */
    char channel[];
};

TAILQ_HEAD(subscription_queue, subscription);

/* The channels of one command of which Redis has said nothing yet. */
struct subscription_batch {
    struct subscription_set *set;
    LIST_HEAD(batch_list, subscription) subs;
    size_t len; /* in the beginning */
    unsigned lane;
};

/* What is to be sent of one slot; without slots, in one lane. */
struct subscription_slot_queue {
    struct subscription_queue subs;
    TAILQ_ENTRY(subscription_slot_queue) ready_link;
    uint16_t lane; /* or SUBSCRIPTION_NO_LANE */
    bool ready;    /* in the list of its lane: there is something to be sent */
};

struct subscription_lane {
    struct redis_link *link; /* borrowed; NULL while down */
    TAILQ_HEAD(ready_list, subscription_slot_queue) ready;
    size_t asked; /* batches that are under way */
};

/* What is said to Redis, and what it says. */
struct subscription_words {
    struct notify_str subscribe, unsubscribe, confirmed, left, message;
    bool of_patterns, of_shards;
};

struct subscription_set {
    struct loop *loop; /* borrowed */
    const struct subscription_words *words;
    const struct subscription_handlers *handlers;
    struct subscription_lanes routes;
    struct hash_table table; /* of all that are not forgotten */
    size_t wanted;
    struct subscription_lane *lanes;        /* owned */
    struct subscription_slot_queue *queues; /* owned: one for each lane, or one for each slot */
    size_t lane_count, queue_count;
    size_t up; /* lanes with a link */
    struct subscription_queue later;
    struct loop_timer *retry;
    uint64_t retry_ms;
    struct log_once said; /* of the log */
    size_t asked;         /* batches that are under way */
    bool moved;           /* a slot has another lane, and what it had in the old one was left */
    bool send_due, retry_due, freed;
};

/* What is wanted, or on its way out. NULL: there is none. */
struct subscription *subscription_lookup(const struct subscription_set *set,
                                         struct notify_str channel);
/* It is not wanted, and Redis does not have it. */
void subscription_forget(struct subscription_set *set, struct subscription *sub);
/* Once nothing is under way, if it is to be. */
void subscription_free_when_idle(struct subscription_set *set);
/* Of keys, in a cluster: by slots. */
bool subscription_is_sharded(const struct subscription_set *set);
unsigned subscription_slot(const struct subscription *sub);
/* In a lane: ASKED, HELD or LEAVING. */
bool subscription_is_somewhere(const struct subscription *sub);

/* Queues: what is to be sent. */

struct subscription_slot_queue *subscription_queue_of(const struct subscription_set *set,
                                                      const struct subscription *sub);
/* Stands in the list of its lane, if there is anything to be sent; or does not any more. */
void subscription_make_ready(struct subscription_set *set, struct subscription_slot_queue *queue);
void subscription_make_unready(struct subscription_set *set, struct subscription_slot_queue *queue);
/* What waits in no queue is not sent. */
void subscription_unqueue(struct subscription_set *set, struct subscription *sub);
/* Is to be sent with all wishes of this turn of the loop, or after a while. */
void subscription_enqueue(struct subscription_set *set, struct subscription *sub);
void subscription_enqueue_for_later(struct subscription_set *set, struct subscription *sub);
/* The while is over for all of them. */
void subscription_take_from_later(struct subscription_set *set);
/* One that is not wanted any more is left where it is held. If its slot is said to be elsewhere,
 * the next subscription_set_reroute() tells whether there is anything to be left. */
void subscription_leave(struct subscription_set *set, struct subscription *sub);
void subscription_send_soon(struct subscription_set *set);
/* 0 or -ENOMEM. */
int subscription_init_sending(struct subscription_set *set);
void subscription_stop_sending(struct subscription_set *set);

/* Answers. */

/* Of a command, when all has come that it led to. ctx: its batch, which goes. reply: NULL: none
 * will come. */
void subscription_on_batch_over(void *ctx, const struct resp *reply);
/* What is held, or is about to be left, begins anew. */
void subscription_start_over(struct subscription_set *set, struct subscription *sub);

#endif
