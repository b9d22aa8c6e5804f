/* answer -- answers to requests, and errors as clients get them (docs/protocol.md, "Requests"). */
#ifndef ANSWER_H
#define ANSWER_H

#include <stdint.h>

#include <jansson.h>

#include "identity/roles.h"
#include "notify_str.h"
#include "requests/responder.h"

struct json_fault;
struct request;
struct resp;
struct text;

/* How the text of every error begins. */
#define ANSWER_ERROR_HEAD "{\"type\":\"error\","

/* How a code is called in an error. */
const char *answer_code_name(enum answer_code code);

/* Answers r with one object in canonical words; text is changed. */
void answer_text(struct request *r, struct text *text);
/* The same; answer is taken over. NULL: out of memory. */
void answer_json(struct request *r, json_t *answer);
/* {"type":"error","error":{code,message,details}}. member: which one of the request is meant, for
 * details; or NULL. */
void answer_error(struct request *r, enum answer_code code, const char *member,
                  const char *message);
/* RATE_LIMITED, with the time after which it may be asked again. */
void answer_rate_limited(struct request *r, uint64_t wait_ms);
/* BAD_JSON: text, which is called what ("a message"), is no JSON object. */
void answer_bad_json(struct request *r, const char *what, struct notify_str text,
                     const struct json_fault *fault);
/* PROCESSING_ERROR: an agent has said nothing for so long. */
void answer_timed_out(struct request *r, uint64_t after_ms);
/* FORBIDDEN: who asks lacks a right to name, which member of the request holds. */
void answer_lacks_right(struct request *r, const char *member, enum right right,
                        struct notify_str name);
/* FORBIDDEN, with the member and the key of it that this client may not follow. */
void answer_not_followed(struct request *r, const char *member, struct notify_str key);
/* Tells of a reply that is no success: NULL (the link went down) or an error of Redis. */
void answer_failed_reply(struct request *r, const struct resp *reply);
/* The same for a command that was made of what the client said: what Redis has against that is
 * INVALID_FIELD. */
void answer_refused_reply(struct request *r, const struct resp *reply);

#endif
