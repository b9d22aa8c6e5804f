/* answer -- answers to requests, and errors as clients get them (docs/protocol.md, "Requests"). */
#ifndef ANSWER_H
#define ANSWER_H

#include <jansson.h>

#include "notify_str.h"

struct client;
struct resp;
struct text;

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

/* Answers with one object in canonical words, to which request_id is added: a JSON string that
 * holds the id's JSON text as the peer wrote it; or NULL, here and below. text is changed. */
void answer_text(struct client *client, const json_t *request_id, struct text *text);
/* The same; answer is taken over. NULL: out of memory. */
void answer_json(struct client *client, const json_t *request_id, json_t *answer);
/* {"type":"error","error":{code,message,details},"request_id":…}. member: which one of the request
 * is meant, for details; or NULL. */
void answer_error(struct client *client, const json_t *request_id, enum answer_code code,
                  const char *member, const char *message);
/* Tells of a reply that is no success: NULL (the link went down) or an error of Redis. */
void answer_failed_reply(struct client *client, const json_t *request_id, const struct resp *reply);

#endif
