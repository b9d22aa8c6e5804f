#include "socketio/post.h"

#include <stdlib.h>

#include "net/http.h"
#include "socketio/poll.h"
#include "socketio/reply.h"
#include "socketio/session.h"
#include "wire/engineio_packet.h"

/* One that waits for the store. */
struct post {
    struct engineio *engine;   /* borrowed */
    struct exchange *exchange; /* NULL: the client has gone */
    TAILQ_ENTRY(post) link;
    bool violates;
    char sid[ENGINEIO_SID_ROOM];
};

static void on_gone(void *ctx)
{
    ((struct post *)ctx)->exchange = NULL;
}

/* NULL: out of memory, and the exchange is answered. */
static struct post *post_new(struct engineio *engine, struct exchange *exchange)
{
    struct post *post = calloc(1, sizeof(*post));

    if (post == NULL) {
        reply_error(engine, exchange, ERROR_AWAY);
        return NULL;
    }
    post->engine = engine;
    post->exchange = exchange;
    TAILQ_INSERT_TAIL(&engine->posts, post, link);
    exchange_on_gone(exchange, on_gone, post);
    return post;
}

static void post_free(struct post *post)
{
    TAILQ_REMOVE(&post->engine->posts, post, link);
    free(post);
}

void posts_forget(struct engineio *engine)
{
    struct post *post, *next;

    for (post = TAILQ_FIRST(&engine->posts); post != NULL; post = next) {
        next = TAILQ_NEXT(post, link);
        post_free(post);
    }
}

/* The handshake. */

static void on_opened(void *ctx, enum poll_result result, const struct poll_taken *taken)
{
    struct post *post = ctx;
    char open[SESSION_OPEN_MAX];

    (void)taken;
    if (post->exchange != NULL && result != POLL_DONE)
        reply_error(post->engine, post->exchange, ERROR_AWAY);
    else if (post->exchange != NULL)
        reply_packets(post->engine, post->exchange,
                      notify_str_of(open, session_write_open(post->engine, post->sid, true, open)));
    post_free(post);
}

/* What on_handshake leaves is asked for again with each GET. */
void post_handshake(struct engineio *engine, struct exchange *exchange)
{
    const struct engineio_config *config = &engine->config;
    struct post *post;
    void *seed = NULL;
    int status = config->handlers.on_handshake(config->ctx, exchange_request(exchange), &seed);

    if (seed != NULL)
        config->handlers.on_forget(config->ctx, seed);
    if (status != 0) {
        reply_error(engine, exchange, error_of_status(status));
        return;
    }
    post = post_new(engine, exchange);
    if (post == NULL)
        return;
    session_make_sid(post->sid);
    config->store.ops->open(config->store.store, notify_str_z(post->sid), on_opened, post);
}

/* What a client says. */

static const struct notify_str close_packet = NOTIFY_STR_INIT("1");

/* What a payload says, as far as Engine.IO goes. */
struct said {
    bool violates; /* its rules */
    bool pong, close;
};

static struct said look_through(struct notify_str payload)
{
    struct engineio_walk walk = engineio_walk(payload);
    struct engineio_packet packet;
    struct notify_str text;
    struct said said = {.violates = false};

    while (!said.violates && engineio_next(&walk, &text)) {
        said.violates = !engineio_read(text, &packet) || packet.type == ENGINEIO_PING;
        said.pong |= !said.violates && packet.type == ENGINEIO_PONG;
        said.close |= !said.violates && packet.type == ENGINEIO_CLOSE;
    }
    return said;
}

static void on_pushed(void *ctx, enum poll_result result, const struct poll_taken *taken)
{
    struct post *post = ctx;

    (void)taken;
    if (post->exchange == NULL) {
        post_free(post);
        return;
    }
    if (result == POLL_DONE && !post->violates)
        reply_taken(post->engine, post->exchange);
    else if (result == POLL_AWAY)
        reply_error(post->engine, post->exchange, ERROR_AWAY);
    else
        reply_error(post->engine, post->exchange,
                    result == POLL_UNKNOWN ? ERROR_SID : ERROR_REQUEST);
    post_free(post);
}

static bool is_bytes(const struct http_request *req)
{
    return notify_str_eq(http_field(req->head, "Content-Type", NULL),
                         NOTIFY_STR("application/octet-stream"));
}

void post_too_large(struct engineio *engine, const struct http_request *req)
{
    poll_close(engine, req, close_packet, NULL, NULL);
}

/* A payload against the rules ends the session as a close does. */
void post_take(struct engineio *engine, struct exchange *exchange)
{
    const struct poll_store *store = &engine->config.store;
    const struct http_request *req = exchange_request(exchange);
    struct said said = look_through(req->body);
    struct post *post = post_new(engine, exchange);

    if (post == NULL)
        return;
    if (http_request_arg(req, "sid", post->sid, sizeof(post->sid)) < 0) {
        on_pushed(post, POLL_UNKNOWN, NULL);
        return;
    }
    post->violates = is_bytes(req) || said.violates;
    if (post->violates)
        poll_close(engine, req, close_packet, on_pushed, post);
    else if (said.close)
        poll_close(engine, req, req->body, on_pushed, post);
    else
        store->ops->push(store->store, notify_str_z(post->sid), req->body,
                         said.pong ? POLL_PONG : 0, on_pushed, post);
}
