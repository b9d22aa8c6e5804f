/* responder -- how an answer gets to whoever asked. The handlers of requests speak canonical JSON;
 * a responder, one for each way of asking, says how that looks there and in whose limit it counts.
 */
#ifndef RESPONDER_H
#define RESPONDER_H

#include <stdbool.h>
#include <stddef.h>

struct request;
struct text;

enum answer_code {
    ANSWER_OK,
    ANSWER_BAD_JSON,
    ANSWER_UNKNOWN_TYPE,
    ANSWER_MISSING_FIELD,
    ANSWER_INVALID_FIELD,
    ANSWER_FORBIDDEN,
    ANSWER_UNAUTHORIZED,
    ANSWER_NOT_FOUND,
    ANSWER_CONFLICT,
    ANSWER_LIMIT_REACHED,
    ANSWER_RATE_LIMITED,
    ANSWER_TOO_MANY_SUBSCRIPTIONS,
    ANSWER_TOO_MANY_REQUESTS,
    ANSWER_PROCESSING_ERROR,
    ANSWER_UNAVAILABLE,
};

struct responder {
    size_t request_bytes; /* sizeof what begins with a struct request and is made for each */
    /* Answers, once. text: one object in canonical words; it is changed. */
    void (*answer)(struct request *r, enum answer_code code, struct text *text);
    /* Is there nobody any more who waits for the answer? */
    bool (*is_gone)(const struct request *r);
    /* What a request holds while it waits, and what its answer may come to, counts in a limit of
     * whoever asks: from begin to end, which may be the end of who asked. */
    void (*begin)(struct request *r, size_t bytes);
    void (*end)(struct request *r, size_t bytes);
    /* A command of it stands in the line for Redis (redis/turns.h), and does no more. */
    void (*waits)(struct request *r);
    void (*goes_on)(struct request *r);
    void (*release)(struct request *r); /* what is behind struct request; may be NULL */
};

#endif
