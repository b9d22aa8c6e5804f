#include "requests/responder_http.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "clients/caller.h"
#include "clients/client.h"
#include "clients/request_rate.h"
#include "identity/identity.h"
#include "net/addresses.h"
#include "net/http.h"
#include "requests/answer.h"
#include "requests/http_call.h"
#include "requests/http_members.h"
#include "requests/http_tag.h"
#include "requests/request.h"
#include "requests/request_run.h"
#include "requests/responder.h"
#include "wire/text.h"

/* Whoever keeps it asks each time whether it is still so, and no proxy keeps it. */
#define TAGGED "private, no-cache"
#define RETRY_SOON "Retry-After: 1\r\n"
#define ASKS_FOR_TOKEN "WWW-Authenticate: Bearer\r\n"
#define REFUSES_TOKEN "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n"

/* A request that is answered by an exchange. */
struct http_asked {
    struct request request;    /* first */
    struct exchange *exchange; /* NULL: it has been answered, or its peer has gone */
    const struct http_call *call;
    int status;  /* of an answer that is no error */
    bool tagged; /* that has an entity tag */
    void *kept;  /* owned: of its handler */
    char headers[HTTP_CALL_HEADERS_MAX + 1];
};

static struct http_asked *asked_of(const struct request *r)
{
    return (struct http_asked *)r;
}

/* Answers. */

static const struct {
    int status;
    const char *headers;
} of_code[] = {
    [ANSWER_BAD_JSON] = {400, NULL},
    [ANSWER_UNKNOWN_TYPE] = {404, NULL},
    [ANSWER_MISSING_FIELD] = {422, NULL},
    [ANSWER_INVALID_FIELD] = {422, NULL},
    [ANSWER_FORBIDDEN] = {403, NULL},
    [ANSWER_UNAUTHORIZED] = {401, ASKS_FOR_TOKEN},
    [ANSWER_NOT_FOUND] = {404, NULL},
    [ANSWER_CONFLICT] = {409, NULL},
    [ANSWER_LIMIT_REACHED] = {409, NULL}, /* by what there is: asked again, it is no other */
    [ANSWER_RATE_LIMITED] = {429, RETRY_SOON},
    [ANSWER_TOO_MANY_SUBSCRIPTIONS] = {429, RETRY_SOON},
    [ANSWER_TOO_MANY_REQUESTS] = {429, RETRY_SOON},
    [ANSWER_PROCESSING_ERROR] = {500, NULL},
    [ANSWER_UNAVAILABLE] = {503, RETRY_SOON},
};

/* The exchange, which is over with this. */
static struct exchange *take_exchange(struct http_asked *asked)
{
    struct exchange *exchange = asked->exchange;

    exchange_on_gone(exchange, NULL, NULL);
    asked->exchange = NULL;
    return exchange;
}

/* In one piece, owned by the caller; an error without its type. NULL: out of memory. */
static char *join(const struct text *text, bool is_error, size_t *ret_len)
{
    size_t cut = is_error ? sizeof(ANSWER_ERROR_HEAD) - 2 : 0, len = 0;
    char *body;

    for (size_t i = 0; i < text->len; i++)
        len += text->parts[i].len;
    body = malloc(len + 1); /* never 0 */
    if (body == NULL)
        return NULL;
    len = 0;
    for (size_t i = 0; i < text->len; i++) {
        if (text->parts[i].len > 0)
            memcpy(body + len, text->parts[i].ptr, text->parts[i].len);
        len += text->parts[i].len;
    }
    if (is_error) { /* "{" and what follows the type */
        assert(memcmp(body, ANSWER_ERROR_HEAD, cut + 1) == 0);
        memmove(body + 1, body + cut + 1, len - cut - 1);
    }
    *ret_len = len - cut;
    return body;
}

/* The answer in the words of the call. NULL: out of memory. */
static char *reshape(const struct http_call *call, char *body, size_t *len)
{
    json_t *said = json_loadb(body, *len, 0, NULL);
    json_t *shaped = said == NULL ? NULL : call->shape(said);

    free(body);
    json_decref(said);
    body = shaped == NULL ? NULL : json_dumps(shaped, JSON_COMPACT);
    json_decref(shaped);
    *len = body == NULL ? 0 : strlen(body);
    return body;
}

