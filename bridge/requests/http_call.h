/* http_call -- what a path of the API asks for: a row of http_routes.c names one, and one handler
 * answers it, as those of request_run.c do.
 *
 * Its members stand in the path ("/sessions/{user_id}"), in the query or in the body, a JSON
 * object; wherever they stand they are checked against the same table (request_members.h). */
#ifndef HTTP_CALL_H
#define HTTP_CALL_H

#include <stdbool.h>
#include <stddef.h>

#include "requests/request_members.h"

struct exchange;
struct http_request;
struct http_tag;

#define HTTP_BODY_USUAL 65536 /* bytes: more than any entry that the module takes by default */

struct http_call {
    struct request_type type; /* its name is what errors call it: "the list" */
    const char *pattern;      /* of its path, see http_pattern.h */
    size_t body_max;          /* bytes; 0: it has no body */
    const char *given;        /* members that it always has, as in a query: "list=true"; or NULL */
    /* Says in other words what a handler answers that is no error (and small); a new object, NULL:
     * out of memory. NULL: it is said as it is. */
    json_t *(*shape)(const json_t *answer);
    bool raw_body; /* the body is looked at by the handler alone (http_call_body()) */
    bool streams; /* the answer is a connection that stays: not when there may be no more of them */
    bool guests;  /* those without a token may ask, where such are let in; they have no inbox */
};

/* For handlers of such calls, until they have answered. */

/* The request of r. */
const struct http_request *http_call_request(const struct request *r);
/* The status of an answer that is no error, and further header lines, each ended by CR LF, of at
 * most HTTP_CALL_HEADERS_MAX bytes: copied. headers may be NULL. */
#define HTTP_CALL_HEADERS_MAX 255
void http_call_status(struct request *r, int status, const char *headers);
/* Answers without a body, with that status. */
void http_call_answer_empty(struct request *r);
/* The answer will have this entity tag (RFC 9110, 8.8.3), and may be kept by whoever asked, to ask
 * again whether it is still so. True: he has it already, and has been answered by 304. */
bool http_call_tag(struct request *r, const struct http_tag *tag);
/* Something of the handler's that is freed with r, by free(); and that again. */
void http_call_keep(struct request *r, void *kept);
void *http_call_kept(const struct request *r);
/* The exchange, which the caller answers, or turns into something else; r counts as answered. */
struct exchange *http_call_take_exchange(struct request *r);

#endif
