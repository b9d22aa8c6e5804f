/* pauses -- when the machine stood still: spans in which not even a real-time thread ran that had
 * nothing to do but to wake up.
 *
 * On a virtual machine the host takes the processors away now and then, all of them at once and
 * without accounting for it as stolen. What is measured in such a span says nothing of the
 * programs. One child per core wakes up every 2 ms with real-time priority and notes when it is
 * late by 3 ms or more: that is longer than any program without such a priority can hold it up, and
 * longer than the kernel works on the network in one go. */
#ifndef PAUSES_H
#define PAUSES_H

#include <stdbool.h>
#include <stdint.h>

struct pauses;

/* Begins to watch two cores. NULL: real-time priority is not permitted here. */
struct pauses *pauses_new(int core, int other_core);
/* NULL is fine. */
void pauses_free(struct pauses *pauses);

/* Whether a pause touches the span (bench_now_ns()). False for NULL. */
bool pauses_touch(const struct pauses *pauses, uint64_t from_ns, uint64_t to_ns);
/* How long the pauses were altogether that began in the span, on the core that had most of them. */
uint64_t pauses_total_ns(const struct pauses *pauses, uint64_t from_ns, uint64_t to_ns);

#endif
