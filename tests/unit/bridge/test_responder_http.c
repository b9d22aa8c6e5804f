/* Requests as HTTP exchanges: who asks, what is answered with which status, and who goes. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "clients/admission.h"
#include "clients/client.h"
#include "clients/request_rate.h"
#include "conn_testing.h"
#include "exchange_testing.h"
#include "identity/authority.h"
#include "identity/key_names.h"
#include "link_testing.h"
#include "loop_testing.h"
#include "redis/turns.h"
#include "requests/answer.h"
#include "requests/call.h"
#include "requests/http_call.h"
#include "requests/http_tag.h"
#include "requests/request.h"
#include "requests/responder_http.h"

static struct redis_link redis;
static struct turns *turns;
static struct key_names names = {{"inbox:%s", "topic:%s", "session:%s"}};
static struct authority *authority;
static struct admissions admissions;
static struct client_shared shared;
static struct http_head head;
static struct exchange exchange;

static void setup(void)
{
    static const char *const no_logs[] = {NULL};
    char error[AUTHORITY_ERROR_MAX];

    link_testing_init(&redis);
    turns = turns_new(&redis.keys);
    authority = authority_new(LOOP_TESTING, &(struct authority_config){.open = true}, error);
    admissions = (struct admissions){.loop = LOOP_TESTING, .authority = authority};
    cr_assert_eq(admissions_init(&admissions), 0);
    shared = (struct client_shared){.senders = {.loop = LOOP_TESTING},
                                    .commands = turns,
                                    .keyspace = &redis.keys,
                                    .keys = &names,
                                    .broadcast_logs = no_logs,
                                    .admissions = &admissions};
}

static void teardown(void)
{
    link_testing_go_down(&redis);
    turns_free(turns);
    admissions_release(&admissions);
    authority_free(authority);
}

TestSuite(responder_http, .init = setup, .fini = teardown);

/* What a handler does, and with what. */
static enum answer_code code;
static bool waits;
static char user[64];

static void on_number(struct request *r, const struct resp *reply, void *ctx)
{
    (void)ctx;
    (void)reply;
    answer_json(r, json_pack("{s:s, s:i}", "type", "ok", "changed", 3));
}

static const struct call_kind number_kind = {.fn = on_number, .answer_bytes = CALL_SMALL_ANSWER};

static void handle(struct request *r)
{
    const struct words words = {.len = 1, .at = {NOTIFY_STR("PING")}};

    (void)snprintf(user, sizeof(user), "%.*s", (int)request_user(r).len, request_user(r).ptr);
    cr_assert_null(r->client);
    if (waits)
        call_send(r, &number_kind, NULL, &words);
    else if (code == ANSWER_OK)
        answer_json(r, json_pack("{s:s, s:i}", "type", "ok", "changed", 3));
    else
        answer_error(r, code, "topic", "so it is");
}

static struct http_call call = {
    .type = {.name = "it", .handle = handle, MEMBERS(MAY("topic", MEMBER_NAME))}, .pattern = "/it"};

static void begin(const char *query)
{
    exchange = (struct exchange){.req = {.method = NOTIFY_STR("GET"),
                                         .path = NOTIFY_STR("/it"),
                                         .query = notify_str_z(query),
                                         .head = &head}};
    responder_http_begin(&shared, &exchange, &call);
}

static int ask(const char *query)
{
    begin(query);
    cr_assert_eq(exchange.answers, 1);
    cr_assert_null(exchange.on_gone, "nobody is told of what is over");
    return exchange.response.status;
}

Test(responder_http, an_answer_is_said_as_it_is_to_whoever_asks)
{
    cr_assert_eq(ask("user=alice"), 200);
    cr_assert_str_eq(exchange.body, "{\"type\":\"ok\",\"changed\":3}");
    cr_assert_null(exchange.response.cache_control, "no-store");
    cr_assert_str_eq(user, "alice");
}

Test(responder_http, an_error_has_its_status_and_no_type)
{
    static const struct {
        enum answer_code code;
        int status;
    } rows[] = {
        {ANSWER_BAD_JSON, 400},      {ANSWER_UNKNOWN_TYPE, 404}, {ANSWER_MISSING_FIELD, 422},
        {ANSWER_INVALID_FIELD, 422}, {ANSWER_FORBIDDEN, 403},    {ANSWER_UNAUTHORIZED, 401},
        {ANSWER_NOT_FOUND, 404},     {ANSWER_CONFLICT, 409},     {ANSWER_LIMIT_REACHED, 409},
        {ANSWER_RATE_LIMITED, 429},  {ANSWER_UNAVAILABLE, 503},  {ANSWER_PROCESSING_ERROR, 500},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        code = rows[i].code;
        cr_assert_eq(ask("user=alice"), rows[i].status);
        cr_assert_eq(strncmp(exchange.body, "{\"error\":{\"code\":\"", 18), 0, "%s", exchange.body);
        cr_assert_not_null(strstr(exchange.body, "\"message\":\"so it is\""));
        cr_assert_not_null(strstr(exchange.body, "\"details\":{\"member\":\"topic\"}}}"));
        cr_assert_eq(strstr(exchange.headers, "Retry-After") != NULL,
                     rows[i].status == 429 || rows[i].status == 503);
        cr_assert_eq(strstr(exchange.headers, "WWW-Authenticate: Bearer") != NULL,
                     rows[i].status == 401);
    }
}

