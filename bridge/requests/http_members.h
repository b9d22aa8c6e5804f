/* http_members -- the members of a call over HTTP, from where they stand, as those of a message:
 * JSON text by name. */
#ifndef HTTP_MEMBERS_H
#define HTTP_MEMBERS_H

#include "wire/inbound.h"
#include "wire/json_scan.h"

struct http_call;
struct http_request;

/* What has been gathered; its values point into the request and into text. */
struct http_members {
    struct inbound inbound;
    char *text; /* owned */
    size_t len, cap;
    const struct http_call *call; /* borrowed */
};

enum http_members_answer {
    HTTP_MEMBERS_GOOD,
    HTTP_MEMBERS_BAD_QUERY, /* an escape is none, or a text no UTF-8 */
    HTTP_MEMBERS_BAD_PATH,  /* a part of the path is no UTF-8 */
    HTTP_MEMBERS_BAD_TYPE,  /* the body is not said to be JSON */
    HTTP_MEMBERS_BAD_BODY,  /* it is no JSON object: *ret_fault */
    HTTP_MEMBERS_NO_MEMORY,
};

/* Either way they must be released. */
enum http_members_answer http_members_gather(struct http_members *ret, const struct http_call *call,
                                             const struct http_request *req,
                                             struct json_fault *ret_fault);
void http_members_release(struct http_members *members);

#endif
