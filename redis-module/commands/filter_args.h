/* filter_args -- the options with which RANGE, COUNT, UNREAD and their like choose entries. */
#ifndef FILTER_ARGS_H
#define FILTER_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/args.h"
#include "box/box.h"
#include "box/box_feed.h"
#include "commands/group.h"
#include "commands/log_args.h"

#define FILTER_CATEGORIES_MAX BOX_FILTER_CATEGORIES_MAX /* that one command may name */

struct filter_categories {
    struct notify_str list[FILTER_CATEGORIES_MAX]; /* each at most once; borrowed */
    size_t count;
};

/* Which of the options a command has. */
enum filter_use {
    FILTER_RANGE,  /* state, CATEGORY, TYPE, EVENT, LEVEL, ENTITY, and COUNT, JSON, LOG */
    FILTER_COUNT,  /* the same without COUNT and JSON */
    FILTER_FEED,   /* those of COUNT without LOG, and COUNT, JSON, LOGS, BEFORE, OFFSET, TOTAL */
    FILTER_UNREAD, /* CATEGORY, LOGS, BY */
    FILTER_BADGE,  /* CATEGORY, LOGS */
    FILTER_VIEW, /* those of RANGE without LOG, and RANGE, REVRANGE, TOTAL, BY; all but CATEGORY and
                  * BY need one of the first two */
};

/* What has not been given is NULL, 0 or false. */
struct filter_args {
    const struct arg_option *options; /* of the command */
    size_t option_count;
    struct filter_categories categories;
    struct box_filter filter; /* its categories point at the list above: do not copy this struct */
    bool has_state;
    bool json;
    uint64_t count;        /* at most REPLY_ENTRIES_MAX; FEED's is 100 if not given, others' that */
    struct rm_string *log; /* borrowed */
    struct log_args logs;
    struct feed_position before; /* its name is borrowed */
    bool has_before;
    bool total;
    bool has_by;
    enum group_by by;
    uint64_t offset;
    struct box_range range; /* RANGE or REVRANGE: its ends and direction */
    bool has_range;
};

/* The ends of a range as RANGE has them, or REVRANGE. */
bool filter_args_take_ends(struct args *args, bool reverse, struct box_range *ret_range);

/* Takes the options up to the end. */
bool filter_args_take(struct filter_args *wanted, enum filter_use use, struct args *args);

/* Whether categories are the only condition on entries. */
bool filter_args_are_plain(const struct filter_args *wanted);

#endif
