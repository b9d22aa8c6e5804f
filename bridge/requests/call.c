#include "requests/call.h"

#include <assert.h>
#include <stdlib.h>

#include "requests/answer.h"
#include "clients/client.h"
#include "redis/redis_link.h"
#include "redis/resp.h"

struct call {
    struct client *client; /* its memory is kept by client_call_begin() */
    json_t *request_id;    /* owned; or NULL */
    call_fn fn;
    size_t arg;      /* for fn */
    bool two;        /* a second reply is to come, or has come */
    bool failed;     /* the client has been told */
    bool no_second;  /* the first reply is the last one after all */
    int64_t integer; /* of the first of two: such a command answers a number */
};

void words_add(struct words *words, struct notify_str word)
{
    assert(words->len < WORDS_MAX);
    words->at[words->len++] = word;
}

void words_add_option(struct words *words, struct notify_str name, struct notify_str value)
{
    if (value.len == 0)
        return;
    words_add(words, name);
    words_add(words, value);
}

static void fail(struct call *call, const struct resp *reply)
{
    if (!call->failed && call->client->state != CLIENT_CLOSED)
        answer_failed_reply(call->client, call->request_id, reply);
    call->failed = true;
}

static void finish(struct call *call)
{
    client_call_end(call->client);
    json_decref(call->request_id);
    free(call);
}

static void on_first(void *ctx, const struct resp *reply)
{
    struct call *call = ctx;

    if (reply == NULL || reply->kind == RESP_ERROR)
        fail(call, reply);
    else
        call->integer = resp_integer(reply, 0);
    if (call->no_second)
        finish(call);
}

static void on_last(void *ctx, const struct resp *reply)
{
    struct call *call = ctx;
    struct resp first = {.kind = RESP_INTEGER, .integer = call->integer};
    struct resp *items[2] = {&first, (struct resp *)reply};
    struct resp both = {.kind = RESP_ARRAY, .len = 2, .items = items};

    if (reply == NULL || reply->kind == RESP_ERROR)
        fail(call, reply);
    else if (!call->failed && call->client->state != CLIENT_CLOSED)
        call->fn(call->client, call->request_id, call->two ? &both : reply, call->arg);
    finish(call);
}

static struct call *call_new(struct client *client, const json_t *request_id, call_fn fn,
                             size_t arg)
{
    struct call *call = calloc(1, sizeof(*call));

    if (call == NULL)
        return NULL;
    call->client = client;
    call->request_id = json_incref((json_t *)request_id); /* counted only, not changed */
    call->fn = fn;
    call->arg = arg;
    client_call_begin(client);
    return call;
}

/* Nothing was sent: the request was not done. */
static void unsent(struct client *client, struct call *call, const json_t *request_id)
{
    answer_error(client, request_id, ANSWER_UNAVAILABLE, NULL, "Redis is away; nothing was done");
    if (call != NULL)
        finish(call);
}

void call_send(struct client *client, const json_t *request_id, call_fn fn, size_t arg,
               const struct words *words)
{
    struct redis_link *link = client->shared->commands;
    struct call *call = call_new(client, request_id, fn, arg);

    if (call == NULL || redis_link_command(link, on_last, call, words->len, words->at) != 0)
        unsent(client, call, request_id);
}

void call_send_two(struct client *client, const json_t *request_id, call_fn fn, size_t arg,
                   const struct words *first, const struct words *second)
{
    struct redis_link *link = client->shared->commands;
    struct call *call = call_new(client, request_id, fn, arg);

    if (call == NULL || redis_link_command(link, on_first, call, first->len, first->at) != 0) {
        unsent(client, call, request_id);
        return;
    }
    call->two = true;
    /* The first is on its way; if the second cannot follow it (limit of pending commands), it was
     * done all the same, which is what a missing reply says. */
    if (redis_link_command(link, on_last, call, second->len, second->at) != 0) {
        call->no_second = true;
        fail(call, NULL);
    }
}
