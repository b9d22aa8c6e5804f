/* partings -- readers of answers that come piece by piece who have gone before the end: they may
 * come back for the rest, to this bridge or another one. If nobody has after a while, the agent is
 * told that nobody waits any more.
 *
 * Whoever resumes an answer says so in Redis, by a name that nobody else has; whose name is not
 * there any more when the time is over has been followed by somebody else, who sees to the rest. */
#ifndef PARTINGS_H
#define PARTINGS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "clients/askers.h"
#include "clients/inquiries.h"
#include "requests/agent.h"

struct client_shared;
struct loop_timer;

#define PARTING_HOLDER_LEN 24
#define PARTINGS_AT_ONCE 32 /* that are decided in one turn of the loop: each asks Redis */

struct parting {
    char id[INQUIRY_ID_TEXT + 1];        /* of the request */
    char entry[AGENT_ENTRY_MAX + 1];     /* as in agent_cancel() */
    char holder[PARTING_HOLDER_LEN + 1]; /* who resumed it; "": nobody had to */
    char asker[ASKER_NAME_MAX];          /* whose it is (clients/askers.h) */
    size_t asker_len;
};

struct partings {
    const struct client_shared *shared; /* set by the owner; borrowed */
    struct loop_timer *timer;           /* owned */
    struct askers askers;
    size_t count;
    TAILQ_HEAD(parting_queue, parting_item) all; /* in the order of their ends */
};

/* 0 or -ENOMEM. */
int partings_init(struct partings *partings);
/* Those that wait are forgotten: this process ends, and others may be resumed to. */
void partings_release(struct partings *partings);

/* Copied. When there are as many of one asker as there may be requests of his, it is decided at
 * once; when there are more in all than there may be requests, the oldest one is. */
void partings_add(struct partings *partings, const struct parting *parting);
/* Makes up a name in parting->holder, and says that by it its request is resumed. */
void partings_resume(const struct client_shared *shared, struct parting *parting);

#endif
