/* readiness -- GET /readyz and /healthz: whether clients can be served, and what is lacking, of
 * each of the workers; from what they say of themselves (base/counters.h). */
#ifndef READINESS_H
#define READINESS_H

#include <stdbool.h>
#include <stddef.h>

/* JSON, which the caller frees; NULL: out of memory. {"status":"not ready","reasons":[{"worker",
 * "code","text"}…]}; of one that is ready no reasons. */
char *readiness_ready_text(bool ready, size_t *ret_len);
/* {"status":"up","workers":[{"worker","state"}…]}: that somebody answers is what is asked. */
char *readiness_health_text(size_t *ret_len);

#endif
