#include "redis/redis_reader.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "redis/resp.h"

/* Counts what is to be built; false: it passes the bounds. What stands in an array is counted with
 * the array, since the table of it is made before it comes. */
static bool take_room(const redisReadTask *task, size_t items, size_t bytes)
{
    struct redis_reply_size *size = task->privdata;

    size->nodes += items + (task->parent == NULL ? 1 : 0);
    size->bytes += bytes;
    return size->nodes <= REDIS_REPLY_NODES_MAX && size->bytes <= REDIS_REPLY_BYTES_MAX;
}

static bool is_too_deep(const redisReadTask *task)
{
    int depth = 0;

    for (; task != NULL && depth <= REDIS_REPLY_DEPTH_MAX; task = task->parent)
        depth++;
    return depth > REDIS_REPLY_DEPTH_MAX;
}

/* A reply lies in few blocks, one behind the other, and not each node of it in memory of its own:
 * what Redis says to one who connects alone has fifty. */
struct block {
    struct block *before;
    size_t used, cap; /* bytes */
    max_align_t room[];
};

#define BLOCK_BYTES 1024 /* of the first, but for a reply that is one node; then twice as many, */
#define BLOCK_MAX 65536  /* up to this, unless one node alone is larger */

/* Stands first in the first block. */
struct reply {
    struct block *last;
    struct resp root;
};

static struct block *block_new(struct block *before, size_t cap)
{
    struct block *block = malloc(sizeof(*block) + cap);

    if (block == NULL)
        return NULL;
    block->before = before;
    block->used = 0;
    block->cap = cap;
    return block;
}

static struct reply *reply_of(struct resp *root)
{
    return (void *)((char *)root - offsetof(struct reply, root));
}

static void *take_bytes(struct block *block, size_t bytes)
{
    void *at = (char *)block->room + block->used;

    block->used +=
        (bytes + _Alignof(struct resp) - 1) / _Alignof(struct resp) * _Alignof(struct resp);
    return at;
}

static size_t room_of(const struct block *block)
{
    return block->used < block->cap ? block->cap - block->used : 0;
}

static size_t next_cap(const struct block *block, size_t bytes)
{
    size_t cap = block->cap < BLOCK_MAX / 2 ? block->cap * 2 : BLOCK_MAX;

    return bytes > cap ? bytes : cap;
}

/* In the reply that task belongs to. */
static void *take_more(const redisReadTask *task, size_t bytes)
{
    struct reply *reply;
    struct block *block;

    while (task->parent != NULL)
        task = task->parent;
    reply = reply_of(task->obj);
    if (room_of(reply->last) < bytes) {
        block = block_new(reply->last, next_cap(reply->last, bytes));
        if (block == NULL)
            return NULL;
        reply->last = block;
    }
    return take_bytes(reply->last, bytes);
}

/* more: bytes behind the root that are needed at once; items: does more belong to it? */
static struct resp *root_new(size_t more, bool has_items)
{
    size_t bytes = sizeof(struct reply) - sizeof(struct resp) + more;
    struct block *block = block_new(NULL, has_items && bytes < BLOCK_BYTES ? BLOCK_BYTES : bytes);
    struct reply *reply;

    if (block == NULL)
        return NULL;
    reply = take_bytes(block, bytes);
    reply->last = block;
    return &reply->root;
}

/* A node with bytes behind it, hung into the array that is being read. They are not zeroed. */
static struct resp *node_new(const redisReadTask *task, size_t behind, bool has_items)
{
    size_t bytes = sizeof(struct resp) + behind;
    struct resp *node = task->parent == NULL ? root_new(bytes, has_items) : take_more(task, bytes);

    if (node == NULL)
        return NULL;
    *node = (struct resp){.kind = RESP_NIL};
    if (task->parent != NULL) {
        struct resp *parent = task->parent->obj;
        parent->items[task->idx] = node;
    }
    return node;
}

