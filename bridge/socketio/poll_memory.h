/* poll_memory -- boxes of polls in this process alone: for tests, and where there is no other
 * bridge. */
#ifndef POLL_MEMORY_H
#define POLL_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "socketio/poll_store.h"

struct loop;
struct poll_memory;

struct poll_memory_config {
    uint64_t ping_interval_ms, ping_timeout_ms;
    size_t input_max; /* bytes of what POSTs have brought; more ends the session */
    size_t boxes_max;
};

/* NULL: out of memory. */
struct poll_memory *poll_memory_new(struct loop *loop, const struct poll_memory_config *config);
/* Whoever was still to be told something is not. NULL is fine. */
void poll_memory_free(struct poll_memory *memory);
struct poll_store poll_memory_store(struct poll_memory *memory);

#endif
