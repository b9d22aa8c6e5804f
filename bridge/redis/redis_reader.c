#include "redis/redis_reader.h"

#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "redis/resp.h"

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
    struct resp *node = malloc(sizeof(*node) + len - skip + 1);
    char *bytes;

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
    struct resp *node = calloc(1, sizeof(*node));

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
    struct resp *node = calloc(1, sizeof(*node));

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
        redis_reader_free_reply(reply->items[i]); /* depth: hiredis reads at most 9 levels */
    free(reply->items);
    free(reply);
}

struct redisReplyObjectFunctions *redis_reader_functions(void)
{
    static redisReplyObjectFunctions functions = {
        .createString = create_string,
        .createArray = create_array,
        .createInteger = create_number,
        .createDouble = create_double,
        .createNil = create_nil,
        .createBool = create_bool,
        .freeObject = free_object,
    };
    return &functions;
}