static enum resp_kind kind_of(int hiredis_type)
{
    switch (hiredis_type) {
    case REDIS_REPLY_ERROR:
        return RESP_ERROR;
    case REDIS_REPLY_MAP:
    case REDIS_REPLY_ATTR:
        return RESP_MAP;
    case REDIS_REPLY_PUSH:
        return RESP_PUSH;
    case REDIS_REPLY_ARRAY:
    case REDIS_REPLY_SET:
        return RESP_ARRAY;
    default:
        return RESP_STRING;
    }
}

static void *create_string(const redisReadTask *task, char *text, size_t len)
{
    /* A verbatim string carries its format in front: "txt:". */
    size_t skip = task->type == REDIS_REPLY_VERB && len >= 4 ? 4 : 0;
    struct resp *node;
    char *bytes;

    if (!take_room(task, 0, len))
        return NULL;
    node = node_new(task, len - skip + 1, false);
    if (node == NULL)
        return NULL;
    bytes = (char *)(node + 1);
    memcpy(bytes, text + skip, len - skip);
    bytes[len - skip] = '\0';
    node->kind = kind_of(task->type);
    node->str = notify_str_of(bytes, len - skip);
    return node;
}

static void *create_array(const redisReadTask *task, size_t elements)
{
    struct resp *node;

    if (is_too_deep(task) || !take_room(task, elements, 0))
        return NULL;
    node = node_new(task, elements * sizeof(struct resp *), true);
    if (node == NULL)
        return NULL;
    node->kind = kind_of(task->type);
    node->len = elements;
    if (elements > 0)
        node->items = (struct resp **)(node + 1);
    return node;
}

static void *create_number(const redisReadTask *task, long long value)
{
    struct resp *node = take_room(task, 0, 0) ? node_new(task, 0, false) : NULL;

    if (node == NULL)
        return NULL;
    node->kind = RESP_INTEGER;
    node->integer = value;
    return node;
}

static void *create_double(const redisReadTask *task, double value, char *text, size_t len)
{
    (void)value; /* nothing of ours is a double: kept as its text */
    return create_string(task, text, len);
}

static void *create_nil(const redisReadTask *task)
{
    return take_room(task, 0, 0) ? node_new(task, 0, false) : NULL;
}

static void *create_bool(const redisReadTask *task, int value)
{
    return create_number(task, value);
}

static void free_object(void *reply)
{
    redis_reader_free_reply(reply);
}

void redis_reader_free_reply(struct resp *reply)
{
    struct block *block = reply == NULL ? NULL : reply_of(reply)->last, *before;

    for (; block != NULL; block = before) {
        before = block->before;
        free(block);
    }
}

static redisReplyObjectFunctions functions = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_number,
    .createDouble = create_double,
    .createNil = create_nil,
    .createBool = create_bool,
    .freeObject = free_object,
};

void redis_reader_setup(struct redisReader *reader, struct redis_reply_size *size)
{
    *size = (struct redis_reply_size){0};
    reader->fn = &functions;
    reader->privdata = size;
    reader->maxelements = REDIS_REPLY_NODES_MAX;
}

/* hiredis builds a string when all of it is there: until then its length is what stands next. */
static bool announces_too_much(const struct redisReader *reader)
{
    const redisReadTask *task = reader->ridx < 0 ? NULL : reader->task[reader->ridx];

    if (task == NULL || (task->type != REDIS_REPLY_STRING && task->type != REDIS_REPLY_VERB))
        return false;
    return strtoll(reader->buf + reader->pos, NULL, 10) > REDIS_REPLY_BYTES_MAX;
}

int redis_reader_next(struct redisReader *reader, struct resp **ret)
{
    struct redis_reply_size *size = reader->privdata;
    void *reply = NULL;

    if (redisReaderGetReply(reader, &reply) != REDIS_OK)
        return reader->err == REDIS_ERR_OOM ? -E2BIG : -EPROTO;
    if (reply == NULL) { /* a string is kept as it came until all of it is there */
        bool is_long = reader->len - reader->pos > REDIS_REPLY_BYTES_MAX;
        return is_long || announces_too_much(reader) ? -E2BIG : 0;
    }
    *size = (struct redis_reply_size){0};
    *ret = reply;
    return 1;
}