static void answer(struct request *r, enum answer_code code, struct text *text)
{
    struct http_asked *asked = asked_of(r);
    char *body;
    bool is_error = code != ANSWER_OK;
    struct http_response response = {.status = is_error ? of_code[code].status : asked->status,
                                     .headers = is_error ? of_code[code].headers : asked->headers};

    if (!is_error && asked->tagged)
        response.cache_control = TAGGED;
    body = join(text, is_error, &response.len);
    if (body != NULL && !is_error && asked->call->shape != NULL)
        body = reshape(asked->call, body, &response.len);
    response.body = body;
    if (body == NULL)
        exchange_refuse(take_exchange(asked), 500, NULL);
    else
        exchange_answer(take_exchange(asked), &response);
    free(body);
}

struct exchange *http_call_take_exchange(struct request *r)
{
    return take_exchange(asked_of(r));
}

void http_call_answer_empty(struct request *r)
{
    struct http_asked *asked = asked_of(r);
    const struct http_response response = {.status = asked->status,
                                           .headers = asked->headers,
                                           .cache_control = asked->tagged ? TAGGED : NULL};

    exchange_answer(take_exchange(asked), &response);
}

void http_call_status(struct request *r, int status, const char *headers)
{
    struct http_asked *asked = asked_of(r);

    asked->status = status;
    (void)snprintf(asked->headers, sizeof(asked->headers), "%s", headers == NULL ? "" : headers);
}

bool http_call_tag(struct request *r, const struct http_tag *tag)
{
    char headers[HTTP_CALL_HEADERS_MAX + 1];
    bool known = http_tag_matches(tag, http_call_request(r)->head);

    (void)snprintf(headers, sizeof(headers), "ETag: %s\r\nVary: Authorization, Cookie\r\n",
                   tag->text);
    http_call_status(r, known ? 304 : 200, headers);
    asked_of(r)->tagged = true;
    if (known)
        http_call_answer_empty(r);
    return known;
}

void http_call_keep(struct request *r, void *kept)
{
    asked_of(r)->kept = kept;
}

void *http_call_kept(const struct request *r)
{
    return asked_of(r)->kept;
}

const struct http_request *http_call_request(const struct request *r)
{
    return exchange_request(asked_of(r)->exchange);
}

static bool is_gone(const struct request *r)
{
    return asked_of(r)->exchange == NULL;
}

/* A connection has one request under way, and what its answer may come to is bounded by its kind:
 * so the limits on connections and on requests hold that, too. */
static void counts_nowhere(struct request *r, size_t bytes)
{
    (void)r;
    (void)bytes;
}

static void waits_anyway(struct request *r)
{
    (void)r;
}

/* Without an answer there was no memory for one. */
static void release(struct request *r)
{
    struct http_asked *asked = asked_of(r);

    free(asked->kept);
    if (asked->exchange != NULL)
        exchange_refuse(take_exchange(asked), 500, NULL);
}

static const struct responder responder_http = {
    .request_bytes = sizeof(struct http_asked),
    .answer = answer,
    .is_gone = is_gone,
    .begin = counts_nowhere,
    .end = counts_nowhere,
    .waits = waits_anyway,
    .goes_on = waits_anyway,
    .release = release,
};

static void on_gone(void *ctx)
{
    struct http_asked *asked = ctx;

    asked->exchange = NULL;
}

/* A request. */

static void answer_gathered(struct request *r, enum http_members_answer why,
                            const struct json_fault *fault)
{
    struct http_asked *asked = asked_of(r);

    switch (why) {
    case HTTP_MEMBERS_GOOD:
        break;
    case HTTP_MEMBERS_BAD_QUERY:
        answer_error(r, ANSWER_INVALID_FIELD, NULL, "the query must be percent-encoded UTF-8");
        break;
    case HTTP_MEMBERS_BAD_PATH:
        answer_error(r, ANSWER_INVALID_FIELD, NULL, "the path must be percent-encoded UTF-8");
        break;
    case HTTP_MEMBERS_BAD_TYPE:
        exchange_refuse(take_exchange(asked), 415, NULL);
        break;
    case HTTP_MEMBERS_BAD_BODY:
        if (fault->too_deep)
            address_limit_met(http_call_request(r)->address, COUNTER_MESSAGES_TOO_DEEP);
        answer_bad_json(r, "the body", http_call_request(r)->body, fault);
        break;
    case HTTP_MEMBERS_NO_MEMORY:
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
        break;
    }
}

