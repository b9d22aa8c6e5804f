/* Replies built from what Redis sends. */
#include <criterion/criterion.h>
#include <errno.h>
#include <hiredis/hiredis.h>

#include "redis/redis_reader.h"
#include "redis/resp.h"

static redisReader *reader;
static struct redis_reply_size size;

static void setup(void)
{
    reader = redisReaderCreateWithFunctions(NULL);
    cr_assert_not_null(reader);
    redis_reader_setup(reader, &size);
}

static void teardown(void)
{
    redisReaderFree(reader);
}

TestSuite(redis_reader, .init = setup, .fini = teardown);

static void feed(const char *wire)
{
    cr_assert_eq(redisReaderFeed(reader, wire, strlen(wire)), REDIS_OK);
}

static int next_is(void)
{
    struct resp *reply = NULL;
    int found = redis_reader_next(reader, &reply);

    cr_assert((found == 1) == (reply != NULL));
    redis_reader_free_reply(reply);
    return found;
}

static struct resp *read_reply(const char *wire)
{
    struct resp *reply = NULL;

    feed(wire);
    cr_assert_eq(redis_reader_next(reader, &reply), 1);
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
    feed("*3\r\n+a\r\n*2\r\n:1\r\n");
    cr_assert_eq(next_is(), 0);
    /* The sanitizer sees in teardown() whether the parts are freed. */
}

Test(redis_reader, nonsense_is_an_error)
{
    feed("?nonsense\r\n");
    cr_assert_eq(next_is(), -EPROTO);
}

/* The bounds. */

static void start_over(void)
{
    teardown();
    setup();
}

static const char *const too_large[] = {
    ">2147483647\r\n",
    "*2147483647\r\n",
    "~2147483647\r\n",
    "%2147483647\r\n",
    "%4611686018427387904\r\n",
    "*9223372036854775807\r\n",
    "$2147483647\r\n",
    "=34603009\r\n",
    "*2\r\n:1\r\n$99999999999\r\nx",
    ">65536\r\n",
    "%32769\r\n",
    "*1\r\n*1\r\n*65535\r\n",
    "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
};

Test(redis_reader, what_announces_too_much_is_refused_when_it_is_announced)
{
    for (size_t i = 0; i < sizeof(too_large) / sizeof(too_large[0]); i++) {
        start_over();
        feed(too_large[i]);
        cr_assert_lt(next_is(), 0, "%s", too_large[i]);
    }
}

Test(redis_reader, the_parts_of_a_reply_are_counted_together)
{
    feed("*2\r\n*40000\r\n");
    for (int n = 0; n < 40000; n++)
        feed("_\r\n");
    cr_assert_eq(next_is(), 0);
    feed("*40000\r\n");
    cr_assert_eq(next_is(), -E2BIG);
}

Test(redis_reader, each_reply_is_counted_alone)
{
    for (int i = 0; i < 3 * REDIS_REPLY_NODES_MAX / 1000; i++) {
        feed("*1000\r\n");
        for (int n = 0; n < 1000; n++)
            feed(":1\r\n");
        cr_assert_eq(next_is(), 1);
    }
}

/* Feeds first, then the megabyte again and again, each time behind head. */
static void check_given_up(const char *first, const char *head, const char *megabyte)
{
    size_t fed = 0;
    int found = 0;

    start_over();
    feed(first);
    for (; found == 0 && fed <= 2 * REDIS_REPLY_BYTES_MAX; fed += 1 << 20) {
        feed(head);
        feed(megabyte);
        found = next_is();
    }
    cr_assert_eq(found, -E2BIG, "%s", first);
    cr_assert_leq(fed, REDIS_REPLY_BYTES_MAX + (2 << 20));
}

Test(redis_reader, what_has_no_end_is_given_up)
{
    static char megabyte[(1 << 20) + 1];

    memset(megabyte, 'x', sizeof(megabyte) - 1);
    check_given_up("$2147483647\r\n", "", megabyte);
    check_given_up("+", "", megabyte);
    memcpy(megabyte + sizeof(megabyte) - 3, "\r\n", 2);
    check_given_up("*1000\r\n", "+", megabyte);
}
