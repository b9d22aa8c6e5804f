#include "requests/call.h"

#include <stdlib.h>

#include "clients/client.h"
#include "redis/resp.h"
#include "redis/turns.h"
#include "requests/answer.h"
#include "requests/far_logs.h"
#include "requests/request.h"

/* Words that are kept. */
struct kept {
    struct words words;
    char bytes[];
};

struct call {
    struct request *request; /* owned reference */
    const struct call_kind *kind;
    void *ctx;           /* owned until kind->fn is called */
    size_t bytes;        /* set aside for it */
    struct kept *second; /* owned: to be sent once the first has its reply; or NULL */
    uint8_t left;        /* replies to come */
    bool two;            /* there is a second one */
    bool failed;         /* has been answered */
    int64_t integer;     /* of the first of two: such a command answers a number */
};

static bool is_gone(const struct call *call)
{
    return call->request->responder->is_gone(call->request);
}

static void fail(struct call *call, const struct resp *reply)
{
    bool is_told = !call->failed && !is_gone(call);

    if (is_told && call->kind->blames)
        answer_refused_reply(call->request, reply);
    else if (is_told)
        answer_failed_reply(call->request, reply);
    call->failed = true;
}

static void finish(struct call *call)
{
    if (call->ctx != NULL && call->kind->release != NULL)
        call->kind->release(call->ctx);
    call->request->responder->end(call->request, call->bytes);
    request_unref(call->request);
    free(call->second);
    free(call);
}

static void end_reply(struct call *call)
{
    if (--call->left == 0)
        finish(call);
}

static void succeed(struct call *call, const struct resp *reply)
{
    void *ctx = call->ctx;

    call->ctx = NULL;
    call->kind->fn(call->request, reply, ctx);
}

static void on_last(void *ctx, const struct resp *reply)
{
    struct call *call = ctx;
    struct resp first = {.kind = RESP_INTEGER, .integer = call->integer};
    struct resp *items[2] = {&first, (struct resp *)reply};
    struct resp both = {.kind = RESP_ARRAY, .len = 2, .items = items};

    if (call->kind->whatever)
        succeed(call, reply);
    else if (reply == NULL || (reply->kind == RESP_ERROR && !call->kind->takes_errors))
        fail(call, reply);
    else if (!call->failed && !is_gone(call))
        succeed(call, call->two ? &both : reply);
    end_reply(call);
}

/* It was in the line, where who asked waits with it. */
static bool on_turn(void *ctx)
{
    struct call *call = ctx;

    call->request->responder->goes_on(call->request);
    return !call->kind->reads || !is_gone(call);
}

static size_t bytes_of(const struct words *words)
{
    size_t bytes = 0;

    for (size_t i = 0; i < words->len; i++)
        bytes += words->at[i].len;
    return bytes;
}

/* Nothing was sent: the request was not done. Takes ctx over. */
static void give_up(struct request *r, const struct call_kind *kind, void *ctx)
{
    if (kind->whatever) {
        kind->fn(r, NULL, ctx);
        return;
    }
    if (!r->responder->is_gone(r))
        answer_error(r, ANSWER_UNAVAILABLE, NULL, "Redis is away; nothing was done");
    if (ctx != NULL && kind->release != NULL)
        kind->release(ctx);
}

/* Takes ctx over. NULL: out of memory, and r has been answered. */
static struct call *call_new(struct request *r, const struct call_kind *kind, void *ctx,
                             uint8_t replies, size_t words_bytes)
{
    struct call *call = calloc(1, sizeof(*call));

    if (call == NULL) {
        give_up(r, kind, ctx);
        return NULL;
    }
    call->request = request_ref(r);
    call->kind = kind;
    call->ctx = ctx;
    call->left = replies;
    call->two = replies == 2;
    call->bytes = kind->answer_bytes + r->bytes + words_bytes;
    r->responder->begin(r, call->bytes);
    return call;
}

/* As turns_command(). */
static int send(struct call *call, redis_reply_fn fn, size_t reply_bytes, const struct words *words)
{
    const struct turn turn = {.argc = words->len,
                              .argv = words->at,
                              .reply_bytes = reply_bytes,
                              .fn = fn,
                              .on_turn = on_turn,
                              .ctx = call};
    const struct client_shared *shared = call->request->shared;
    int ret = far_logs_are_named(shared->keyspace, &turn)
                  ? far_logs_command(shared->commands, &turn)
                  : turns_command(shared->commands, &turn);

    if (ret == 1)
        call->request->responder->waits(call->request);
    return ret;
}

static size_t reply_bytes(const struct call_kind *kind)
{
    return kind->reply_bytes > 0 ? kind->reply_bytes : kind->answer_bytes;
}

/* If it cannot follow the first (limit of pending commands), that was done all the same, which is
 * what a missing reply says. */
static void send_second(struct call *call, const struct words *words)
{
    if (send(call, on_last, reply_bytes(call->kind), words) < 0)
        on_last(call, NULL);
}

static void on_first(void *ctx, const struct resp *reply)
{
    struct call *call = ctx;

    if (reply == NULL || reply->kind == RESP_ERROR)
        fail(call, reply);
    else
        call->integer = resp_integer(reply, 0);
    call->left--;
    if (call->second != NULL && !call->failed)
        send_second(call, &call->second->words); /* which ends the call, perhaps now */
    else if (call->second != NULL || call->left == 0)
        finish(call); /* a second that waited is not sent */
}

/* It could not be sent. */
static void unsent(struct request *r, struct call *call)
{
    void *ctx = call->ctx;

    call->ctx = NULL;
    give_up(r, call->kind, ctx);
    finish(call);
}

void call_send(struct request *r, const struct call_kind *kind, void *ctx,
               const struct words *words)
{
    struct call *call = call_new(r, kind, ctx, 1, bytes_of(words));

    if (call != NULL && send(call, on_last, reply_bytes(kind), words) < 0)
        unsent(r, call);
}

/* NULL: out of memory. */
static struct kept *keep(const struct words *words)
{
    struct kept *kept = malloc(sizeof(*kept) + bytes_of(words));
    char *to;

    if (kept == NULL)
        return NULL;
    to = kept->bytes;
    kept->words.len = words->len;
    for (size_t i = 0; i < words->len; i++)
        kept->words.at[i] = notify_str_keep(&to, words->at[i]);
    return kept;
}

/* A command about logs in other slots is several: others are not in order with it. */
static bool names_far_logs(const struct request *r, const struct words *words)
{
    return far_logs_are_named(r->shared->keyspace,
                              &(struct turn){.argc = words->len, .argv = words->at});
}

void call_send_two(struct request *r, const struct call_kind *kind, void *ctx,
                   const struct words *first, const struct words *second)
{
    bool waits = names_far_logs(r, first) || names_far_logs(r, second);
    struct call *call = call_new(r, kind, ctx, 2, bytes_of(first) + bytes_of(second));

    if (call == NULL)
        return;
    call->second = waits ? keep(second) : NULL;
    if ((waits && call->second == NULL) || send(call, on_first, CALL_SMALL_ANSWER, first) < 0)
        unsent(r, call);
    else if (!waits)
        send_second(call, second);
}
