/* What agents say: whose answer it is, and how it reaches who asked. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "text_testing.h"
#include "wire/agent_answer.h"
#include "wire/agent_event.h"
#include "wire/event.h"
#include "wire/text.h"

#define ID "5a0f3c1e-0000-4000-8000-000000000001"
#define NOW "\"2026-11-28T17:00:00.000Z\""

/* One reference. */
static struct event *event_of(const char *type, const char *data)
{
    char text[1024];
    int len = snprintf(text, sizeof(text), "{\"type\":\"%s\",\"key\":\"session:s\",\"data\":%s}",
                       type, data);

    return event_decode(notify_str_of(text, (size_t)len));
}

struct addressed {
    const char *type, *data;
    enum agent_event agent;
    const char *request; /* whose it is; NULL: nobody's */
};

static const struct addressed addressed[] = {
    {"message", "{\"request_id\":\"" ID "\"}", AGENT_MESSAGE, ID},
    {"error", "{\"a\":1,\"request_id\":\"" ID "\",\"b\":2}", AGENT_ERROR, ID},
    {"start", "{\"request_id\":\"x\"}", AGENT_START, "x"},
    {"token", "{\"request_id\":\"\\u0041\"}", AGENT_TOKEN, "A"},
    {"tool_call", "{\"request_id\":\"x\"}", AGENT_TOOL_CALL, "x"},
    {"tool_result", "{\"request_id\":\"x\"}", AGENT_TOOL_RESULT, "x"},
    {"end", "{\"request_id\":\"x\"}", AGENT_END, "x"},
    /* Everybody's. */
    {"message", "{}", AGENT_MESSAGE, NULL},
    {"message", "[{\"request_id\":\"x\"}]", AGENT_MESSAGE, NULL},
    {"message", "null", AGENT_MESSAGE, NULL},
    {"message", "{\"request_id\":7}", AGENT_MESSAGE, NULL},
    {"message", "{\"data\":{\"request_id\":\"x\"}}", AGENT_MESSAGE, NULL},
    {"session_progress", "{\"request_id\":\"x\"}", AGENT_NONE, NULL},
    {"Message", "{\"request_id\":\"x\"}", AGENT_NONE, NULL},
};

Test(agent_event, is_for_who_asked_if_it_says_so)
{
    for (size_t i = 0; i < sizeof(addressed) / sizeof(addressed[0]); i++) {
        const struct addressed *one = &addressed[i];
        struct event *event = event_of(one->type, one->data);
        cr_assert_eq(event->agent, one->agent, "%s %s", one->type, one->data);
        cr_assert_eq(event->request.len > 0, one->request != NULL, "%s %s", one->type, one->data);
        if (one->request != NULL)
            cr_assert(event_answers(event, notify_str_z(one->request)), "%s", one->data);
        cr_assert_not(event_answers(event, NOTIFY_STR("somebody else")));
        cr_assert_not(event_answers(event, NOTIFY_STR("")));
        event_unref(event);
    }
}

Test(agent_event, a_change_of_state_is_nobodys_answer)
{
    struct event *event =
        event_decode(NOTIFY_STR("{\"type\":\"message\",\"key\":\"k\",\"rev\":1,\"unread\":0}"));

    cr_assert_eq(event->agent, AGENT_NONE);
    cr_assert_eq(event->request.len, 0);
    event_unref(event);
}

Test(agent_event, what_is_discreet_is_for_the_same)
{
    struct event *event = event_decode(
        NOTIFY_STR("{\"type\":\"token\",\"key\":\"k\",\"id\":\"5-1\",\"prev\":\"0-0\",\"rev\":2,"
                   "\"data\":{\"request_id\":\"x\"}}"));
    struct event *discreet = event_discreet(event);

    cr_assert(event_answers(discreet, NOTIFY_STR("x")));
    cr_assert(discreet->request.ptr >= discreet->payload &&
              discreet->request.ptr < discreet->payload + discreet->len);
    event_unref(event);
}

struct said {
    const char *type, *data, *text;
    bool good;
};

