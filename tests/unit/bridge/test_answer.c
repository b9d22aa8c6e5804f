/* Errors as clients get them, through a client that is real. */
#include <criterion/criterion.h>
#include <jansson.h>

#include "requests/answer.h"
#include "clients/client.h"
#include "conn_testing.h"
#include "link_testing.h"
#include "loop_testing.h"
#include "redis/resp.h"
#include "requests/request.h"
#include "requests/responder_ws.h"

static struct client_shared shared;
static struct conn conn;
static struct client *client;
static struct request *request;

static void setup(void)
{
    shared = (struct client_shared){.senders = {.loop = LOOP_TESTING, .outbox_bytes = 4096}};
    client = calloc(1, sizeof(*client));
    cr_assert_not_null(client);
    client->shared = &shared;
    client->sender.shared = &shared.senders;
    client->sender.conn = &conn;
    client->sender.state = SENDER_READY;
    request = responder_ws_request(client, (struct notify_str){NULL, 0});
    cr_assert_not_null(request);
}

static void teardown(void)
{
    request_unref(request);
    outbox_release(&client->sender.outbox);
    conn_testing_release(&conn);
    free(client);
}

TestSuite(answer, .init = setup, .fini = teardown);

/* Takes what the client got and looks whether it is this error. */
static void check_error(const char *code, const char *message)
{
    char *text = conn_testing_take(&conn);
    json_t *answer = text == NULL ? NULL : json_loads(text, 0, NULL);
    const json_t *error = json_object_get(answer, "error");

    cr_assert_not_null(answer, "%s", text);
    cr_assert_str_eq(json_string_value(json_object_get(answer, "type")), "error");
    cr_assert_str_eq(json_string_value(json_object_get(error, "code")), code);
    if (message != NULL)
        cr_assert_str_eq(json_string_value(json_object_get(error, "message")), message);
    cr_assert_eq(json_object_size(error), 3);
    cr_assert_not_null(json_object_get(error, "details"));
    cr_assert_null(json_object_get(answer, "request_id"));
    json_decref(answer);
    free(text);
}

Test(answer, every_code_has_its_name)
{
    static const char *const names[] = {"BAD_JSON",
                                        "UNKNOWN_TYPE",
                                        "MISSING_FIELD",
                                        "INVALID_FIELD",
                                        "FORBIDDEN",
                                        "UNAUTHORIZED",
                                        "NOT_FOUND",
                                        "CONFLICT",
                                        "LIMIT_REACHED",
                                        "RATE_LIMITED",
                                        "TOO_MANY_SUBSCRIPTIONS",
                                        "TOO_MANY_REQUESTS",
                                        "PROCESSING_ERROR",
                                        "UNAVAILABLE"};

    for (int code = ANSWER_BAD_JSON; code <= ANSWER_UNAVAILABLE; code++) {
        answer_error(request, (enum answer_code)code, NULL, "why \"so\"");
        check_error(names[code - ANSWER_BAD_JSON], "why \"so\"");
    }
}

Test(answer, who_is_to_wait_is_told_how_long)
{
    char *text;

    answer_rate_limited(request, 150);
    text = conn_testing_take(&conn);
    cr_assert_not_null(strstr(text, "\"code\":\"RATE_LIMITED\""));
    cr_assert_not_null(strstr(text, "\"details\":{\"retry_after_ms\":150}"));
    free(text);
}

Test(answer, the_request_id_comes_back_as_it_was_written)
{
    static const char *const ids[] = {"7",
                                      "-9007199254740993",
                                      "123456789012345678901234567890",
                                      "\"a\\u0000\\\"b\"",
                                      "\"\\ud800\"",
                                      "\"\\u00e9\"",
                                      "\"\""};

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        struct request *with_id = responder_ws_request(client, notify_str_z(ids[i]));
        char expected[128];
        answer_error(with_id, ANSWER_NOT_FOUND, NULL, "x");
        char *text = conn_testing_take(&conn);
        (void)snprintf(expected, sizeof(expected), ",\"request_id\":%s}", ids[i]);
        cr_assert(strlen(text) > strlen(expected));
        cr_assert_str_eq(text + strlen(text) - strlen(expected), expected);
        request_unref(with_id);
        free(text);
    }
}

Test(answer, an_error_always_has_details_which_name_the_member_that_is_meant)
{
    static const char *const members[] = {NULL, "category", "\\ud800\"\xc3\xa9"};

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        answer_error(request, ANSWER_INVALID_FIELD, members[i], "x");
        char *text = conn_testing_take(&conn);
        json_t *answer = json_loads(text, 0, NULL);
        const json_t *details = json_object_get(json_object_get(answer, "error"), "details");
        if (members[i] == NULL)
            cr_assert(json_is_null(details), "%s", text);
        else
            cr_assert_str_eq(json_string_value(json_object_get(details, "member")), members[i]);
        json_decref(answer);
        free(text);
    }
}

static void check_reply(enum resp_kind kind, const char *words, const char *code,
                        const char *message)
{
    struct resp reply = {.kind = kind, .str = notify_str_z(words)};

    answer_failed_reply(request, &reply);
    check_error(code, message);
}

Test(answer, what_redis_says_is_passed_on_without_its_first_word)
{
    check_reply(RESP_ERROR, "ERR no such entry", "PROCESSING_ERROR", "no such entry");
    check_reply(RESP_ERROR, "WRONGTYPE wrong kind", "PROCESSING_ERROR", "WRONGTYPE wrong kind");
    check_reply(RESP_ERROR, "", "PROCESSING_ERROR", "");
    check_reply(RESP_INTEGER, NULL, "PROCESSING_ERROR", "unexpected reply");
}

Test(answer, a_limit_that_is_reached_is_said_as_such)
{
    check_reply(RESP_ERROR, "LIMIT a box may follow at most 1024 logs", "LIMIT_REACHED",
                "a box may follow at most 1024 logs");
    check_reply(RESP_ERROR, "LIMIT", "LIMIT_REACHED", "");
    check_reply(RESP_ERROR, "LIMITS are none", "PROCESSING_ERROR", "LIMITS are none");
}

Test(answer, what_redis_cannot_do_just_now_is_unavailable)
{
    static const char *const errors[] = {"LOADING x",  "MASTERDOWN x", "CLUSTERDOWN x",
                                         "TRYAGAIN x", "BUSY x",       "READONLY x",
                                         "OOM x",      "MISCONF x",    "NOREPLICAS x"};

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        check_reply(RESP_ERROR, errors[i], "UNAVAILABLE",
                    "Redis cannot do this just now; nothing was done");
}

Test(answer, what_may_not_be_done_is_forbidden_without_details)
{
    check_reply(RESP_ERROR, "NOPERM User x has no permissions", "FORBIDDEN", "not permitted");
}

Test(answer, a_lost_link_makes_it_unavailable)
{
    answer_failed_reply(request, NULL);
    check_error("UNAVAILABLE", NULL);
}

Test(answer, an_error_of_redis_that_is_no_utf_8_is_answered_all_the_same)
{
    check_reply(RESP_ERROR, "ERR bad \xff byte", "PROCESSING_ERROR", "no further details");
}
