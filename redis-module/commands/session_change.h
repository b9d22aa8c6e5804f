/* session_change -- what the commands that change session sets have in common.
 *
 * A command notes what it is about to do in the set itself (sessions_plan.h), beginning with the
 * connections whose lease has passed. When all that can fail is done, the plan is what is
 * replicated (sessions_effect.h) and what watchers are told: sessions that were kicked, left,
 * joined. So a command that is refused or runs out of memory leaves everything as it was, and one
 * that changes nothing replicates, publishes and signals nothing.
 *
 *   init … open_or_reply … prepare_or_reply … note … commit … release */
#ifndef SESSION_CHANGE_H
#define SESSION_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "server/args.h"
#include "server/sessions_effect.h"
#include "server/sessions_key.h"
#include "sessions/sessions_plan.h"

struct session_change {
    struct rm_ctx *ctx;
    struct args args;
    struct sessions_key sk;
    uint64_t now_ms;
    bool is_planned;
    bool is_heard; /* by an AOF or a replica: then there is an effect */
    struct sessions_effect effect;
    struct notify_str kicked; /* the session to announce as kicked, or "*". {NULL, 0}: none */
};

/* args at the one behind the key, which is argv[2]. */
void session_change_init(struct session_change *change, struct rm_ctx *ctx, struct rm_string **argv,
                         int argc);
/* Whatever has happened. */
void session_change_release(struct session_change *change);

/* Checks the channel permission and opens the key; sets now_ms. False: an error has been replied.
 * The key may hold no set. */
bool session_change_open_or_reply(struct session_change *change);

/* As open, sweep and prepare below, of a key that is known to be permitted, without a reply. False:
 * there is no set, or no memory. */
bool session_change_fetch(struct session_change *change, size_t others);

/* Notes as going what is not live any more, but for keep (see sessions_plan_sweep), in sk.set,
 * which is made if there is none. */
bool session_change_sweep_or_reply(struct session_change *change,
                                   const struct sessions_connection *keep);

/* Once it is known what is going: makes room for telling that, and up to so many other changes. */
bool session_change_prepare_or_reply(struct session_change *change, size_t others);

/* Was this connection of the set kicked, on this server, while its lease lasted, which it still
 * does? */
bool session_change_was_kicked(const struct session_change *change, struct notify_str connection);

/* Stores, replicates, publishes, signals. event: of the keyspace notification. */
void session_change_commit(struct session_change *change, const char *event);

#endif