Test(responder_http, members_are_checked_by_the_table)
{
    cr_assert_eq(ask("user=alice&topic=news"), 200);
    cr_assert_eq(ask("user=alice&topic="), 422);
    cr_assert_eq(ask("user=alice&topics=news"), 422);
    cr_assert_not_null(strstr(exchange.body, "it has no member 'topics' (it has: topic)"), "%s",
                       exchange.body);
    cr_assert_eq(ask("user=alice&topic=a&topic=b"), 422);
    cr_assert_not_null(strstr(exchange.body, "topic is given twice"));
    cr_assert_eq(ask("user=alice&topic=%zz"), 422);
}

Test(responder_http, who_does_not_say_who_it_is_may_ask_what_guests_may)
{
    cr_assert_eq(ask(""), 401);
    cr_assert_str_eq(exchange.headers, "WWW-Authenticate: Bearer\r\n");
    cr_assert_eq(ask("user="), 422);
    call.guests = true;
    cr_assert_eq(ask(""), 200);
    cr_assert_str_eq(user, "guest");
}

Test(responder_http, an_answer_may_come_later)
{
    struct resp reply = {.kind = RESP_INTEGER};

    waits = true;
    begin("user=alice");
    cr_assert_eq(exchange.answers, 0);
    cr_assert_not_null(exchange.on_gone);
    link_testing_answer(link_testing_take(&redis), &reply);
    cr_assert_eq(exchange.answers, 1);
    cr_assert_eq(exchange.response.status, 200);
}

Test(responder_http, without_redis_it_is_unavailable)
{
    waits = true;
    begin("user=alice");
    link_testing_go_down(&redis);
    cr_assert_eq(exchange.answers, 1);
    cr_assert_eq(exchange.response.status, 503);
    cr_assert_not_null(strstr(exchange.body, "\"UNAVAILABLE\""));
    begin("user=alice");
    cr_assert_eq(exchange.response.status, 503);
}

Test(responder_http, whoever_has_gone_is_answered_nothing)
{
    struct resp reply = {.kind = RESP_INTEGER};

    waits = true;
    begin("user=alice");
    exchange.on_gone(exchange.ctx);
    link_testing_answer(link_testing_take(&redis), &reply);
    cr_assert_eq(exchange.answers, 0);
}

Test(responder_http, a_user_asks_no_more_often_than_he_may)
{
    const struct token_rate rate = {10, 2};

    shared.request_rate = request_rate_new(LOOP_TESTING, &rate);
    cr_assert_eq(ask("user=alice"), 200);
    cr_assert_eq(ask("user=alice"), 200);
    cr_assert_eq(ask("user=alice"), 429);
    cr_assert_not_null(strstr(exchange.body, "\"retry_after_ms\":"));
    cr_assert_eq(ask("user=bob"), 200);
    request_rate_free(shared.request_rate);
}

static json_t *shape(const json_t *answer)
{
    return json_pack("{s:O}", "marked", json_object_get(answer, "changed"));
}

Test(responder_http, a_call_may_say_its_answers_in_other_words)
{
    call.shape = shape;
    cr_assert_eq(ask("user=alice"), 200);
    cr_assert_str_eq(exchange.body, "{\"marked\":3}");
    code = ANSWER_FORBIDDEN;
    cr_assert_eq(ask("user=alice"), 403);
    cr_assert_not_null(strstr(exchange.body, "{\"error\""));
}

static void handle_tagged(struct request *r)
{
    const struct http_tag tag = http_tag_of(NOTIFY_STR("what it says"));

    if (!http_call_tag(r, &tag))
        answer_json(r, json_pack("{s:i}", "n", 1));
}

Test(responder_http, what_is_still_the_same_is_not_said_again)
{
    char tag[64];

    call.type.handle = handle_tagged;
    cr_assert_eq(ask("user=alice"), 200);
    cr_assert_str_eq(exchange.response.cache_control, "private, no-cache");
    cr_assert_eq(strncmp(exchange.headers, "ETag: W/\"", 9), 0);
    (void)snprintf(tag, sizeof(tag), "\"x\", %.20s", exchange.headers + 6);
    head.field_count = 1;
    head.fields[0] = (struct http_field){NOTIFY_STR("If-None-Match"), notify_str_z(tag)};
    cr_assert_eq(ask("user=alice"), 304);
    cr_assert_eq(exchange.response.len, 0);
    cr_assert_eq(strncmp(exchange.headers, "ETag: W/\"", 9), 0, "and told again what it is");
    cr_assert_str_eq(exchange.response.cache_control, "private, no-cache");
    head.fields[0].value = NOTIFY_STR("*");
    cr_assert_eq(ask("user=alice"), 304);
    head.fields[0].value = NOTIFY_STR("W/\"0000000000000000\"");
    cr_assert_eq(ask("user=alice"), 200);
}

static void handle_created(struct request *r)
{
    http_call_status(r, 201, "Location: /it/7\r\n");
    answer_json(r, json_pack("{s:i}", "id", 7));
}

static void handle_nothing(struct request *r)
{
    http_call_status(r, 204, NULL);
    http_call_answer_empty(r);
}

static void handle_never(struct request *r)
{
    (void)r; /* as when there was no memory for an answer */
}

Test(responder_http, a_handler_says_which_status_and_may_say_nothing_else)
{
    call.type.handle = handle_created;
    cr_assert_eq(ask("user=alice"), 201);
    cr_assert_str_eq(exchange.headers, "Location: /it/7\r\n");
    call.type.handle = handle_nothing;
    cr_assert_eq(ask("user=alice"), 204);
    cr_assert_eq(exchange.response.len, 0);
    call.type.handle = handle_never;
    cr_assert_eq(ask("user=alice"), 500);
}
