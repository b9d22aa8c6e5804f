/* agent_event -- what an agent says: events of a session's log that carry in their data the id of
 * the request which they answer (docs/agents.md). They are for whoever asked, and for nobody else
 * who follows that log. */
#ifndef AGENT_EVENT_H
#define AGENT_EVENT_H

#include "notify_str.h"

enum agent_event {
    AGENT_NONE,    /* an event that has nothing to do with agents */
    AGENT_MESSAGE, /* a whole reply */
    AGENT_ERROR,   /* there will be none */
    /* Of a reply that comes piece by piece, until the end or an error: */
    AGENT_START,
    AGENT_TOKEN,
    AGENT_TOOL_CALL,
    AGENT_TOOL_RESULT,
    AGENT_END,
};

/* By a raw type. */
enum agent_event agent_event_named(struct notify_str type);
/* Raw, and ended by a NUL. */
const char *agent_event_name(enum agent_event agent);
/* The raw request_id in data, well-formed JSON or empty, that is a string; else empty. */
struct notify_str agent_event_request(struct notify_str data);

#endif
