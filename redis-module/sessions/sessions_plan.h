/* sessions_plan -- what one command does to a set, noted in the set itself until it has been told
 * to everybody: what replicas are to repeat, and who came and who went, as watchers are to hear it.
 *
 *   sweep … notes … tell … end
 *
 * A connection that is noted as going is gone for every question about the set at once, but stands
 * there with its texts until the end. Until something has been put or renewed, a plan can be
 * dropped, and nothing was changed. */
#ifndef SESSIONS_PLAN_H
#define SESSIONS_PLAN_H

#include "sessions/sessions.h"

/* Notes as going whatever is not live at now_ms. keep: a connection that stays although its lease
 * has passed, as it is going to be put again (its session and connection count), or NULL. */
void sessions_plan_sweep(struct sessions *set, uint64_t now_ms,
                         const struct sessions_connection *keep);

/* Notes connections as going: one by its index; all for which is_match says so, returning how many.
 */
typedef bool (*sessions_match_fn)(void *ctx, const struct sessions_connection *connection);
void sessions_plan_remove(struct sessions *set, uint32_t index);
size_t sessions_plan_remove_if(struct sessions *set, sessions_match_fn is_match, void *ctx);

/* Gives it another lease. */
void sessions_plan_lease(struct sessions *set, uint32_t index, uint64_t lease_ms);

/* As sessions_put, but one whose lease has passed at now_ms is a new beginning, and whether there
 * is room is the caller's to know. At most once. */
int sessions_plan_put(struct sessions **set, const struct sessions_connection *connection,
                      uint64_t now_ms);

/* ---- telling ---- */

/* How much there is to tell to replicas. */
struct sessions_tally {
    size_t removed;
    size_t put;
    size_t leases;
};
struct sessions_tally sessions_plan_tally(const struct sessions *set);

/* Called for each connection that is another than before. Texts are borrowed from the set. */
struct sessions_plan_handler {
    void (*on_close)(void *ctx, const struct sessions_connection *connection); /* it is gone */
    void (*on_put)(void *ctx,
                   const struct sessions_connection *connection); /* it is new or other */
    void (*on_lease)(void *ctx, const struct sessions_connection *connection); /* only its lease */
};

/* Removing, putting and setting leases in the order of the calls makes the set out of the one
 * before, the order of connections included. All removals come first. */
void sessions_plan_tell(const struct sessions *set, const struct sessions_plan_handler *handler,
                        void *ctx);

enum sessions_turn {
    SESSIONS_WERE_LIVE, /* had a live connection before */
    SESSIONS_LEFT,      /* were there, and have no connection now or had no live one before */
    SESSIONS_JOINED,    /* are there, and had no live connection before */
    SESSIONS_EXPIRED,   /* were there, and had no live connection before */
};

/* Each such session once, in order. now_ms: as in the sweep. */
typedef void (*sessions_session_fn)(void *ctx, struct notify_str session);
void sessions_plan_each(const struct sessions *set, uint64_t now_ms, enum sessions_turn turn,
                        sessions_session_fn on_session, void *ctx);

/* ---- ending ---- */

/* What is going goes; the notes are gone. */
void sessions_plan_end(struct sessions *set);
/* Nothing comes of it. */
void sessions_plan_drop(struct sessions *set);

#endif
