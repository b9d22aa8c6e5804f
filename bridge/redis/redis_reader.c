#include "redis/redis_reader.h"

#include <errno.h>
#include <stdbool.h>
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

/* Hangs node into the array that is being read, and hands it back to hiredis. */
static struct resp *attach(const redisReadTask *task, struct resp *node)
{
    if (node != NULL && task->parent != NULL) {
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
    node = malloc(sizeof(*node) + len - skip + 1);
    if (node == NULL)
        return NULL;
    bytes = (char *)(node + 1);
    memcpy(bytes, text + skip, len - skip);
    bytes[len - skip] = '\0';
    *node = (struct resp){.kind = kind_of(task->type), .str = {bytes, len - skip}};
    return attach(task, node);
}

static void *create_array(const redisReadTask *task, size_t elements)
{
    struct resp *node;

    if (is_too_deep(task) || !take_room(task, elements, 0))
        return NULL;
    node = calloc(1, sizeof(*node));
    if (node == NULL)
        return NULL;
    node->kind = kind_of(task->type);
    node->len = elements;
    if (elements > 0) {
        node->items = calloc(elements, sizeof(struct resp *));
        if (node->items == NULL) {
            free(node);
            return NULL;
        }
    }
    return attach(task, node);
}

static void *create_number(const redisReadTask *task, long long value)
{
    struct resp *node = take_room(task, 0, 0) ? calloc(1, sizeof(*node)) : NULL;

    if (node == NULL)
        return NULL;
    node->kind = RESP_INTEGER;
    node->integer = value;
    return attach(task, node);
}

static void *create_double(const redisReadTask *task, double value, char *text, size_t len)
{
    (void)value; /* nothing of ours is a double: kept as its text */
    return create_string(task, text, len);
}

static void *create_nil(const redisReadTask *task)
{
    if (!take_room(task, 0, 0))
        return NULL;
    return attach(task, calloc(1, sizeof(struct resp))); /* RESP_NIL is 0 */
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
    if (reply == NULL)
        return;
    for (size_t i = 0; i < reply->len; i++)
        redis_reader_free_reply(reply->items[i]); /* REDIS_REPLY_DEPTH_MAX levels */
    free(reply->items);
    free(reply);
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
