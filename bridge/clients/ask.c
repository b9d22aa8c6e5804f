#include "clients/ask.h"

#include <stdlib.h>

#include "channels/channel.h"
#include "channels/follow.h"
#include "clients/sender.h"

/* A result: objects and numbers of jansson, a key of middling length twice, and its text. */
#define RESULT_BYTES 512

struct ask *ask_new(const struct ask_kind *kind, size_t max, void *ctx, size_t bytes,
                    json_t *subject)
{
    struct ask *ask = calloc(1, sizeof(*ask) + max * sizeof(struct follow *));

    if (ask == NULL)
        return NULL;
    if (kind->results && (ask->results = json_object()) == NULL) {
        free(ask);
        return NULL;
    }
    ask->kind = kind;
    ask->ctx = ctx;
    ask->pending = 1;
    ask->bytes = (uint32_t)(sizeof(*ask) + max * sizeof(struct follow *) +
                            (kind->results ? max : 0) * RESULT_BYTES + bytes);
    ask->subject = json_incref(subject);
    return ask;
}

static void ask_free(struct ask *ask)
{
    if (ask->ctx != NULL && ask->kind->release != NULL)
        ask->kind->release(ask->ctx);
    json_decref(ask->subject);
    json_decref(ask->results);
    free(ask);
}

void ask_await(struct ask *ask, struct follow *follow)
{
    ask->follows[ask->len++] = follow;
    ask->pending++;
}

void ask_put_result(json_t *results, struct notify_str key, const struct follow *follow,
                    bool recovered)
{
    /* A key that is no UTF-8 cannot come from a client: then this does nothing. */
    (void)json_object_setn_new(
        results, key.ptr, key.len,
        json_pack("{s:b, s:i}", "recovered", recovered, "count", (int)follow->count));
}

void ask_forget(struct ask *ask, const struct follow *follow)
{
    for (size_t i = 0; i < ask->len; i++) {
        if (ask->follows[i] != follow)
            continue;
        ask->follows[i] = NULL;
        ask->pending--;
    }
}

static bool refuse(struct ask *ask, const struct follow *follow)
{
    for (size_t i = 0; i < ask->len; i++)
        if (ask->follows[i] == follow) {
            ask->refused = true;
            return ask->subject != NULL;
        }
    return false;
}

/* Whether the ask tells how it went. */
static bool resolve(struct ask *ask, const struct follow *follow)
{
    bool tells = false;

    for (size_t i = 0; i < ask->len; i++) {
        if (ask->follows[i] != follow)
            continue;
        ask->follows[i] = NULL;
        ask->pending--;
        if (ask->results != NULL)
            ask_put_result(ask->results, follow_key(follow), follow, !follow->gap);
        tells |= ask->kind->tells;
    }
    return tells;
}

/* Those of a client. */

static void drop(struct ask *ask)
{
    sender_call_end(ask->sender, ask->bytes);
    ask_free(ask);
}

static struct ask *take_done(struct asks *asks)
{
    for (struct ask **at = &asks->first; *at != NULL; at = &(*at)->next) {
        struct ask *ask = *at;
        if (ask->pending > 0)
            continue;
        *at = ask->next;
        return ask;
    }
    return NULL;
}

/* What done() does may finish others, and so come back here. */
static void finish(struct asks *asks)
{
    struct ask *ask;

    while ((ask = take_done(asks)) != NULL) {
        ask->kind->done(ask->client, ask);
        drop(ask);
    }
}

void ask_open(struct asks *asks, struct ask *ask, struct client *client, struct sender *sender)
{
    ask->client = client;
    ask->sender = sender;
    ask->next = asks->first;
    asks->first = ask;
    sender_call_begin(sender, ask->bytes);
}

void ask_close(struct asks *asks, struct ask *ask)
{
    ask->pending--;
    finish(asks);
}

void ask_cancel(struct asks *asks, struct ask *ask)
{
    struct ask **at = &asks->first;

    while (*at != ask)
        at = &(*at)->next;
    *at = ask->next;
    drop(ask);
}

void asks_free(struct asks *asks)
{
    while (asks->first != NULL)
        ask_cancel(asks, asks->first);
}

bool asks_resolve(struct asks *asks, const struct follow *follow)
{
    bool told = false;

    for (struct ask *ask = asks->first; ask != NULL; ask = ask->next)
        told |= resolve(ask, follow);
    finish(asks);
    return told;
}

bool asks_tell_gap(const struct asks *asks, struct notify_str key)
{
    for (const struct ask *ask = asks->first; ask != NULL; ask = ask->next) {
        const json_t *result =
            ask->kind->tells ? json_object_getn(ask->results, key.ptr, key.len) : NULL;
        if (result != NULL && !json_is_true(json_object_get(result, "recovered")))
            return true;
    }
    return false;
}

void asks_fell_behind(struct asks *asks, const struct follow *follow)
{
    for (struct ask *ask = asks->first; ask != NULL; ask = ask->next)
        if (ask->kind->impatient)
            (void)resolve(ask, follow);
    finish(asks);
}

bool asks_refuse(struct asks *asks, const struct follow *follow)
{
    bool told = false;

    for (struct ask *ask = asks->first; ask != NULL; ask = ask->next)
        told |= refuse(ask, follow);
    return told;
}
