/* admission -- who a client is, and for how long.
 *
 *     AWAITING --a token--> CHECKING --good--> VALID --a minute before its end--> EXPIRING --> 4401
 *         \-- none in time: 4401  \-- bad: 4401
 *
 * A token comes with the connection or as the first message. While one is judged (judge.h) its
 * client is not read from. A later one renews: it must be the same user's, and one that is no good
 * changes nothing. */
#ifndef ADMISSION_H
#define ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "clients/judge.h"
#include "notify_str.h"

struct admission;
struct admissions;
struct authority;
struct client;
struct heartbeat;
struct loop;

#define ADMISSION_WARN_MS UINT64_C(60000) /* how long before its end a token's end is told */

/* What all clients of a process share. */
struct admissions {
    struct loop *loop;           /* set by the owner, as the next four; borrowed */
    struct authority *authority; /* borrowed */
    uint64_t timeout_ms;         /* for the first token to come */
    /* It is known who client is, for the first time. */
    void (*admit)(struct client *client);
    /* Another token may permit something else. */
    void (*on_renewed)(struct client *client);
    struct heartbeat *deadlines; /* owned */
    struct judge judge;
};

/* 0 or -ENOMEM. */
int admissions_init(struct admissions *admissions);
void admissions_release(struct admissions *admissions);

/* token: what came with the connection; ptr NULL: a message is to bring it. Closes the connection
 * for lack of memory. */
void admission_begin(struct client *client, struct notify_str token);

enum admission_answer {
    ADMISSION_GOOD,
    ADMISSION_BAD,
    ADMISSION_OF_ANOTHER,
    ADMISSION_NOT_NOW,
    ADMISSION_DROPPED, /* nobody is to be told: the connection is closed, or has gone */
};
typedef void (*admission_fn)(void *ctx, enum admission_answer answer);
/* A message brings a token. fn is called once, at once or later. */
void admission_offer(struct client *client, struct notify_str token, admission_fn fn, void *ctx);
/* A message was handled: whoever is neither known nor being judged by now is closed. */
void admission_demand(struct client *client);

/* The token's end as text, or JSON null. */
json_t *admission_expiry(const struct client *client);

/* Has the token's end been told? One who goes on (clients/client_state.h) is not told again. */
bool admission_has_warned(const struct client *client);
void admission_skip_warning(struct client *client);

/* The client has gone. */
void admission_end(struct client *client);

#endif
