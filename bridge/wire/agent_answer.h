/* agent_answer -- what an agent's events (agent_event.h) become for who asked. Workers are peers,
 * too: nothing is taken for granted of what they say. */
#ifndef AGENT_ANSWER_H
#define AGENT_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "notify_str.h"

struct event;
struct text;

/* The number of an event among those of its answer; 0: it has none. */
uint64_t agent_answer_seq(const struct event *event);
/* Is it the last word of its answer? */
bool agent_answer_is_last(const struct event *event);

/* What is needed of an AGENT_MESSAGE: raw, with what stands for members that are missing or of
 * another kind. */
struct agent_reply {
    struct notify_str id, reply, tool_calls, tokens_used;
    struct notify_str created_at; /* empty: it is not said */
};
struct agent_reply agent_answer_reply(const struct event *event);
/* Is a reply in it? If not, it is a failure. */
bool agent_answer_is_reply(const struct event *event);
/* The same of an AGENT_ERROR, or an AGENT_MESSAGE that is no reply. */
struct agent_failure {
    struct notify_str code, message, details;
};
struct agent_failure agent_answer_failure(const struct event *event);

/* Says an AGENT_MESSAGE as the answer to its request, or why it is none, or an AGENT_ERROR: one
 * object in canonical words. now: a raw ISO 8601 string; parts of ret point into it and into event.
 * Whether it is a reply. An empty text: out of memory. */
bool agent_answer_say(const struct event *event, struct notify_str now, struct text *ret);
/* Says an event named error, whoever it is for, as an error: {type, error: {code, message,
 * details}}. ret is all zero before. */
void agent_answer_say_failure(const struct event *event, struct text *ret);

#endif