#define REPLY(data) "{\"type\":\"message\",\"data\":{" data "}}"
#define ERROR(code, message, details)                                                              \
    "{\"type\":\"error\",\"error\":{\"code\":\"" code "\",\"message\":\"" message                  \
    "\",\"details\":" details "}}"
#define NO_REPLY ERROR("PROCESSING_ERROR", "the agent's answer has no reply", "null")

static const struct said said[] = {
    {"message",
     "{\"request_id\":\"r\",\"seq\":1,\"id\":\"m\",\"reply\":\"Hi "
     "\\\"you\\\"\",\"tool_calls\":[{}],"
     "\"tokens_used\":1.50,\"created_at\":\"now\"}",
     REPLY("\"id\":\"m\",\"reply\":\"Hi \\\"you\\\"\",\"tool_calls\":[{}],\"tokens_used\":1.50,"
           "\"created_at\":\"now\""),
     true},
    /* What is missing, or of another kind, is made up; what is more is passed on. */
    {"message", "{\"request_id\":\"r\",\"reply\":\"\",\"model\":{\"a\":0.10}}",
     REPLY("\"id\":\"r\",\"reply\":\"\",\"tool_calls\":[],\"tokens_used\":0,\"created_at\":" NOW
           ",\"model\":{\"a\":0.10}"),
     true},
    {"message",
     "{\"request_id\":\"r\",\"reply\":\"x\",\"id\":7,\"tool_calls\":{},\"tokens_used\":\"1\","
     "\"created_at\":null}",
     REPLY("\"id\":\"r\",\"reply\":\"x\",\"tool_calls\":[],\"tokens_used\":0,\"created_at\":" NOW),
     true},
    {"message", "{\"request_id\":\"r\",\"tokens_used\":-1,\"reply\":\"a\",\"r\\u0065ply\":\"b\"}",
     REPLY("\"id\":\"r\",\"reply\":\"b\",\"tool_calls\":[],\"tokens_used\":-1,\"created_at\":" NOW),
     true},
    {"message", "{\"request_id\":\"r\"}", NO_REPLY, false},
    {"message", "{\"request_id\":\"r\",\"reply\":null}", NO_REPLY, false},
    {"message", "{\"request_id\":\"r\",\"reply\":[\"x\"]}", NO_REPLY, false},
    {"error",
     "{\"request_id\":\"r\",\"code\":\"NO_MODEL\",\"message\":\"m\",\"details\":{\"a\":[]}}",
     ERROR("NO_MODEL", "m", "{\"a\":[]}"), false},
    {"error", "{\"request_id\":\"r\"}",
     ERROR("PROCESSING_ERROR", "the agent could not answer", "null"), false},
    {"error", "{\"request_id\":\"r\",\"code\":\"no model\",\"message\":7}",
     ERROR("PROCESSING_ERROR", "the agent could not answer", "null"), false},
    {"error", "{\"request_id\":\"r\",\"code\":\"\"}",
     ERROR("PROCESSING_ERROR", "the agent could not answer", "null"), false},
};

Test(agent_event, becomes_the_answer_with_what_it_must_have)
{
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        struct event *event = event_of(said[i].type, said[i].data);
        struct text text;
        cr_assert_eq(agent_answer_say(event, NOTIFY_STR(NOW), &text), said[i].good, "%s",
                     said[i].data);
        cr_assert_str_eq(text_joined(&text), said[i].text);
        text_release(&text);
        event_unref(event);
    }
}

Test(agent_event, leaves_room_in_the_answer_for_the_requests_id)
{
    struct event *event = event_of("message", "{\"request_id\":\"r\",\"reply\":\"x\"}");
    struct text text;

    cr_assert(agent_answer_say(event, NOTIFY_STR(NOW), &text));
    text_add_member(&text, NOTIFY_STR(",\"request_id\":"), NOTIFY_STR("7"));
    cr_assert_not_null(strstr(text_joined(&text), "\"},\"request_id\":7}"));
    text_release(&text);
    event_unref(event);
}
