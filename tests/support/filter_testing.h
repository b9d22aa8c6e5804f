/* filter_testing -- a filter that passes one category, for tests of what is chosen by filters. */
#ifndef FILTER_TESTING_H
#define FILTER_TESTING_H

#include <string.h>

#include "wire/filter.h"

struct filter_testing {
    struct filter filter; /* first */
    struct notify_str category;
    unsigned asked;    /* times */
    unsigned released; /* times */
};

static inline bool filter_testing_passes(const struct filter *filter, struct notify_str category)
{
    struct filter_testing *testing = (struct filter_testing *)filter;

    testing->asked++;
    return notify_str_eq(category, testing->category);
}

static inline void filter_testing_release(struct filter *filter)
{
    ((struct filter_testing *)filter)->released++;
}

/* One reference, the test's. */
static inline struct filter_testing filter_testing_of(struct notify_str category)
{
    return (struct filter_testing){
        .filter = {.refs = 1, .passes = filter_testing_passes, .release = filter_testing_release},
        .category = category};
}

#endif
