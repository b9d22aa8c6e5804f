/* ask -- something that a client is told once certain follows are live: the greeting, the answer to
 * subscribe, the answer to resume. */
#ifndef ASK_H
#define ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "notify_str.h"

struct ask;
struct client;
struct follow;
struct sender;

/* Those of one client. Zeroed: none. */
struct asks {
    struct ask *first; /* owned list */
};

/* What is the same for all asks of a sort. */
struct ask_kind {
    /* Everything asked for is there. The ask is freed behind the call. */
    void (*done)(struct client *client, struct ask *ask);
    void (*release)(void *ctx); /* of ctx; may be NULL */
    bool results;               /* what became of each follow is to be told, */
    bool tells;                 /* and done() tells all of it: a "resumed" */
    bool impatient;             /* does not wait for a follow whose queue was dropped */
};

struct ask {
    struct ask *next;      /* of the same client */
    struct client *client; /* borrowed, as is its sender: set while it is open */
    struct sender *sender;
    const struct ask_kind *kind; /* borrowed */
    void *ctx;                   /* owned, by kind->release: whom done tells */
    json_t *subject; /* owned; of an ask about one follow: what done needs to know; or NULL */
    json_t *results; /* owned object, key -> {recovered, count}; NULL: nobody wants to know */
    uint32_t pending, len;
    uint32_t bytes; /* that it comes to at most, with its answer: counts in its client's limit */
    bool refused;   /* a follow that it awaited may not be */
    struct follow *follows[]; /* borrowed; NULL once live */
};

/* Room for up to max follows. bytes: what ctx holds. subject may be NULL; takes a reference of its
 * own. NULL: out of memory, and ctx stays the caller's. One thing is pending from the start: that
 * ask_close() is called, when all that is to be awaited is known. */
struct ask *ask_new(const struct ask_kind *kind, size_t max, void *ctx, size_t bytes,
                    json_t *subject);
void ask_await(struct ask *ask, struct follow *follow);
/* No longer, without a result; of one that is not closed yet. */
void ask_forget(struct ask *ask, const struct follow *follow);

/* An ask belongs to its client from open on. It is done once it is closed and nothing is pending: a
 * follow may be live within the call that starts it, and even then is counted. */
void ask_open(struct asks *asks, struct ask *ask, struct client *client, struct sender *sender);
void ask_close(struct asks *asks, struct ask *ask);
void ask_cancel(struct asks *asks, struct ask *ask);
void asks_free(struct asks *asks);

/* follow is live, or will not be any more: those that have waited for nothing else are done.
 * Whether one of them tells, or will tell, in a "resumed" how it went. */
bool asks_resolve(struct asks *asks, const struct follow *follow);
/* Will one of them tell that not all of key could be had? */
bool asks_tell_gap(const struct asks *asks, struct notify_str key);
/* The queue of follow was dropped: the impatient ones do not wait for it. */
void asks_fell_behind(struct asks *asks, const struct follow *follow);
/* follow may not be. Whether one of them, which is about this follow, will say so itself. */
bool asks_refuse(struct asks *asks, const struct follow *follow);

/* Adds what is said of a follow of key: key -> {recovered, count}. */
void ask_put_result(json_t *results, struct notify_str key, const struct follow *follow,
                    bool recovered);

#endif
