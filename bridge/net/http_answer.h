/* http_answer -- statuses, and the head of an answer as text. Pure. */
#ifndef HTTP_ANSWER_H
#define HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/http.h"

#define HTTP_ANSWER_HEAD_MAX 4096 /* bytes; http_response.headers included */
#define HTTP_ERROR_MAX 256        /* bytes of the body of an error */

/* Whose pages may read an answer. */
struct http_reader {
    struct notify_str origin; /* empty: nobody's */
    bool credentials;         /* also one to a request that had their cookies */
};

/* Writes the status line, the headers and the blank line; -1 when they do not fit. wall_ms: for
 * Date. close: the connection ends after this answer. */
int http_answer_head(char out[HTTP_ANSWER_HEAD_MAX], const struct http_response *response,
                     const struct http_reader *reader, uint64_t wall_ms, bool close);
/* How a status is called: "Not Found". */
const char *http_status_reason(int status);
/* Writes the JSON body of an error; returns its length. why: as in struct http_plan. */
size_t http_answer_error(char out[HTTP_ERROR_MAX], int status, const char *why);

#endif
