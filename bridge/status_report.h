/* status_report -- tells whoever follows topic:system_status how the service is, again and again
 * (--status-interval).
 *
 * Of several bridges one speaks at a time: time is cut into intervals, each bridge speaks when one
 * begins, with a token that is the same for all of them, and Redis takes what comes first. */
#ifndef STATUS_REPORT_H
#define STATUS_REPORT_H

#include <stdint.h>

struct backend;
struct key_names;
struct loop;
struct loop_timer;
struct transport;

struct status_report {
    struct loop *loop; /* borrowed, like all but the timer */
    struct backend *backend;
    struct transport *transport;
    const struct key_names *keys;
    uint64_t interval_ms;
    struct loop_timer *timer; /* owned */
};

/* Everything but the timer is set. 0 or -ENOMEM. */
int status_report_start(struct status_report *report);
/* All zero is fine. */
void status_report_release(struct status_report *report);

#endif
