/* exposition -- reads the text in which numbers are shown to Prometheus, line by line: for whoever
 * looks at another process' numbers. What is no sample is passed over. Pure. */
#ifndef EXPOSITION_H
#define EXPOSITION_H

#include <stdbool.h>

#include "notify_str.h"

/* Slices of the text. */
struct exposition_sample {
    struct notify_str name; /* "notify_connections" */
    struct notify_str
        labels;   /* what stands between the braces: "transport=\"sse\""; may be empty */
    double value; /* finite, or an infinity; never NaN */
};

/* Takes the next sample off *rest. False: there is none any more. */
bool exposition_next(struct notify_str *rest, struct exposition_sample *ret);
/* The value of a label, as it stands, without its quotes: an escape is two bytes. False: there is
 * none of that name. */
bool exposition_label(struct notify_str labels, const char *name, struct notify_str *ret);

#endif
