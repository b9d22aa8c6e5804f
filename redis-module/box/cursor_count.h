/* cursor_count -- what a cursor says of the entries of its log: the state of one, and how many are
 * unread. The log is a box that is only looked at. */
#ifndef CURSOR_COUNT_H
#define CURSOR_COUNT_H

#include "box/box_tally.h"
#include "box/cover_map.h"
#include "box/cursor.h"
#include "box/cursor_state.h"

/* A cursor beside its log, neither of which may change meanwhile. */
struct cursor_sight {
    const struct cursor *cursor;
    struct cover_map *map; /* owned; NULL: nothing is covered */
};

/* 0 or -ENOMEM. To be released. */
int cursor_sight_init(struct cursor_sight *sight, const struct cursor *cursor,
                      const struct box *log);
void cursor_sight_release(struct cursor_sight *sight);
/* Of an entry after start, whose category has that slot in the log. O(log marks). */
struct cursor_state cursor_state_of(const struct cursor_sight *sight, struct notify_id id,
                                    uint32_t category_slot);

struct cursor_counts {
    uint64_t unread; /* notifications that the inbox has neither read nor archived */
    uint64_t unseen; /* neither seen nor archived */
};

/* What box_tally counts after start, by the inbox's state. log NULL: there is none. O(box_tally)
 * plus a search in the log for each mark; where categories are covered, also O(entries) up to the
 * last of these. */
struct cursor_counts cursor_count(const struct cursor *cursor, const struct box *log,
                                  const struct category_choice *choice, uint64_t now_ms);

#endif
