/* Requests with a responder that is no connection: what handlers say to it, and when. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "clients/client.h"
#include "conn_testing.h"
#include "identity/key_names.h"
#include "link_testing.h"
#include "loop_testing.h"
#include "redis/turns.h"
#include "requests/request.h"
#include "requests/request_run.h"
#include "requests/responder.h"
#include "wire/inbound.h"
#include "wire/json_scan.h"
#include "wire/text.h"

struct testing_request {
    struct request request; /* first */
    int *releases;
};

static struct redis_link redis;
static struct turns *turns;
static struct key_names names = {{"inbox:%s", "topic:%s", "session:%s"}};
static struct client_shared shared;
static struct client *client;
static bool gone;
static int answers, releases;
static size_t held;
static enum answer_code last_code;
static char last_text[4096];

static void on_answer(struct request *r, enum answer_code code, struct text *text)
{
    size_t len = 0;

    (void)r;
    answers++;
    last_code = code;
    for (size_t i = 0; i < text->len; i++) {
        memcpy(last_text + len, text->parts[i].ptr, text->parts[i].len);
        len += text->parts[i].len;
    }
    last_text[len] = '\0';
}

static bool is_gone(const struct request *r)
{
    (void)r;
    return gone;
}

static void begin(struct request *r, size_t bytes)
{
    (void)r;
    held += bytes;
}

static void end(struct request *r, size_t bytes)
{
    (void)r;
    held -= bytes;
}

static void nothing(struct request *r)
{
    (void)r;
}

static void release(struct request *r)
{
    ++*((struct testing_request *)r)->releases;
}

static const struct responder responder = {
    .request_bytes = sizeof(struct testing_request),
    .answer = on_answer,
    .is_gone = is_gone,
    .begin = begin,
    .end = end,
    .waits = nothing,
    .goes_on = nothing,
    .release = release,
};

static void setup(void)
{
    static const char *const no_logs[] = {NULL};

    link_testing_init(&redis);
    turns = turns_new(&redis.keys);
    shared = (struct client_shared){.senders = {.loop = LOOP_TESTING},
                                    .commands = turns,
                                    .keyspace = &redis.keys,
                                    .keys = &names,
                                    .broadcast_logs = no_logs};
    client = calloc(1, sizeof(*client));
    cr_assert_not_null(client);
    client->shared = &shared;
    client->sender.shared = &shared.senders;
    client->identity = identity_open(NOTIFY_STR("u"));
}

static void teardown(void)
{
    link_testing_go_down(&redis);
    turns_free(turns);
    identity_unref(client->identity);
    free(client);
    cr_assert_eq(held, 0);
}

TestSuite(responder, .init = setup, .fini = teardown);

/* Nobody but what waits has the request any more. */
static void ask(const char *text)
{
    struct request *r = request_new(&responder, &shared, client->identity);
    struct inbound inbound = {.len = 0};
    struct json_fault fault;

    cr_assert_not_null(r);
    ((struct testing_request *)r)->releases = &releases;
    cr_assert(inbound_read(notify_str_z(text), &inbound, &fault));
    request_run(r, &inbound);
    request_unref(r);
}

Test(responder, is_told_answers_in_canonical_words_without_an_id)
{
    ask("{\"type\":\"ping\",\"request_id\":7}");
    cr_assert_eq(answers, 1);
    cr_assert_eq(last_code, ANSWER_OK);
    cr_assert_eq(strncmp(last_text, "{\"type\":\"pong\",", 15), 0, "%s", last_text);
    cr_assert_null(strstr(last_text, "request_id"));
    cr_assert_eq(releases, 1);
}

Test(responder, is_told_what_kind_of_error_it_is)
{
    ask("{\"type\":\"no such\"}");
    cr_assert_eq(last_code, ANSWER_UNKNOWN_TYPE);
    ask("{\"type\":\"mark_read\"}");
    cr_assert_eq(last_code, ANSWER_MISSING_FIELD);
    ask("{\"type\":\"mark_read\",\"id\":7}");
    cr_assert_eq(last_code, ANSWER_INVALID_FIELD);
    cr_assert_eq(answers, 3);
    cr_assert_eq(releases, 3);
}

Test(responder, what_waits_for_redis_is_held_until_it_is_answered_once)
{
    struct resp reply = {.kind = RESP_INTEGER, .integer = 4};
    struct resp *pairs[] = {&(struct resp){.kind = RESP_STRING, .str = NOTIFY_STR("unread")},
                            &reply};
    struct resp map = {.kind = RESP_MAP, .len = 2, .items = pairs};
    struct resp no_box = {.kind = RESP_ERROR, .str = NOTIFY_STR("ERR no such key")};
    const struct resp *replies[] = {&no_box, &map}; /* of NOTIFY.INFO, and of NOTIFY.BADGE */

    ask("{\"type\":\"unread_count\"}");
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(answers, 0);
        cr_assert_gt(held, 65536, "what the answer may come to");
        cr_assert_eq(releases, 0);
        link_testing_answer(link_testing_take(&redis), replies[i]);
    }
    cr_assert_eq(answers, 1);
    cr_assert_eq(last_code, ANSWER_OK);
    cr_assert_str_eq(last_text, "{\"unread\":4,\"total\":4,\"total_unseen\":0,\"logs\":{},"
                                "\"muted\":[],\"type\":\"unread_count\"}");
    cr_assert_eq(held, 0);
    cr_assert_eq(releases, 1);
}

Test(responder, a_page_that_takes_several_portions_is_one_answer)
{
    struct resp count = {.kind = RESP_INTEGER, .integer = 2};
    struct resp item = {.kind = RESP_STRING,
                        .str = NOTIFY_STR("{\"id\":\"5-1\",\"data\":{\"id\":\"5-1\"}}")};
    struct resp *items[26];
    struct resp full = {.kind = RESP_ARRAY, .len = 26, .items = items};
    struct resp none = {.kind = RESP_ARRAY};

    for (size_t i = 0; i < 26; i++)
        items[i] = &item;
    ask("{\"type\":\"request_notification_history\",\"limit\":60}");
    link_testing_answer(link_testing_take(&redis), &count);
    link_testing_answer(link_testing_take(&redis), &full);
    cr_assert_eq(answers, 0);
    cr_assert_gt(held, 0);
    link_testing_answer(link_testing_take(&redis), &none);
    cr_assert_eq(answers, 1);
    cr_assert_eq(last_code, ANSWER_OK);
    cr_assert_not_null(strstr(last_text, "],\"next\":null,\"unread\":2}"), "%s", last_text);
    cr_assert_eq(releases, 1);
}

Test(responder, a_lost_link_is_told_once_however_many_commands_were_under_way)
{
    ask("{\"type\":\"mark_seen\"}");
    link_testing_go_down(&redis);
    cr_assert_eq(answers, 1);
    cr_assert_eq(last_code, ANSWER_UNAVAILABLE);
    cr_assert_eq(releases, 1);
}

Test(responder, whoever_has_gone_is_told_nothing)
{
    ask("{\"type\":\"mark_seen\"}");
    gone = true;
    link_testing_go_down(&redis);
    cr_assert_eq(answers, 0);
    cr_assert_eq(releases, 1);
}
