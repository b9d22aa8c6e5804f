/* audience -- who follows one channel: the table of its follows, and where each of them stands.
 *
 * It hands on what the channel has to say, and sets back whose position proves wrong. What is true,
 * and from where somebody is to be served, the channel decides. */
#ifndef AUDIENCE_H
#define AUDIENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "channels/batch.h"
#include "notify_id.h"

struct follow;
struct follow_handlers;
struct trail;

/* Behind every position: of nobody. */
#define NOWHERE ((struct notify_id){UINT64_MAX, UINT64_MAX})

/* Zeroed: nobody. */
struct audience {
    union {
        struct follow **follows; /* owned table of borrowed follows; or, */
        struct follow *only;     /* while cap is 0, the one that there is */
    };
    uint32_t len, cap;
    uint32_t waiting; /* in FOLLOW_WAITING */
};

void audience_release(struct audience *audience);

/* Comes as one that is behind. 0 or -ENOMEM. */
int audience_add(struct audience *audience, struct follow *follow);
void audience_remove(struct audience *audience, struct follow *follow);
/* It is to be served from its position. */
void audience_wait(struct audience *audience, struct follow *follow);
/* Nothing more for it until audience_wait(). */
void audience_fall_behind(struct audience *audience, struct follow *follow);
/* It has all that there is, and is told so. */
void audience_go_live(struct audience *audience, const struct follow_handlers *handlers,
                      struct follow *follow);

/* One of them; NULL: there is nobody. */
struct follow *audience_any(const struct audience *audience);
/* Those who wait, one after the other: *i begins as 0. NULL: there is none left. */
struct follow *audience_next_waiting(const struct audience *audience, uint32_t *i);
bool audience_has_live(const struct audience *audience);
/* The smallest position, at or behind at_least, of one that waits, and need not be judged; NOWHERE:
 * there is none. epoch: the box's. */
struct notify_id audience_smallest(const struct audience *audience, uint32_t epoch,
                                   struct notify_id at_least);
/* Of one that waits, the epoch that is to be judged; 0: there is none. epoch: the box's. */
uint32_t audience_unjudged(const struct audience *audience, uint32_t epoch);
/* The positions of those who wait that were given under epoch are good up to end; is_known: else
 * the box does not know that epoch, and nothing is good. They are ones of now then. */
void audience_judge(struct audience *audience, uint32_t epoch, struct notify_id end, bool is_known,
                    uint32_t now);
/* The box has another epoch than this one, in which the channel's last is good still: positions
 * behind that are to be judged, and who is live there waits for it. */
void audience_doubt(struct audience *audience, struct notify_id last, uint32_t epoch);
/* A read is asked for now: it is for all who wait. */
void audience_note_read(struct audience *audience);

/* To all who are live. */
void audience_deliver(struct audience *audience, const struct follow_handlers *handlers,
                      struct batch *batch);

/* What was cut out of a source for the one before: very often the next one lacks the same, and then
 * all of them are sent the same buffer. Begins zeroed. */
struct audience_cut {
    struct batch batch;
    size_t start;
};
/* Sends one that waits source's events behind its position. False: its client could not take all of
 * it, and it is behind. */
bool audience_serve(const struct follow_handlers *handlers, struct follow *follow,
                    const struct batch *source, struct audience_cut *cut);

/* Entries up to trimmed are gone: those who are live and stand before it are told. */
void audience_tell_gap(struct audience *audience, const struct follow_handlers *handlers,
                       struct notify_id trimmed);
/* The box ends at end, so whoever is live behind that, and not at what was believed, stands in one
 * that is no more. */
void audience_come_back(struct audience *audience, const struct follow_handlers *handlers,
                        const struct trail *trail, struct notify_id end);
/* All who are live go on behind pos, and have missed nobody knows what. */
void audience_begin_at(struct audience *audience, const struct follow_handlers *handlers,
                       struct notify_id pos);
/* Of all who are live: an entry id comes, below what they had. */
void audience_go_before(struct audience *audience, struct notify_id id);
/* Those who are not live, and stand where we have brought them to, may have missed something. */
void audience_note_gap(struct audience *audience);
/* Another box stands there, in which it goes on behind from. Those who wait are served from their
 * own positions, unless it is us who brought them there; those behind ahead, and not
 * behind the box's end, stand in it already, and stay. told: a message says so to the live. */
void audience_change_box(struct audience *audience, const struct follow_handlers *handlers,
                         struct notify_id from, struct notify_id ahead, struct notify_id end,
                         bool told);

/* An entry at missing has not been handed on, so that whatever was believed from there on is not
 * real. Who stands at such an id is set back, or it would skip what is real. told: as above. */
void audience_leave_unreal(struct audience *audience, const struct follow_handlers *handlers,
                           const struct trail *trail, struct notify_id missing, bool told);
/* Is it not known yet whether the id is real at which it stands? From there on it cannot be served:
 * that would skip what lies before. */
bool audience_stands_at_believed(const struct follow *follow, const struct trail *trail);
bool audience_waits_at_believed(const struct audience *audience, const struct trail *trail);

#endif
