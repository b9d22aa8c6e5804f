/* session_change -- what the commands that change session sets have in common.
 *
 * A command works on a copy from which the connections whose lease has passed are gone already.
 * When it is done, the difference between the set before and the set after is what is replicated
 * (sessions_effect.h) and what watchers are told: sessions that were kicked, left, joined. So a
 * command that is refused or runs out of memory leaves everything as it was, and one that changes
 * nothing replicates, publishes and signals nothing.
 *
 *   init … open_or_reply … begin … work on after … commit … release */
#ifndef SESSION_CHANGE_H
#define SESSION_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "server/args.h"
#include "server/sessions_key.h"

struct session_change {
    struct rm_ctx *ctx;
    struct args args;
    struct sessions_key sk;
    uint64_t now_ms;
    struct sessions *after;  /* owned until it is stored; NULL before begin */
    struct sessions *before; /* borrowed from the key, owned once after is stored; NULL: none */
    bool before_is_owned;
    struct notify_str kicked; /* the session to announce as kicked, or "*". {NULL, 0}: none */
};

/* args at the one behind the key, which is argv[2]. */
void session_change_init(struct session_change *change, struct rm_ctx *ctx, struct rm_string **argv,
                         int argc);
/* Whatever has happened. */
void session_change_release(struct session_change *change);

/* Checks the channel permission and opens the key; sets before and now_ms. False: an error has been
 * replied. */
bool session_change_open_or_reply(struct session_change *change);

/* Makes after. keep: a connection that stays although its lease has passed, as it is going to be
 * replaced (its session and connection count), or NULL. False: no memory. */
bool session_change_begin(struct session_change *change, const struct sessions_connection *keep);

/* Stores, replicates, publishes, signals. event: of the keyspace notification. False: no memory;
 * nothing was changed. */
bool session_change_commit(struct session_change *change, const char *event);

#endif
