/* Any bytes as what a server sends, in pieces: each reply stays within the bounds, and nothing is
 * left behind. */
#include <assert.h>
#include <hiredis/hiredis.h>
#include <stdint.h>

#include "redis/redis_reader.h"
#include "redis/resp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Looks at everything, as those who get a reply might. */
static size_t count(const struct resp *reply)
{
    size_t nodes = 1;

    assert(reply != NULL);
    assert(resp_str(reply).len == 0 || resp_str(reply).ptr[reply->str.len] == '\0');
    (void)resp_integer(resp_member(reply, "more"), 0);
    for (size_t i = 0; i < reply->len; i++)
        nodes += count(reply->items[i]);
    return nodes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    redisReader *reader = redisReaderCreateWithFunctions(NULL);
    struct redis_reply_size taken;
    struct resp *reply = NULL;
    size_t at = 0;
    int found = 0;

    assert(reader != NULL);
    redis_reader_setup(reader, &taken);
    while (found >= 0 && at < size) {
        size_t piece = 1 + data[at] % 64;
        if (piece > size - at)
            piece = size - at;
        assert(redisReaderFeed(reader, (const char *)data + at, piece) == REDIS_OK);
        at += piece;
        while ((found = redis_reader_next(reader, &reply)) == 1) {
            assert(count(reply) <= REDIS_REPLY_NODES_MAX);
            redis_reader_free_reply(reply);
        }
        assert(found < 0 || taken.nodes <= REDIS_REPLY_NODES_MAX);
    }
    redisReaderFree(reader);
    return 0;
}
