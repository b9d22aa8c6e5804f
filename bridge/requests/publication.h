/* publication -- a notification that is published: to whom, what, and how many it has reached. */
#ifndef PUBLICATION_H
#define PUBLICATION_H

#include <stdbool.h>

#include "identity/key_names.h"
#include "requests/request_members.h"

struct request;

/* Its members; type: what its notification_type is called. */
#define PUBLICATION_MEMBERS(type)                                                                  \
    EITHER("topic", MEMBER_NAME), EITHER("user_id", MEMBER_NAME),                                  \
        EITHER("session_id", MEMBER_NAME), EITHER("broadcast", MEMBER_TRUE),                       \
        MUST("title", MEMBER_TITLE), MAY("content", MEMBER_TEXT), MAY(type, MEMBER_LABEL),         \
        MAY("category", MEMBER_LABEL), MAY("level", MEMBER_LEVEL), MAY("action", MEMBER_JSON),     \
        MAY("related_entity_type", MEMBER_LABEL), MAY("related_entity_id", MEMBER_NAME),           \
        MAY("data", MEMBER_JSON), MAY("exclude_session", MEMBER_NAME),                             \
        MAY("send_websocket", MEMBER_FLAG)

/* The key of the topic, or else of what everybody follows, if who asks may publish there; empty: it
 * has been answered. For requests whose only target is a topic. */
struct notify_str publication_target(struct request *r, struct key_buffer *buffer);

/* Sends it and answers: {type, id}, or over HTTP {id, recipients}. key: of idempotency.h. */
void publication_send(struct request *r, const char *type_member, struct notify_str key,
                      bool over_http);

#endif
