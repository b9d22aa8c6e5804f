#include "wire/agent_answer.h"

#include <stdio.h>
#include <string.h>

#include "wire/agent_event.h"
#include "wire/event.h"
#include "wire/inbound.h"
#include "wire/json_scan.h"
#include "wire/text.h"

#define CODE_MAX 64

/* One member that is looked for. */
struct search {
    const char *name;
    struct notify_str value;
};

static void on_member(void *ctx, struct notify_str name, struct notify_str value)
{
    struct search *search = ctx;

    if (notify_str_eq(name, notify_str_z(search->name)))
        search->value = value;
}

/* Raw; empty: there is none. */
static struct notify_str member_of(struct notify_str data, const char *name)
{
    struct search search = {.name = name};

    if (data.len > 0 && data.ptr[0] == '{')
        (void)json_scan_object(data, on_member, &search); /* scanned when decoded */
    return search.value;
}

uint64_t agent_answer_seq(const struct event *event)
{
    struct notify_str text = member_of(event->data, "seq");
    uint64_t seq;

    return notify_id_take_number(&text, &seq) && text.len == 0 ? seq : 0;
}

bool agent_answer_is_last(const struct event *event)
{
    return event->agent == AGENT_END || event->agent == AGENT_MESSAGE ||
           event->agent == AGENT_ERROR;
}

/* The members of a reply: the first character of a value of the right kind, and what stands for one
 * that the worker did not give, or gave of another kind. */
enum {
    REPLY_ID,
    REPLY_REPLY,
    REPLY_TOOL_CALLS,
    REPLY_TOKENS_USED,
    REPLY_CREATED_AT,
    REPLY_MEMBERS
};

struct member {
    const char *name, *kind;
};

static const struct member members[REPLY_MEMBERS] = {
    [REPLY_ID] = {"id", "\""},
    [REPLY_REPLY] = {"reply", "\""},
    [REPLY_TOOL_CALLS] = {"tool_calls", "["},
    [REPLY_TOKENS_USED] = {"tokens_used", "-0123456789"},
    [REPLY_CREATED_AT] = {"created_at", "\""},
};

/* What stands between agents and us, and is of no use to who asked. */
static const char *const inner[] = {"request_id", "seq"};

struct reply {
    struct notify_str values[REPLY_MEMBERS]; /* raw; empty: not there */
    FILE *rest;                              /* all others, each with a comma before it; or NULL */
};

static bool is_inner(struct notify_str name)
{
    for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]); i++)
        if (inbound_is_named(name, inner[i]))
            return true;
    return false;
}

static void take_member(void *ctx, struct notify_str name, struct notify_str value)
{
    struct reply *reply = ctx;

    for (size_t i = 0; i < REPLY_MEMBERS; i++)
        if (inbound_is_named(name, members[i].name)) {
            if (strchr(members[i].kind, value.ptr[0]) != NULL)
                reply->values[i] = value;
            return;
        }
    if (reply->rest != NULL && !is_inner(name)) /* no memory: fclose() tells */
        (void)fprintf(reply->rest, ",\"%.*s\":%.*s", (int)name.len, name.ptr, (int)value.len,
                      value.ptr);
}

static void read_reply(struct reply *reply, const struct event *event)
{
    (void)json_scan_object(event->data, take_member, reply); /* it has an id: an object */
}

static struct notify_str or_else(struct notify_str value, struct notify_str missing)
{
    return value.len > 0 ? value : missing;
}

static struct agent_reply complete(const struct reply *reply, const struct event *event)
{
    return (struct agent_reply){
        .id = or_else(reply->values[REPLY_ID], event->request),
        .reply = reply->values[REPLY_REPLY],
        .tool_calls = or_else(reply->values[REPLY_TOOL_CALLS], NOTIFY_STR("[]")),
        .tokens_used = or_else(reply->values[REPLY_TOKENS_USED], NOTIFY_STR("0")),
        .created_at = reply->values[REPLY_CREATED_AT]};
}

struct agent_reply agent_answer_reply(const struct event *event)
{
    struct reply reply = {.rest = NULL};

    read_reply(&reply, event);
    return complete(&reply, event);
}

bool agent_answer_is_reply(const struct event *event)
{
    return event->agent == AGENT_MESSAGE && agent_answer_reply(event).reply.len > 0;
}

/* What an agent says of its failure. */

static bool is_code(struct notify_str value)
{
    struct notify_str word = json_plain_string(value);

    for (size_t i = 0; i < word.len; i++)
        if ((word.ptr[i] < 'A' || word.ptr[i] > 'Z') && (word.ptr[i] < '0' || word.ptr[i] > '9') &&
            word.ptr[i] != '_')
            return false;
    return word.len > 0 && word.len <= CODE_MAX;
}

struct agent_failure agent_answer_failure(const struct event *event)
{
    struct notify_str code = member_of(event->data, "code"),
                      message = member_of(event->data, "message");
    struct agent_failure failure = {NOTIFY_STR("\"PROCESSING_ERROR\""),
                                    NOTIFY_STR("\"the agent could not answer\""),
                                    NOTIFY_STR("null")};

    if (event->agent == AGENT_MESSAGE) {
        failure.message = NOTIFY_STR("\"the agent's answer has no reply\"");
        return failure;
    }
    if (is_code(code))
        failure.code = code;
    if (message.len > 0 && message.ptr[0] == '"')
        failure.message = message;
    failure.details = or_else(member_of(event->data, "details"), failure.details);
    return failure;
}

void agent_answer_say_failure(const struct event *event, struct text *ret)
{
    struct agent_failure failure = agent_answer_failure(event);

    text_add(ret, NOTIFY_STR("{\"type\":\"error\",\"error\":{\"code\":"));
    text_add(ret, failure.code);
    text_add(ret, NOTIFY_STR(",\"message\":"));
    text_add(ret, failure.message);
    text_add(ret, NOTIFY_STR(",\"details\":"));
    text_add(ret, failure.details);
    text_add(ret, NOTIFY_STR("}}"));
}

/* The whole answer. */

static void say_reply(const struct agent_reply *reply, struct notify_str rest, struct text *ret)
{
    text_add(ret, NOTIFY_STR("{\"type\":\"message\",\"data\":{\"id\":"));
    text_add(ret, reply->id);
    text_add(ret, NOTIFY_STR(",\"reply\":"));
    text_add(ret, reply->reply);
    text_add(ret, NOTIFY_STR(",\"tool_calls\":"));
    text_add(ret, reply->tool_calls);
    text_add(ret, NOTIFY_STR(",\"tokens_used\":"));
    text_add(ret, reply->tokens_used);
    text_add(ret, NOTIFY_STR(",\"created_at\":"));
    text_add(ret, reply->created_at);
    text_add(ret, rest);
    text_add(ret, NOTIFY_STR("}}"));
}

bool agent_answer_say(const struct event *event, struct notify_str now, struct text *ret)
{
    struct reply reply = {.rest = NULL};
    struct agent_reply complete_reply;
    size_t len = 0;

    *ret = (struct text){.len = 0};
    if (!agent_answer_is_reply(event)) {
        agent_answer_say_failure(event, ret);
        return false;
    }
    reply.rest = open_memstream(&ret->owned, &len);
    if (reply.rest == NULL)
        return true;
    read_reply(&reply, event);
    if (fclose(reply.rest) != 0)
        return true;
    complete_reply = complete(&reply, event);
    complete_reply.created_at = or_else(complete_reply.created_at, now);
    say_reply(&complete_reply, notify_str_of(ret->owned, len), ret);
    return true;
}
