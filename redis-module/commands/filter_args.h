/* filter_args -- the options with which RANGE, REVRANGE and UNREAD choose entries. */
#ifndef FILTER_ARGS_H
#define FILTER_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/args.h"
#include "box/box.h"
#include "commands/log_args.h"

#define FILTER_CATEGORIES_MAX BOX_FILTER_CATEGORIES_MAX /* that one command may name */

struct filter_categories {
    struct notify_str list[FILTER_CATEGORIES_MAX]; /* each at most once; borrowed */
    size_t count;
};

struct filter_args {
    struct filter_categories categories;
    struct box_filter filter; /* its categories point at the list above: do not copy this struct */
    bool has_state;
    bool json;
    uint64_t count; /* at most REPLY_ENTRIES_MAX */
};

/* Takes the options of RANGE to the end. */
bool filter_args_take(struct filter_args *wanted, struct args *args);

/* COUNT's: CATEGORY name [name …], which may repeat. */
bool filter_args_take_categories(struct filter_categories *categories, struct args *args);

/* What UNREAD counts. */
struct filter_unread {
    struct filter_categories categories;
    struct log_args logs;
};

/* UNREAD's: CATEGORY as above, LOGS numkeys log [log …]. */
bool filter_args_take_unread(struct filter_unread *wanted, struct args *args);

#endif
