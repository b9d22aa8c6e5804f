/* inquiries -- what clients have asked an agent and wait for: each has an id, which the agent
 * repeats in the log of the client's session (wire/agent_event.h).
 *
 *     open --its last answer--> closed        open --timeout_ms without one, client leaves--> over
 *
 * So many may be open for one client, for one user (askers.h), and for all together. */
#ifndef INQUIRIES_H
#define INQUIRIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "clients/askers.h"
#include "notify_str.h"

struct batch;
struct event;
struct loop;
struct loop_timer;
struct inquiries;
struct inquiry;

#define INQUIRY_ID_TEXT 36 /* a UUID */
#define INQUIRIES_AT_ONCE                                                                          \
    32 /* that are over in one turn of the loop, since nobody answers: each writes to its client   \
        * and to Redis */

enum inquiry_end {
    INQUIRY_TIMED_OUT,
    INQUIRY_LEFT, /* the client has gone */
    INQUIRY_LOST, /* part of an answer that comes piece by piece is not there any more */
};

/* What its owner is told; called while channels deliver (channels/follow.h). */
struct inquiry_kind {
    /* An event that carries its id. */
    void (*heard)(struct inquiry *inquiry, const struct event *event);
    /* Of one that streams: its last event has been sent, or waits in the outbox. */
    void (*ended)(struct inquiry *inquiry);
    /* It is closed by then. */
    void (*over)(struct inquiry *inquiry, enum inquiry_end end);
};

struct inquiry {
    LIST_ENTRY(inquiry) of_client;
    TAILQ_ENTRY(inquiry) link;
    struct inquiries *all; /* borrowed; NULL: not open */
    struct asker *asker;   /* whose it is, while it is open */
    const struct inquiry_kind *kind;
    uint64_t due_ms; /* loop clock */
    char id[INQUIRY_ID_TEXT + 1];
    /* Its answer comes piece by piece, as events that are sent to the client. They are numbered, so
     * that nothing is said twice where a worker has taken over from another one: */
    bool streams;
    bool ended;   /* all of it has been sent, or waits in the outbox */
    uint64_t seq; /* of the last one; 0: whatever comes next is the next */
};

/* Those of one client. Zeroed: none. */
LIST_HEAD(inquiry_list, inquiry);

/* What all clients of a process share. */
struct inquiries {
    struct loop *loop;                       /* set by the owner, as the next three; borrowed */
    uint64_t timeout_ms;                     /* without a word from the agent */
    size_t max, max_per_client;              /* open at a time */
    struct askers askers;                    /* whose they are; the owner has set how many */
    size_t count;                            /* open */
    TAILQ_HEAD(inquiry_queue, inquiry) open; /* in the order of due_ms */
    struct loop_timer *timer;                /* owned */
};

/* 0 or -ENOMEM. */
int inquiries_init(struct inquiries *inquiries);
void inquiries_release(struct inquiries *inquiries);

/* Its id is made up unless it has one. asker: whose it is (askers.h). 0; -E2BIG: the client has as
 * many as it may; -EDQUOT: its user has; -EUSERS: all have; -ENOMEM. Nothing is done then. inquiry
 * is the caller's, zeroed, and must stay until it is closed or over. */
int inquiry_open(struct inquiry *inquiry, const struct inquiry_kind *kind,
                 struct inquiries *inquiries, struct inquiry_list *of_client,
                 struct notify_str asker);
/* Not for one that is over. */
void inquiry_close(struct inquiry *inquiry);
/* The agent is at it: its time begins anew. */
void inquiry_extend(struct inquiry *inquiry);

/* Events of the log of its session reach a client: tells those of its inquiries that they answer.
 */
void inquiries_hear(struct inquiry_list *of_client, const struct batch *batch);
/* The same of one event: those of an answer that streams are heard just before each is sent. */
void inquiries_hear_one(struct inquiry_list *of_client, const struct event *event);
/* Is this event of a session's log to be sent to the client, as the next of an answer that streams?
 */
bool inquiries_take(const struct inquiry_list *of_client, const struct event *event);
/* It has been sent, or waits in the outbox. */
void inquiries_had(struct inquiry_list *of_client, const struct event *event);
/* What waited there has been dropped, and will come again. */
void inquiries_fell_behind(struct inquiry_list *of_client);
/* What was to come again is gone. */
void inquiries_lost(struct inquiry_list *of_client);
/* The client leaves. */
void inquiries_forget(struct inquiry_list *of_client);
/* All of them do: this process ends. */
void inquiries_forget_all(struct inquiries *inquiries);

#endif
