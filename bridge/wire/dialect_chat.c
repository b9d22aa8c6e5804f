/* The words of POST /api/v1/chat/stream: flat objects, all that an event says at the top, and
 * behind each how far the reader has come, as the id of a block of its own:
 *
 *     data: {"type":"token","seq":3,"content":"Hi"}
 *
 *     id: 1795208400123-0.3.…
 *
 * A reader that takes blocks apart at empty lines and reads what begins with "data: " as JSON sees
 * nothing else (docs/agents.md). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/agent_answer.h"
#include "wire/agent_event.h"
#include "wire/chat_position.h"
#include "wire/event.h"
#include "wire/frame.h"
#include "wire/inbound.h"
#include "wire/json_scan.h"
#include "wire/json_text.h"
#include "wire/text.h"
#include "wire/vocabulary.h"

/* An event while it is said. */
struct saying {
    const struct event *event;
    FILE *out;
    bool has_message_id, has_tokens_used;
};

/* A raw value on one line: ends of lines stand between its parts only, or it would be no JSON. */
static void say(FILE *out, struct notify_str raw)
{
    for (size_t i = 0; i < raw.len; i++) /* no memory: fclose() tells */
        (void)fputc(raw.ptr[i] == '\r' || raw.ptr[i] == '\n' ? ' ' : raw.ptr[i], out);
}

static void say_member(struct saying *saying, struct notify_str name, struct notify_str value)
{
    (void)fputs(",\"", saying->out);
    say(saying->out, name);
    (void)fputs("\":", saying->out);
    say(saying->out, value);
}

static void say_data_member(void *ctx, struct notify_str name, struct notify_str value)
{
    struct saying *saying = ctx;

    if (inbound_is_named(name, "type") || inbound_is_named(name, "request_id"))
        return; /* ours; and of no use to who asked */
    saying->has_message_id |= inbound_is_named(name, "message_id");
    saying->has_tokens_used |= inbound_is_named(name, "tokens_used");
    say_member(saying, name, value);
}

static void say_usual(struct saying *saying)
{
    const struct event *event = saying->event;

    (void)fprintf(saying->out, "{\"type\":%s", agent_event_name(event->agent));
    (void)json_scan_object(event->data, say_data_member, saying); /* it has an id: an object */
    if (event->agent == AGENT_END && !saying->has_message_id)
        say_member(saying, NOTIFY_STR("message_id"), event->request);
    if (event->agent == AGENT_END && !saying->has_tokens_used)
        say_member(saying, NOTIFY_STR("tokens_used"), NOTIFY_STR("0"));
    (void)fputc('}', saying->out);
}

/* A whole reply is one piece and the end. */
static void say_whole(struct saying *saying)
{
    struct agent_reply reply = agent_answer_reply(saying->event);

    (void)fputs("{\"type\":\"token\"", saying->out);
    say_member(saying, NOTIFY_STR("content"), reply.reply);
    (void)fputs("}\n\ndata: {\"type\":\"end\"", saying->out);
    say_member(saying, NOTIFY_STR("message_id"), reply.id);
    say_member(saying, NOTIFY_STR("tokens_used"), reply.tokens_used);
    (void)fputc('}', saying->out);
}

static void say_error(struct saying *saying)
{
    struct agent_failure failure = agent_answer_failure(saying->event);

    (void)fputs("{\"type\":\"error\"", saying->out);
    say_member(saying, NOTIFY_STR("code"), failure.code);
    say_member(saying, NOTIFY_STR("message"), failure.message);
    say_member(saying, NOTIFY_STR("details"), failure.details);
    (void)fputc('}', saying->out);
}

/* Where a reader is who has had it; behind the last word there is nothing to come back for. */
static void say_position(const struct event *event, FILE *out)
{
    char text[CHAT_POSITION_MAX];
    struct chat_position position = {.id = event->id, .seq = agent_answer_seq(event)};
    json_t *request_owner = NULL, *key_owner = NULL;
    size_t len = 0;

    if (event->kind == EVENT_ENTRY && !agent_answer_is_last(event) &&
        json_text_read(event->request, &position.request, &request_owner) &&
        json_text_read(event->key, &position.key, &key_owner))
        len = chat_position_format(text, &position);
    if (len > 0)
        (void)fprintf(out, "\n\nid: %.*s", (int)len, text);
    json_decref(request_owner);
    json_decref(key_owner);
}

static bool say_event(const struct event *event, struct text *ret)
{
    struct saying saying = {.event = event};
    size_t len = 0;

    if (event->request.len == 0)
        return false; /* and never sent */
    saying.out = open_memstream(&ret->owned, &len);
    if (saying.out == NULL)
        return true;
    if (event->agent == AGENT_ERROR ||
        (event->agent == AGENT_MESSAGE && !agent_answer_is_reply(event)))
        say_error(&saying);
    else if (event->agent == AGENT_MESSAGE)
        say_whole(&saying);
    else
        say_usual(&saying);
    say_position(event, saying.out);
    if (fclose(saying.out) == 0)
        text_add(ret, notify_str_of(ret->owned, len));
    return true;
}

static bool greet(const struct greeting *greeting, struct text *ret)
{
    return text_of_json(ret, json_pack("{s:s, s:s%}", "type", "start", "session_id",
                                       greeting->client_id.ptr, greeting->client_id.len));
}

const struct vocabulary vocabulary_chat = {
    .event = say_event, .greeting = greet, .read = inbound_read};
