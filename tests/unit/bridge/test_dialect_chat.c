/* The words of POST /api/v1/chat/stream. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "wire/dialect.h"
#include "wire/event.h"
#include "wire/frame.h"

#define REQUEST "5a0f3c1e-0000-4000-8000-000000000001"
#define ID "\n\nid: 5-1.7." REQUEST ".c2Vzc2lvbjpz\n\n"

struct said {
    const char *type, *data; /* REQUEST, and these members */
    const char *said;
};

static const struct said texts[] = {
    {"token", ",\"seq\":7,\"content\":\"a\\nb\"",
     "data: {\"type\":\"token\",\"seq\":7,\"content\":\"a\\nb\"}" ID},
    {"tool_call", ",\"seq\":7,\"type\":\"x\",\"t\\u0079pe\":1,\"a\":0.10",
     "data: {\"type\":\"tool_call\",\"seq\":7,\"a\":0.10}" ID},
    {"tool_result", ", \"seq\" : 7 ,\r\n\"a\":\n[\r1 ]",
     "data: {\"type\":\"tool_result\",\"seq\":7,\"a\":[ 1 ]}" ID},
    {"end", ",\"seq\":7,\"message_id\":\"m\",\"tokens_used\":3",
     "data: {\"type\":\"end\",\"seq\":7,\"message_id\":\"m\",\"tokens_used\":3}\n\n"},
    {"end", ",\"message\\u005fid\":\"m\",\"tokens\\u005fused\":3",
     "data: "
     "{\"type\":\"end\",\"message\\u005fid\":\"m\",\"tokens\\u005fused\":3}\n\n"},
    {"end", "", "data: {\"type\":\"end\",\"message_id\":\"" REQUEST "\",\"tokens_used\":0}\n\n"},
    {"error", ",\"code\":\"X\",\"message\":\"m\",\"details\":[1,\n2],\"more\":1",
     "data: {\"type\":\"error\",\"code\":\"X\",\"message\":\"m\",\"details\":[1, 2]}\n\n"},
    {"message", ",\"reply\":\"r\",\"tokens_used\":2",
     "data: {\"type\":\"token\",\"content\":\"r\"}\n\n"
     "data: {\"type\":\"end\",\"message_id\":\"" REQUEST "\",\"tokens_used\":2}\n\n"},
    {"message", "",
     "data: {\"type\":\"error\",\"code\":\"PROCESSING_ERROR\",\"message\":\"the agent's answer has "
     "no "
     "reply\",\"details\":null}\n\n"},
};

static struct event *event_of(const struct said *said, bool stored)
{
    char text[1024];
    int len = snprintf(
        text, sizeof(text),
        "{\"type\":\"%s\",\"key\":\"session:s\"%s,\"data\":{\"request_id\":\"" REQUEST "\"%s}}",
        said->type, stored ? ",\"id\":\"5-1\",\"prev\":\"0-0\"" : "", said->data);

    return event_decode(notify_str_of(text, (size_t)len));
}

Test(dialect_chat, says_all_at_the_top_on_one_line_and_behind_it_where_the_reader_is)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct event *event = event_of(&texts[i], true);
        const struct frame *frame = event_frame(event, DIALECT_CHAT);
        cr_assert(
            notify_str_eq(notify_str_of(frame->data, frame->len), notify_str_z(texts[i].said)),
            "%.*s", (int)frame->len, frame->data);
        event_unref(event);
    }
}

Test(dialect_chat, what_is_not_kept_is_no_place_to_come_back_to)
{
    struct event *event = event_of(&texts[0], false);
    const struct frame *frame = event_frame(event, DIALECT_CHAT);

    cr_assert_null(memmem(frame->data, frame->len, "id:", 3));
    event_unref(event);
}
