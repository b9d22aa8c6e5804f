/* since -- an instant as clients name it: a Unix time in ms, or how long ago: "500ms", "90s", "5m",
 * "2h", "7d". Pure. */
#ifndef SINCE_H
#define SINCE_H

#include <stdbool.h>
#include <stdint.h>

#include "notify_str.h"

#define SINCE_EXPECTED "a Unix time in ms, or a duration such as 90s or 2h"

struct since {
    uint64_t ms;  /* more than 0 */
    bool is_span; /* so long ago, and no Unix time */
};

/* False, and *ret untouched, for anything else. */
bool since_parse_time(struct notify_str text, struct since *ret);
bool since_parse_span(struct notify_str text, struct since *ret);

#endif
