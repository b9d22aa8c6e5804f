/* Replies built from what Redis sends. */
#include <criterion/criterion.h>
#include <hiredis/hiredis.h>

#include "redis/redis_reader.h"
#include "redis/resp.h"

static redisReader *reader;

static void setup(void)
{
    reader = redisReaderCreateWithFunctions(redis_reader_functions());
    cr_assert_not_null(reader);
}

static void teardown(void)
{
    redisReaderFree(reader);
}

TestSuite(redis_reader, .init = setup, .fini = teardown);

static struct resp *read_reply(const char *wire)
{
    void *reply = NULL;

    cr_assert_eq(redisReaderFeed(reader, wire, strlen(wire)), REDIS_OK);
    cr_assert_eq(redisReaderGetReply(reader, &reply), REDIS_OK);
    cr_assert_not_null(reply);
    return reply;
}

Test(redis_reader, folds_the_kinds_that_need_not_be_told_apart)
{
    static const struct {
        const char *wire;
        enum resp_kind kind;
    } cases[] = {
        {"$2\r\nab\r\n", RESP_STRING},
        {"+ab\r\n", RESP_STRING},
        {"=6\r\ntxt:ab\r\n", RESP_STRING},
        {",1.5\r\n", RESP_STRING},
        {"-ERR x\r\n", RESP_ERROR},
        {":12\r\n", RESP_INTEGER},
        {"#t\r\n", RESP_INTEGER},
        {"_\r\n", RESP_NIL},
        {"$-1\r\n", RESP_NIL},
        {"*-1\r\n", RESP_NIL},
        {"*0\r\n", RESP_ARRAY},
        {"~1\r\n:1\r\n", RESP_ARRAY},
        {"%1\r\n+a\r\n:1\r\n", RESP_MAP},
        {">1\r\n+a\r\n", RESP_PUSH},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct resp *reply = read_reply(cases[i].wire);
        cr_assert_eq(reply->kind, cases[i].kind, "%s", cases[i].wire);
        redis_reader_free_reply(reply);
    }
}

Test(redis_reader, strings_are_whole_and_end_in_nul)
{
    struct resp *reply = read_reply("=6\r\ntxt:ab\r\n");

    cr_assert(notify_str_eq(reply->str, NOTIFY_STR("ab")));
    cr_assert_eq(reply->str.ptr[2], '\0');
    redis_reader_free_reply(reply);
    cr_assert_eq(redisReaderFeed(reader, "$3\r\na\0b\r\n", 9), REDIS_OK);
    reply = read_reply("");
    cr_assert(notify_str_eq(reply->str, NOTIFY_STR("a\0b")));
    redis_reader_free_reply(reply);
}

Test(redis_reader, nested_replies_keep_their_places)
{
    struct resp *reply = read_reply("*2\r\n%2\r\n+key\r\n+inbox:1\r\n+more\r\n:1\r\n*1\r\n_\r\n");

    cr_assert_eq(reply->len, 2);
    cr_assert(notify_str_eq(resp_str(resp_member(reply->items[0], "key")), NOTIFY_STR("inbox:1")));
    cr_assert_eq(resp_integer(resp_member(reply->items[0], "more"), 0), 1);
    cr_assert_eq(reply->items[1]->items[0]->kind, RESP_NIL);
    redis_reader_free_reply(reply);
}

Test(redis_reader, a_reply_that_breaks_off_leaves_nothing_behind)
{
    void *reply = NULL;

    cr_assert_eq(redisReaderFeed(reader, "*3\r\n+a\r\n*2\r\n:1\r\n", 16), REDIS_OK);
    cr_assert_eq(redisReaderGetReply(reader, &reply), REDIS_OK);
    cr_assert_null(reply);
    /* The sanitizer sees in teardown() whether the parts are freed. */
}

Test(redis_reader, nonsense_is_an_error)
{
    void *reply = NULL;

    cr_assert_eq(redisReaderFeed(reader, "!nonsense\r\n", 11), REDIS_OK);
    cr_assert_eq(redisReaderGetReply(reader, &reply), REDIS_ERR);
    cr_assert_null(reply);
}
