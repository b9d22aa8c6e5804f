/* agent_answer -- what an agent's events (agent_event.h) become for who asked. Workers are peers,
 * too: nothing is taken for granted of what they say. */
#ifndef AGENT_ANSWER_H
#define AGENT_ANSWER_H

#include <stdbool.h>

#include "notify_str.h"

struct event;
struct text;

/* Says an AGENT_MESSAGE as the answer to its request, or why it is none, or an AGENT_ERROR: one
 * object in canonical words. now: a raw ISO 8601 string; parts of ret point into it and into event.
 * Whether it is a reply. An empty text: out of memory. */
bool agent_answer_say(const struct event *event, struct notify_str now, struct text *ret);
/* Says an event named error, whoever it is for, as an error: {type, error: {code, message,
 * details}}. ret is all zero before. */
void agent_answer_say_failure(const struct event *event, struct text *ret);

#endif
