/* resp_arena -- replies that are kept, or put together of others: they stay as long as the arena.
 *
 * Without memory everything gives NULL, from then on and for good: whoever puts much together looks
 * once, at the end. */
#ifndef RESP_ARENA_H
#define RESP_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redis/resp.h"

struct resp_block;

/* All zero: nothing yet. */
struct resp_arena {
    struct resp_block *blocks; /* owned list */
    bool failed;               /* something could not be had */
};

/* All that was had from it is gone; it can be used again. */
void resp_arena_release(struct resp_arena *arena);

/* A copy, with all that is in it. */
struct resp *resp_arena_copy(struct resp_arena *arena, const struct resp *reply);
/* An array or a map, or whatever has items: len of them, all NULL, to be set. */
struct resp *resp_arena_list(struct resp_arena *arena, enum resp_kind kind, size_t len);
/* A string or an error; the text is copied. */
struct resp *resp_arena_text(struct resp_arena *arena, enum resp_kind kind, struct notify_str text);
struct resp *resp_arena_integer(struct resp_arena *arena, int64_t integer);
/* The text alone. */
struct notify_str resp_arena_str(struct resp_arena *arena, struct notify_str text);

#endif
