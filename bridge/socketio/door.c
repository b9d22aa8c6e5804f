/* door -- what becomes of a request: the checks of Engine.IO in their order, and errors as the
 * official server says them. */
#include <stdlib.h>
#include <string.h>

#include "base/heartbeat.h"
#include "base/loop.h"
#include "net/carried.h"
#include "net/http.h"
#include "socketio/reply.h"
#include "socketio/engineio.h"
#include "socketio/poll.h"
#include "socketio/post.h"
#include "socketio/session.h"
#include "socketio/session_ws.h"
#include "socketio/upgrade.h"

#define STATUS_BAD_REQUEST 400

#define ARG_MAX_BYTES 64 /* of a parameter that means something */

/* Deadlines of polls are late by so much of an interval at most. */
#define TICKS_PER_INTERVAL 120
#define TICK_MIN_MS 5
#define TICK_MAX_MS 250

static uint64_t tick_for(const struct engineio_config *config)
{
    uint64_t tick = config->ping_interval_ms / TICKS_PER_INTERVAL;

    return tick < TICK_MIN_MS ? TICK_MIN_MS : tick > TICK_MAX_MS ? TICK_MAX_MS : tick;
}

struct engineio *engineio_new(const struct engineio_config *config)
{
    struct engineio *engine = calloc(1, sizeof(*engine));

    if (engine == NULL)
        return NULL;
    engine->config = *config;
    TAILQ_INIT(&engine->polls);
    TAILQ_INIT(&engine->posts);
    TAILQ_INIT(&engine->upgrades);
    session_ws_define(engine);
    upgrade_define(engine);
    engine->deadlines = heartbeat_new(config->loop, tick_for(config), HEARTBEAT_AT_ONCE, poll_due);
    if (engine->deadlines != NULL && polls_keep_init(engine) == 0)
        return engine;
    heartbeat_free(engine->deadlines);
    free(engine);
    return NULL;
}

/* The end of the process. */

static void on_others(void *ctx, enum poll_result result, const struct poll_taken *taken)
{
    struct engineio *engine = ctx;

    (void)taken;
    if (result == POLL_DONE)
        polls_drain(engine);
    else
        polls_end(engine);
    engine->on_drained(engine->drain_ctx);
}

static void on_no_polls(void *ctx)
{
    struct engineio *engine = ctx;

    engine->telling = false;
    engine->on_drained(engine->drain_ctx);
}

void engine_tell_no_polls(struct engineio *engine)
{
    if (engine->on_drained == NULL || engine->telling || engineio_has_polls(engine))
        return;
    engine->telling = true;
    loop_defer(engine->config.loop, on_no_polls, engine);
}

bool engineio_drains(const struct engineio *engine)
{
    return engine->drains;
}

bool engineio_has_polls(const struct engineio *engine)
{
    return !TAILQ_EMPTY(&engine->polls);
}

size_t engineio_poll_count(const struct engineio *engine)
{
    return engine->poll_count;
}

void engineio_drain(struct engineio *engine, void (*fn)(void *ctx), void *ctx)
{
    const struct poll_store *store = &engine->config.store;

    engine->on_drained = fn;
    engine->drain_ctx = ctx;
    if (store->ops != NULL)
        store->ops->others(store->store, on_others, engine);
    else
        loop_defer(engine->config.loop, fn, ctx);
}

void engineio_free(struct engineio *engine)
{
    if (engine == NULL)
        return;
    polls_forget(engine);
    if (engine->telling)
        loop_undefer(engine->config.loop, on_no_polls, engine);
    posts_forget(engine);
    upgrades_forget(engine);
    hash_table_release(&engine->kept);
    heartbeat_free(engine->deadlines);
    free(engine);
}

void engineio_let_go(struct engineio *engine)
{
    polls_let_go(engine);
}

/* What of a request counts. */
struct asking {
    bool websocket, polling; /* transport */
    bool has_sid;
    bool version_4;
    bool is_get;
    bool upgrades;
};

static bool arg_is(const struct http_request *req, const char *name, const char *value)
{
    char text[ARG_MAX_BYTES];

    return http_request_arg(req, name, text, sizeof(text)) >= 0 && strcmp(text, value) == 0;
}

static struct asking read_asking(const struct engineio *engine, const struct http_request *req)
{
    return (struct asking){.websocket = arg_is(req, "transport", "websocket"),
                           .polling = engine->config.store.ops != NULL &&
                                      arg_is(req, "transport", "polling"),
                           .has_sid = http_request_has(req, "sid"),
                           .version_4 = arg_is(req, "EIO", "4"),
                           .is_get = notify_str_eq(req->method, NOTIFY_STR("GET")),
                           .upgrades = req->head->upgrade};
}

static enum engineio_error find_fault(const struct asking *asking)
{
    if (!asking->websocket && !asking->polling)
        return ERROR_TRANSPORT;
    if (asking->has_sid)
        return asking->version_4 && (asking->polling || asking->upgrades) ? ERROR_NONE
                                                                          : ERROR_REQUEST;
    if (!asking->is_get)
        return ERROR_METHOD;
    if (asking->websocket && !asking->upgrades)
        return ERROR_REQUEST;
    return asking->version_4 ? ERROR_NONE : ERROR_VERSION;
}

/* Requests, as a transport tells of them. */

int engineio_plan(struct engineio *engine, const struct http_request *req,
                  struct http_plan *ret_plan)
{
    const struct asking asking = read_asking(engine, req);
    enum engineio_error error = find_fault(&asking);

    ret_plan->headers = engine->config.headers;
    if (error != ERROR_NONE) {
        ret_plan->body = asking.upgrades ? error_message(error) : error_json(error);
        ret_plan->body_type = asking.upgrades ? "text/html" : "application/json";
        return STATUS_BAD_REQUEST;
    }
    ret_plan->carrier = !asking.websocket ? HTTP_PLAIN
                        : asking.has_sid  ? HTTP_EVENTS /* until the store knows the session */
                                          : HTTP_WEBSOCKET;
    ret_plan->body_max = asking.is_get ? 0 : engine->config.max_payload;
    ret_plan->held = asking.is_get && asking.has_sid;
    if (!asking.is_get && asking.has_sid && req->head->length > engine->config.max_payload)
        post_too_large(engine, req);
    return 0;
}

void engineio_request(struct engineio *engine, struct exchange *exchange)
{
    const struct http_request *req = exchange_request(exchange);
    const struct asking asking = read_asking(engine, req);

    engine->transport = carried_transport(exchange);
    if (!asking.has_sid)
        post_handshake(engine, exchange);
    else if (asking.websocket)
        upgrade_request(engine, exchange);
    else if (asking.is_get)
        poll_get(engine, exchange);
    else if (notify_str_eq(req->method, NOTIFY_STR("POST")))
        post_take(engine, exchange);
    else
        reply_error(engine, exchange, ERROR_REQUEST);
}

int engineio_upgrade(struct engineio *engine, const struct http_request *req,
                     struct conn_accept *ret)
{
    if (http_request_has(req, "sid"))
        return 0;
    return engine->config.handlers.on_handshake(engine->config.ctx, req, &ret->arrival);
}

void engineio_open(struct engineio *engine, struct conn *conn, const struct http_request *req,
                   void *arrival)
{
    if (http_request_has(req, "sid"))
        upgrade_open(engine, conn, req);
    else
        session_ws_open(engine, conn, arrival);
}

void engineio_unopened(struct engineio *engine, void *arrival)
{
    if (arrival != NULL)
        engine->config.handlers.on_forget(engine->config.ctx, arrival);
}
