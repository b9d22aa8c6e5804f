/* sessions_key -- a key of the server seen as a session set: opening it with the right errors, and
 * putting a changed set into it. Replies only with WRONGTYPE. */
#ifndef SESSIONS_KEY_H
#define SESSIONS_KEY_H

#include <stdbool.h>

#include "server/module_api.h"
#include "sessions/sessions.h"

struct sessions_key {
    struct rm_ctx *ctx;
    struct rm_string *name;  /* borrowed */
    struct rm_key *key;      /* NULL: there is no such key (it was opened for reading), or closed */
    struct sessions *set;    /* NULL: none. Belongs to the key once it is written */
    struct sessions *stored; /* what the key holds at present; NULL: nothing */
};

/* Opens name for RM_READ, or RM_READ | RM_WRITE. False: WRONGTYPE has been replied and nothing is
 * open. A missing key is no error: set is NULL then. */
bool sessions_key_open_or_reply(struct sessions_key *sk, struct rm_ctx *ctx, struct rm_string *name,
                                int mode);
/* The same without a reply: set is NULL also when the key holds something else. */
void sessions_key_fetch(struct sessions_key *sk, struct rm_ctx *ctx, struct rm_string *name,
                        int mode);
/* A set that was made and not written is freed; one that has moved is written. */
void sessions_key_close(struct sessions_key *sk);

/* Puts the set into the key, if it was made or has moved. */
void sessions_key_write(struct sessions_key *sk);
/* After a change of what is written: a set without connections is freed and its key removed, which
 * is what true says; any other key lives as long as the longest lease. */
bool sessions_key_settle(struct sessions_key *sk);
/* From an event of the server: a key that has lost its time to live, by PERSIST or by RESTORE
 * without one, gets it back. One that somebody gave it stays. */
void sessions_key_keep_end(struct rm_ctx *ctx, struct rm_string *name);

struct notify_str sessions_key_name(const struct sessions_key *sk);

#endif
