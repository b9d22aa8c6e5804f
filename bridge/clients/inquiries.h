/* inquiries -- what clients have asked an agent and wait for: each has an id, which the agent
 * repeats in the log of the client's session (wire/agent_event.h).
 *
 *     open --its last answer--> closed        open --timeout_ms without one, client leaves--> over
 *
 * So many may be open for one client, and for all together. */
#ifndef INQUIRIES_H
#define INQUIRIES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct batch;
struct event;
struct loop;
struct loop_timer;
struct inquiries;
struct inquiry;

#define INQUIRY_ID_TEXT 36 /* a UUID */

enum inquiry_end {
    INQUIRY_TIMED_OUT,
    INQUIRY_LEFT, /* the client has gone */
};

/* What its owner is told; called while channels deliver (channels/follow.h). */
struct inquiry_kind {
    /* An event that carries its id. */
    void (*heard)(struct inquiry *inquiry, const struct event *event);
    /* It is closed by then. */
    void (*over)(struct inquiry *inquiry, enum inquiry_end end);
};

struct inquiry {
    LIST_ENTRY(inquiry) of_client;
    TAILQ_ENTRY(inquiry) link;
    struct inquiries *all; /* borrowed; NULL: not open */
    const struct inquiry_kind *kind;
    uint64_t due_ms; /* loop clock */
    char id[INQUIRY_ID_TEXT + 1];
};

/* Those of one client. Zeroed: none. */
LIST_HEAD(inquiry_list, inquiry);

/* What all clients of a process share. */
struct inquiries {
    struct loop *loop;                       /* set by the owner, as the next three; borrowed */
    uint64_t timeout_ms;                     /* without a word from the agent */
    size_t max, max_per_client;              /* open at a time */
    size_t count;                            /* open */
    TAILQ_HEAD(inquiry_queue, inquiry) open; /* in the order of due_ms */
    struct loop_timer *timer;                /* owned */
};

/* 0 or -ENOMEM. */
int inquiries_init(struct inquiries *inquiries);
void inquiries_release(struct inquiries *inquiries);

/* Makes up an id. 0; -E2BIG: the client has as many as it may; -EUSERS: all have. Nothing is done
 * then. inquiry is the caller's, zeroed, and must stay until it is closed or over. */
int inquiry_open(struct inquiry *inquiry, const struct inquiry_kind *kind,
                 struct inquiries *inquiries, struct inquiry_list *of_client);
/* Not for one that is over. */
void inquiry_close(struct inquiry *inquiry);
/* The agent is at it: its time begins anew. */
void inquiry_extend(struct inquiry *inquiry);

/* Events of the log of its session reach a client: tells those of its inquiries that they answer.
 */
void inquiries_hear(struct inquiry_list *of_client, const struct batch *batch);
/* The client leaves. */
void inquiries_forget(struct inquiry_list *of_client);
/* All of them do: this process ends. */
void inquiries_forget_all(struct inquiries *inquiries);

#endif
