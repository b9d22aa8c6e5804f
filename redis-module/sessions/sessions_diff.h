/* sessions_diff -- what lies between two session sets: the effect of a command, as replicas are to
 * repeat it, and who came and who went, as watchers are to hear it.
 *
 * A set may be NULL, which is an empty one. Nothing is changed and nothing allocated here. */
#ifndef SESSIONS_DIFF_H
#define SESSIONS_DIFF_H

#include "sessions/sessions.h"

/* Called for each connection that differs. Texts are borrowed from the sets. */
struct sessions_diff_handler {
    void (*on_close)(void *ctx, const struct sessions_connection *connection); /* it is gone */
    void (*on_put)(void *ctx,
                   const struct sessions_connection *connection); /* it is new or other */
    void (*on_lease)(void *ctx, const struct sessions_connection *connection); /* only its lease */
};

/* Removing, putting and setting leases in the order of the calls turns a copy of before into after,
 * the order of connections included, if after was made from before by removing some, replacing
 * some and then adding at most one. All removals come first. */
void sessions_diff(const struct sessions *before, const struct sessions *after,
                   const struct sessions_diff_handler *handler, void *ctx);

/* Sessions that are gone: they stand in before, and after has none of their connections, or they
 * had no live one at now_ms (then one of theirs that is in after is a new beginning). */
typedef void (*sessions_session_fn)(void *ctx, struct notify_str session);
void sessions_each_left(const struct sessions *before, const struct sessions *after,
                        uint64_t now_ms, sessions_session_fn on_session, void *ctx);

/* Sessions of after that had no live connection in before at now_ms. */
void sessions_each_joined(const struct sessions *before, const struct sessions *after,
                          uint64_t now_ms, sessions_session_fn on_session, void *ctx);

/* Sessions that are live at now_ms. */
void sessions_each_live(const struct sessions *set, uint64_t now_ms, sessions_session_fn on_session,
                        void *ctx);

#endif
