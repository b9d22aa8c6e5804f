/* box_tally -- counting the notifications in a part of a box, for those who follow it from
 * elsewhere. Whatever this box itself has marked as read or muted plays no part; what it has
 * archived is withdrawn, and events are not counted. */
#ifndef BOX_TALLY_H
#define BOX_TALLY_H

#include "box/box_types.h"
#include "box/category_choice.h"

/* The notifications with ids within from .. to, both inclusive, that are neither expired at now_ms
 * nor archived and that the choice admits.
 *
 * O(log s + s) with s segments in the range (a segment: up to 255 entries): whole segments go by
 * their counters. Where these cannot tell (something has expired, or a category of the box is not
 * admitted), it is O(entries in the range). */
uint64_t box_tally(const struct box *box, struct notify_id from, struct notify_id to,
                   const struct category_choice *choice, uint64_t now_ms);

struct cover_map; /* cover_map.h */

/* Those after .. to that it does not cover (NULL: it covers nothing). As far as it reaches,
 * O(entries). */
uint64_t box_tally_open(const struct box *box, struct notify_id after, struct notify_id to,
                        const struct category_choice *choice, const struct cover_map *map,
                        uint64_t now_ms);

/* Asks for one entry after the other whether box_tally would count it; their ids must rise, so that
 * a segment is walked through once. Lives on the caller's stack; the box must not be changed
 * meanwhile. */
struct box_probe {
    const struct box *box;
    const struct category_choice *choice;
    uint64_t now_ms;
    uint32_t span; /* where it stands: no entry before has a greater id than the last asked for */
    uint32_t offset;
    uint32_t slot; /* of the category of the entry that it has had last */
};

void box_probe_init(struct box_probe *probe, const struct box *box,
                    const struct category_choice *choice, uint64_t now_ms);
/* O(log s + entries walked over). */
bool box_probe_has(struct box_probe *probe, struct notify_id id);

#endif
