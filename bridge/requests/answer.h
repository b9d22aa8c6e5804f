/* answer -- errors as clients get them (docs/protocol.md, "Requests"). */
#ifndef ANSWER_H
#define ANSWER_H

#include <jansson.h>

#include "notify_str.h"

struct client;
struct resp;

enum answer_code {
    ANSWER_BAD_JSON,
    ANSWER_UNKNOWN_TYPE,
    ANSWER_MISSING_FIELD,
    ANSWER_INVALID_FIELD,
    ANSWER_FORBIDDEN,
    ANSWER_NOT_FOUND,
    ANSWER_TOO_MANY_SUBSCRIPTIONS,
    ANSWER_PROCESSING_ERROR,
    ANSWER_UNAVAILABLE,
};

/* {"type":"error","error":{code,message,details},"request_id":…}. request_id may be NULL, here and
 * below; otherwise it is as in sender_send_json(). member: which one of the request is meant, for
 * details; or NULL. */
void answer_error(struct client *client, const json_t *request_id, enum answer_code code,
                  const char *member, const char *message);
/* Tells of a reply that is no success: NULL (the link went down) or an error of Redis. */
void answer_failed_reply(struct client *client, const json_t *request_id, const struct resp *reply);

#endif
