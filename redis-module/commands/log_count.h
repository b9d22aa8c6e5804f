/* log_count -- what an inbox has not read of a log: its cursor there, under its muted categories.
 * Replies nothing and changes nothing. */
#ifndef LOG_COUNT_H
#define LOG_COUNT_H

#include "server/box_key.h"
#include "box/cursor_count.h"
#include "box/cursors.h"
#include "commands/filter_args.h"

/* The box's cursor in the log of that name; NULL: it does not follow it. */
struct cursor *log_cursor(const struct box *box, const struct rm_string *log);

/* What of any log counts for the box. categories: NULL or none: all that it has not muted. box:
 * NULL: nothing is muted. Both are borrowed. The wish is good until the next call: it is too big
 * for a stack, and one command runs at a time. */
struct category_wish *log_wish(const struct box *box, const struct filter_categories *categories);

/* The categories that the box has muted, for a view of its logs; borrowed and good as above. */
const struct muted_set *log_muted(const struct box *box);

/* log: an open key; without a box in it everything is 0, as without a cursor. */
struct cursor_counts log_count(const struct cursor *cursor, const struct box_key *log,
                               struct category_wish *wish);

#endif
