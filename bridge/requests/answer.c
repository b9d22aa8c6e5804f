#include "requests/answer.h"

#include <stdio.h>
#include <string.h>

#include "base/counters.h"
#include "base/log.h"
#include "redis/resp.h"
#include "requests/request.h"
#include "wire/json_scan.h"
#include "wire/text.h"

struct code {
    const char *name;
    enum counter counter;
};

#define CODE(name) [ANSWER_##name] = {#name, COUNTER_ERRORS_##name}

static const struct code codes[] = {
    CODE(BAD_JSON),
    CODE(UNKNOWN_TYPE),
    CODE(MISSING_FIELD),
    CODE(INVALID_FIELD),
    CODE(FORBIDDEN),
    CODE(UNAUTHORIZED),
    CODE(NOT_FOUND),
    CODE(CONFLICT),
    CODE(LIMIT_REACHED),
    CODE(RATE_LIMITED),
    CODE(TOO_MANY_SUBSCRIPTIONS),
    CODE(TOO_MANY_REQUESTS),
    CODE(PROCESSING_ERROR),
    CODE(UNAVAILABLE),
};

const char *answer_code_name(enum answer_code code)
{
    return codes[code].name;
}

void answer_text(struct request *r, struct text *text)
{
    r->responder->answer(r, ANSWER_OK, text);
}

/* Takes answer over. */
static void send(struct request *r, enum answer_code code, json_t *answer)
{
    struct text text;

    if (text_of_json(&text, answer))
        r->responder->answer(r, code, &text);
    else
        log_error("out_of_memory", "at", "answer");
    text_release(&text);
}

/* Takes details over. */
static void send_error(struct request *r, enum answer_code code, json_t *details,
                       const char *message)
{
    json_t *text = json_string(message);

    counter_add(codes[code].counter, 1);
    if (text == NULL) /* Redis may cut its words in the middle of a character */
        text = json_string("no further details");
    send(r, code,
         json_pack("{s:s, s:{s:s, s:o, s:o}}", "type", "error", "error", "code", codes[code].name,
                   "message", text, "details", details));
}

void answer_json(struct request *r, json_t *answer)
{
    if (answer != NULL)
        send(r, ANSWER_OK, answer);
    else /* what Redis said, and is to stand in it, is no UTF-8 */
        send_error(r, ANSWER_PROCESSING_ERROR, json_null(), "unexpected reply");
}

void answer_error(struct request *r, enum answer_code code, const char *member, const char *message)
{
    send_error(r, code, member == NULL ? json_null() : json_pack("{s:s}", "member", member),
               message);
}

void answer_rate_limited(struct request *r, uint64_t wait_ms)
{
    send_error(r, ANSWER_RATE_LIMITED, json_pack("{s:I}", "retry_after_ms", (json_int_t)wait_ms),
               "too many messages; this one was not looked at");
}

void answer_bad_json(struct request *r, const char *what, struct notify_str text,
                     const struct json_fault *fault)
{
    char message[96];
    size_t blanks = 0;

    while (blanks < text.len && strchr(" \t\r\n", text.ptr[blanks]) != NULL)
        blanks++;
    if (fault->too_deep)
        (void)snprintf(message, sizeof(message), "nested deeper than %d at byte %zu",
                       JSON_SCAN_MAX_DEPTH, fault->at);
    else if (blanks < text.len && text.ptr[blanks] == '{')
        (void)snprintf(message, sizeof(message), "not well-formed JSON at byte %zu", fault->at);
    else
        (void)snprintf(message, sizeof(message), "%s must be a JSON object", what);
    answer_error(r, ANSWER_BAD_JSON, NULL, message);
}

void answer_timed_out(struct request *r, uint64_t after_ms)
{
    send_error(r, ANSWER_PROCESSING_ERROR, json_pack("{s:I}", "timeout_ms", (json_int_t)after_ms),
               "the agent did not answer in time");
}

void answer_lacks_right(struct request *r, const char *member, enum right right,
                        struct notify_str name)
{
    send_error(r, ANSWER_FORBIDDEN,
               json_pack("{s:s, s:s, s:s%}", "member", member, "right", right_word(right), "name",
                         name.ptr, name.len),
               "this user may not do that");
}

void answer_not_followed(struct request *r, const char *member, struct notify_str key)
{
    send_error(r, ANSWER_FORBIDDEN,
               json_pack("{s:s, s:s%}", "member", member, "key", key.ptr, key.len),
               "this client may not follow that key");
}

/* Errors of Redis, and of the module, that are more to a client than PROCESSING_ERROR with their
 * text. */
static const struct redis_error {
    const char *word; /* the first of the reply, */
    enum answer_code code;
    const char *message; /* NULL: what stands behind it */
} redis_errors[] = {
    {"NOPERM", ANSWER_FORBIDDEN, "not permitted"},
    {"LIMIT", ANSWER_LIMIT_REACHED, NULL},
    {"ERR", ANSWER_PROCESSING_ERROR, NULL},
};

static const struct redis_error *find_error(const struct resp *reply)
{
    static const struct redis_error not_now = {NULL, ANSWER_UNAVAILABLE,
                                               "Redis cannot do this just now; nothing was done"};

    if (resp_is_passing_error(reply) || resp_refuses_writes(reply))
        return &not_now;
    for (size_t i = 0; i < sizeof(redis_errors) / sizeof(redis_errors[0]); i++)
        if (resp_is_error(reply, redis_errors[i].word))
            return &redis_errors[i];
    return NULL;
}

/* Redis' own words name the argument at fault; that is what the client needs to know, too. Only the
 * error's first word is ours to drop. */
static const char *behind_word(const struct resp *reply, const char *word)
{
    size_t len = strlen(word);

    return reply->str.ptr + len + (reply->str.len > len);
}

void answer_failed_reply(struct request *r, const struct resp *reply)
{
    const struct redis_error *error = find_error(reply);

    if (reply == NULL) {
        answer_error(r, ANSWER_UNAVAILABLE, NULL,
                     "Redis is away; whether this was done is not known");
        return;
    }
    if (reply->kind != RESP_ERROR) {
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "unexpected reply");
        return;
    }
    log_debug("request_failed", "text", reply->str.ptr);
    if (error == NULL)
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, reply->str.ptr);
    else
        answer_error(r, error->code, NULL,
                     error->message != NULL ? error->message : behind_word(reply, error->word));
}

void answer_refused_reply(struct request *r, const struct resp *reply)
{
    bool is_error = reply != NULL && reply->kind == RESP_ERROR;

    if (is_error && strncmp(reply->str.ptr, "ERR ", 4) == 0 &&
        strncmp(reply->str.ptr, "ERR unknown", strlen("ERR unknown")) != 0)
        answer_error(r, ANSWER_INVALID_FIELD, NULL, reply->str.ptr + 4);
    else
        answer_failed_reply(r, reply);
}
