/* status_report -- tells whoever follows a topic how the service is, again and again: as
 * system_status (--status-interval), and, for those who operate it, with all numbers as statistics
 * (--statistics-interval).
 *
 * Time is cut into intervals. The status is said by one bridge of several: each speaks when an
 * interval begins, with a token that is the same for all of them, and Redis takes what comes first.
 * Statistics each says of itself. The newest of each is kept for who comes later. */
#ifndef STATUS_REPORT_H
#define STATUS_REPORT_H

#include <stdint.h>

struct backend;
struct client_shared;
struct key_names;
struct loop;
struct loop_timer;
struct report_kind;
struct transport;

struct status_report {
    struct loop *loop; /* borrowed, like all but the timer */
    struct backend *backend;
    struct transport *transport;
    struct client_shared *clients;
    const struct key_names *keys;
    uint64_t interval_ms; /* 0: it is never said */
    const struct report_kind *kind;
    struct loop_timer *timer; /* owned */
};

extern const struct report_kind report_of_status, report_of_statistics;

/* Everything but the timer is set. 0 or -ENOMEM. */
int status_report_start(struct status_report *report);
/* All zero is fine. */
void status_report_release(struct status_report *report);

#endif
