/* cover_map -- which categories of a log the covers of a cursor (cursor_covers.h) are, by the slots
 * that they have in the log. */
#ifndef COVER_MAP_H
#define COVER_MAP_H

#include "box/box_types.h"
#include "box/cursor_covers.h"

/* Which slots of a log are covered; good until the log changes. */
struct cover_map {
    uint32_t count;
    struct notify_id max; /* the greatest that is covered; 0-0: nothing is */
    struct {
        uint32_t slot;
        struct notify_id upto;
    } list[CURSOR_COVERS_BOUND]; /* slots rise */
};

/* Covers of categories that the log does not know are none. O(categories of the log). log NULL:
 * nothing is covered. */
void cover_map_init(struct cover_map *map, const struct cursor_covers *covers,
                    const struct box *log);
bool cover_map_has(const struct cover_map *map, uint32_t slot, struct notify_id id);

#endif
