/* box_feed -- the entries of several views as one list, newest first. Entries with the same id come
 * in the order of their sources' names. */
#ifndef BOX_FEED_H
#define BOX_FEED_H

#include "box/box_view.h"

struct feed_source {
    struct notify_str name; /* borrowed; no other has it */
    const struct box_view *view;
    uint64_t now_ms;
    struct box_view_iter iter; /* the feed's from here on */
    struct box_entry entry;    /* as handed out, or the next to be */
};

/* A place between two entries. */
struct feed_position {
    struct notify_id id;
    struct notify_str name; /* .ptr NULL: before all that have the id */
};

struct feed {
    struct feed_source *sources; /* borrowed */
    uint32_t *heap;              /* borrowed: indices of those that have a next entry */
    size_t count;                /* in the heap */
    bool is_out;                 /* the first one's entry has been handed out */
};

/* heap: room for count indices. before NULL: from the newest on. Nothing may change while the feed
 * is read. */
void feed_init(struct feed *feed, struct feed_source *sources, uint32_t *heap, size_t count,
               const struct box_filter *filter, const struct feed_position *before);

/* The source whose entry is next; the entry is good until the next call. NULL: no more.
 * O(log sources). */
struct feed_source *feed_next(struct feed *feed);

#endif
