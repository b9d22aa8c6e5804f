/* filter -- which events of logs somebody is sent, by the names of their categories.
 *
 * One object stands for all receivers who are sent the same: what a batch comes to for it is made
 * once for all of them (channels/batch.h). Whoever makes a filter embeds this and sets passes and
 * release; what it passes never changes. */
#ifndef FILTER_H
#define FILTER_H

#include <stdbool.h>

#include "notify_str.h"

struct event;

struct filter {
    unsigned refs;
    /* Is an event of this category passed? Its name in UTF-8; empty: it has none. */
    bool (*passes)(const struct filter *filter, struct notify_str category);
    void (*release)(struct filter *filter); /* the last reference has gone */
};

struct filter *filter_ref(struct filter *filter);   /* NULL is fine, here and below */
struct filter *filter_unref(struct filter *filter); /* returns NULL */

/* Changes of state are passed: whoever has no entry that they speak of has nothing to change. A
 * category that is no text is nobody's. */
bool filter_passes(const struct filter *filter, const struct event *event);

#endif
