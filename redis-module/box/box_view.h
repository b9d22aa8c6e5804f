/* box_view -- the entries of a box as somebody sees them who may have a state of his own for them:
 * the box itself, or an inbox that follows it and looks through its cursor.
 *
 * A follower sees what came after the start of his cursor and has not been withdrawn (archived in
 * the log itself). Whether it is read, seen or archived is what his cursor says, without times;
 * whether it is muted, what his box says. */
#ifndef BOX_VIEW_H
#define BOX_VIEW_H

#include "box/box.h"
#include "box/category_choice.h"
#include "box/cursor_count.h"

/* Neither box may change meanwhile. */
struct box_view {
    const struct box *box;         /* borrowed; NULL: nothing is to be seen */
    const struct muted_set *muted; /* borrowed; NULL: it is the box's own view */
    struct cursor_sight sight;
};

void box_view_own(struct box_view *view, const struct box *box);
/* cursor NULL: does not follow, and sees nothing; nor does whoever follows what is not there (log
 * NULL). 0 or -ENOMEM. To be released. */
int box_view_follow(struct box_view *view, const struct box *log, const struct cursor *cursor,
                    const struct muted_set *muted);
void box_view_release(struct box_view *view); /* of any kind */

/* As box_find. */
bool box_view_find(const struct box_view *view, struct notify_id id, uint64_t now_ms,
                   struct box_entry *ret_entry);

/* For a follower: an id up to which he has read everything that is stored, expired or withdrawn or
 * not: to read up to it changes nothing that he sees. O(exceptions + entries read after the read
 * mark). */
struct notify_id box_view_read_to(const struct box_view *view);

/* As box_iter. */
struct box_view_iter {
    const struct box_view *view;
    enum box_state state;
    struct box_iter iter;
};

void box_view_iter_init(struct box_view_iter *iter, const struct box_view *view,
                        const struct box_range *range);
bool box_view_iter_next(struct box_view_iter *iter, struct box_entry *ret_entry);

#endif
