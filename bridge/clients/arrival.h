/* arrival -- a connection becomes a client: who that is, what it follows by itself, and the
 * greeting once all of that is live. How it says what it wants is read elsewhere
 * (arrival_request.h). */
#ifndef ARRIVAL_H
#define ARRIVAL_H

#include <stdbool.h>

#include <jansson.h>

#include "clients/opening.h"
#include "notify_str.h"

struct client;
struct client_shared;
struct conn;
struct session_handlers;

/* What somebody says who comes; borrowed until arrival_begin() returns. */
struct arrival {
    struct opening opening;
    struct notify_str addr;     /* of the peer as text, for the log */
    struct notify_str token;    /* ptr NULL: it brings none */
    const char *token_fault;    /* static text: what it brings is none; or NULL */
    struct notify_str bookmark; /* how far it has come (clients/progress.h); empty: it says none, */
    const json_t *positions;    /* but these; or NULL */
    struct notify_str made_id;  /* what it is called unless it names itself; empty: it is made up */
    bool marked;                /* it is told how far it has come (clients/sender.h) */
    bool returns;               /* it may go on from a state later (clients/client_state.h): */
    struct notify_str auth;     /* what it said as it joined, a JSON object or empty */
    struct notify_str new_pid;  /* by what it may be recovered (clients/recovery.h); or empty */
    bool only_now;              /* no message can bring a token later */
};

/* NULL, or why one who says this is not let in: what opening_read() cannot know. */
const char *arrival_fault(const struct client_shared *shared, const struct opening *opening);
/* Ends a connection whose address is no good (4400). Of arrival only addr and the dialect count. */
void arrival_refuse(struct conn *conn, const struct arrival *arrival, const char *why);
/* It gets a client as its peer, or is being closed: with 4401 when its token is none, with 1011
 * without memory. */
void arrival_begin(struct client_shared *shared, struct conn *conn, const struct arrival *arrival);
/* For admissions: it is known by now who the client is. */
void arrival_admit(struct client *client);
/* For client_shared: a client leaves. code: of its closing. */
void arrival_undo(struct client *client, int code);

/* For followings: Redis has said whether the client's inbox follows its logs. */
void arrival_on_logs_followed(struct client *client);

/* What session sets tell of clients. */
extern const struct session_handlers arrival_session_handlers;

#endif