static void run(struct request *r)
{
    const struct http_call *call = asked_of(r)->call;
    struct http_members members;
    struct json_fault fault;
    enum http_members_answer gathered =
        http_members_gather(&members, call, http_call_request(r), &fault);

    if (gathered == HTTP_MEMBERS_GOOD)
        request_run_as(r, &call->type, &members.inbound);
    else
        answer_gathered(r, gathered, &fault);
    http_members_release(&members);
}

/* So often may one user ask, over all of his connections; a guest is one by his address. */
static bool may_ask_now(struct request *r)
{
    struct client_shared *shared = r->shared;
    uint64_t wait_ms =
        r->identity->anonymous ? 0 : request_rate_take(shared->request_rate, request_user(r));

    if (wait_ms == 0)
        return true;
    address_limit_met(http_call_request(r)->address, COUNTER_REQUESTS_TOO_MANY);
    answer_rate_limited(r, wait_ms);
    return false;
}

static void ask(struct client_shared *shared, struct exchange *exchange,
                const struct http_call *call, struct identity *identity)
{
    struct request *r = request_new(&responder_http, shared, identity);
    struct http_asked *asked = (struct http_asked *)r;

    if (r == NULL) {
        exchange_refuse(exchange, 500, NULL);
        return;
    }
    asked->exchange = exchange;
    asked->call = call;
    asked->status = 200;
    exchange_on_gone(exchange, on_gone, asked);
    if (may_ask_now(r))
        run(r);
    request_unref(r);
}

/* Who asks. */

struct asking {
    struct client_shared *shared;
    struct exchange *exchange;
    const struct http_call *call;
    struct caller *caller;
};

static void refuse(struct exchange *exchange, enum caller_answer why)
{
    static const struct {
        int status;
        const char *headers;
    } rows[] = {
        [CALLER_NO_TOKEN] = {401, ASKS_FOR_TOKEN}, [CALLER_BAD_TOKEN] = {401, REFUSES_TOKEN},
        [CALLER_BAD_NAME] = {422, NULL},           [CALLER_OTHER_USER] = {403, NULL},
        [CALLER_NOT_NOW] = {503, RETRY_SOON},      [CALLER_NO_MEMORY] = {500, NULL},
    };

    exchange_refuse(exchange, rows[why].status, rows[why].headers);
}

/* Whoever it is, it is known by now or never will be. */
static void on_found(void *ctx, enum caller_answer found, struct identity *identity)
{
    struct asking *asking = ctx;
    struct exchange *exchange = asking->exchange;

    exchange_on_gone(exchange, NULL, NULL);
    if (found != CALLER_KNOWN)
        refuse(exchange, found);
    else if (identity->anonymous && !asking->call->guests)
        refuse(exchange, CALLER_NO_TOKEN);
    else
        ask(asking->shared, exchange, asking->call, identity);
    (void)identity_unref(identity);
    free(asking);
}

static void on_gone_early(void *ctx)
{
    struct asking *asking = ctx;

    caller_drop(asking->caller);
    free(asking);
}

/* Who came where only administrators connect needs no token. */
static void ask_as_operator(struct client_shared *shared, struct exchange *exchange,
                            const struct http_call *call)
{
    struct identity *identity = identity_open(NOTIFY_STR("operator"));

    if (identity == NULL)
        exchange_refuse(exchange, 500, NULL);
    else
        ask(shared, exchange, call, identity);
    (void)identity_unref(identity);
}

static void find_caller(struct client_shared *shared, struct exchange *exchange,
                        const struct http_call *call)
{
    struct asking *asking = calloc(1, sizeof(*asking));
    struct caller *caller;

    if (asking == NULL) {
        exchange_refuse(exchange, 500, NULL);
        return;
    }
    *asking = (struct asking){.shared = shared, .exchange = exchange, .call = call};
    /* May have called on_found(), and then it is no more. */
    caller = caller_find(shared, exchange_request(exchange), exchange_plan(exchange)->readable,
                         on_found, asking);
    if (caller == NULL)
        return;
    asking->caller = caller;
    exchange_on_gone(exchange, on_gone_early, asking);
}

void responder_http_begin(struct client_shared *shared, struct exchange *exchange,
                          const struct http_call *call)
{
    if (exchange_request(exchange)->door == LISTEN_ADMIN)
        ask_as_operator(shared, exchange, call);
    else
        find_caller(shared, exchange, call);
}
