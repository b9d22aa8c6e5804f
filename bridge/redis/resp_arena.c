#include "redis/resp_arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 4000 /* of a block, unless one thing needs more */

struct resp_block {
    struct resp_block *next;
    size_t len, cap; /* bytes */
    alignas(max_align_t) char bytes[];
};

static size_t aligned(size_t bytes)
{
    return (bytes + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
}

static struct resp_block *add_block(struct resp_arena *arena, size_t bytes)
{
    size_t cap = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    struct resp_block *block = malloc(sizeof(*block) + cap);

    if (block == NULL) {
        arena->failed = true;
        return NULL;
    }
    block->len = 0;
    block->cap = cap;
    block->next = arena->blocks;
    arena->blocks = block;
    return block;
}

/* Zeroed. */
static void *take(struct resp_arena *arena, size_t bytes)
{
    struct resp_block *block = arena->blocks;
    size_t need = aligned(bytes);
    void *taken;

    if (arena->failed)
        return NULL;
    if (block == NULL || block->cap - block->len < need)
        block = add_block(arena, need);
    if (block == NULL)
        return NULL;
    taken = block->bytes + block->len;
    block->len += need;
    return memset(taken, 0, bytes);
}

void resp_arena_release(struct resp_arena *arena)
{
    struct resp_block *block;

    while ((block = arena->blocks) != NULL) {
        arena->blocks = block->next;
        free(block);
    }
    arena->failed = false;
}

struct notify_str resp_arena_str(struct resp_arena *arena, struct notify_str text)
{
    char *copy = take(arena, text.len + 1);

    if (copy == NULL)
        return (struct notify_str){NULL, 0};
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    return notify_str_of(copy, text.len);
}

static struct resp *make(struct resp_arena *arena, enum resp_kind kind)
{
    struct resp *made = take(arena, sizeof(*made));

    if (made != NULL)
        made->kind = kind;
    return made;
}

struct resp *resp_arena_text(struct resp_arena *arena, enum resp_kind kind, struct notify_str text)
{
    struct resp *made = make(arena, kind);

    if (made != NULL)
        made->str = resp_arena_str(arena, text);
    return arena->failed ? NULL : made;
}

struct resp *resp_arena_integer(struct resp_arena *arena, int64_t integer)
{
    struct resp *made = make(arena, RESP_INTEGER);

    if (made != NULL)
        made->integer = integer;
    return made;
}

struct resp *resp_arena_list(struct resp_arena *arena, enum resp_kind kind, size_t len)
{
    struct resp *made = make(arena, kind);

    if (made == NULL)
        return NULL;
    made->len = len;
    made->items = take(arena, len * sizeof(made->items[0]));
    return arena->failed ? NULL : made;
}

/* No deeper than a reply may be (redis_reader.h). */
struct resp *resp_arena_copy(struct resp_arena *arena, const struct resp *reply)
{
    struct resp *made;

    switch (reply->kind) {
    case RESP_STRING:
    case RESP_ERROR:
        return resp_arena_text(arena, reply->kind, reply->str);
    case RESP_INTEGER:
        return resp_arena_integer(arena, reply->integer);
    case RESP_NIL:
        return make(arena, RESP_NIL);
    case RESP_ARRAY:
    case RESP_MAP:
    case RESP_PUSH:
        break;
    }
    made = resp_arena_list(arena, reply->kind, reply->len);
    for (size_t i = 0; made != NULL && i < reply->len; i++)
        made->items[i] = resp_arena_copy(arena, reply->items[i]);
    return arena->failed ? NULL : made;
}
