/* socketio-echo -- a target for conformance checks of WebSocket, Engine.IO and Socket.IO: the
 * bridge's own layers, with an echo in place of the application. No Redis, no authentication.
 *
 *     socketio-echo [PORT [PACE]]
 *
 * Listens on 127.0.0.1, port 3000 unless told otherwise (0: a free one), and prints "ready
 * <address>". Paths: /echo, /engine.io/, /socket.io/. PACE: the intervals of heartbeats are so many
 * times as long as a conformance check expects them. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/loop.h"
#include "echo.h"
#include "net/bound.h"
#include "net/listener.h"
#include "net/transport.h"
#include "socketio/poll_memory.h"
#include "socketio/socketio.h"

#define DEFAULT_PORT "3000"
#define FINEST_MS 500 /* its shortest intervals are hundreds of ms, to be kept to a few */

struct target {
    struct loop *loop;
    struct engineio *engineio;
    struct socketio *socketio;
};

static bool is_path(struct notify_str path, struct notify_str wanted)
{
    return notify_str_eq(path, wanted) ||
           (path.len + 1 == wanted.len && memcmp(path.ptr, wanted.ptr, path.len) == 0);
}

/* NULL: it is none of Engine.IO. */
static struct engineio *engine_of(const struct target *target, struct notify_str path)
{
    if (is_path(path, NOTIFY_STR("/engine.io/")))
        return target->engineio;
    return is_path(path, NOTIFY_STR("/socket.io/")) ? socketio_engine(target->socketio) : NULL;
}

static int on_head(void *ctx, const struct http_request *req, struct http_plan *ret)
{
    struct engineio *engine = engine_of(ctx, req->path);

    if (engine != NULL)
        return engineio_plan(engine, req, ret);
    ret->carrier = HTTP_WEBSOCKET;
    return notify_str_eq(req->path, NOTIFY_STR("/echo")) ? 0 : 404;
}

static void on_request(void *ctx, struct exchange *exchange)
{
    engineio_request(engine_of(ctx, exchange_request(exchange)->path), exchange);
}

static int on_upgrade(void *ctx, const struct http_request *req, struct conn_accept *ret)
{
    struct engineio *engine = engine_of(ctx, req->path);

    return engine == NULL ? 0 : engineio_upgrade(engine, req, ret);
}

static void on_open(void *ctx, struct conn *conn, const struct http_request *req, void *arrival)
{
    struct engineio *engine = engine_of(ctx, req->path);

    if (engine == NULL)
        echo_raw_open(conn);
    else
        engineio_open(engine, conn, req, arrival);
}

static void on_unopened(void *ctx, void *arrival)
{
    (void)ctx;
    (void)arrival; /* there is none here */
}

static void on_accepted(void *ctx, int fd, const struct peer_address *peer,
                        const struct listen_kind *kind)
{
    transport_adopt(ctx, fd, peer, kind);
}

static void on_stop(void *ctx)
{
    loop_stop(ctx);
}

/* Until it is told to end. 0, or -1. */
static int serve(struct target *target, struct transport *transport, const char *port)
{
    char address[32];
    struct bound *bound;
    struct listener *listener;
    int ret = -1;

    (void)snprintf(address, sizeof(address), "127.0.0.1:%.5s", port);
    bound = bound_new(address, 1, NULL);
    if (bound == NULL)
        return -1;
    listener = listener_new(target->loop, bound, 0, on_accepted, transport);
    if (listener != NULL && loop_on_signal(target->loop, SIGTERM, on_stop, target->loop) == 0) {
        printf("ready %s\n", bound_text(bound));
        (void)fflush(stdout); /* if nobody reads it, the tests will notice */
        ret = loop_run(target->loop);
    }
    listener_free(listener);
    bound_free(bound);
    return ret;
}

int main(int argc, char **argv)
{
    struct target target = {.loop = loop_new()};
    const unsigned pace = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
    const struct poll_memory_config boxes = {.ping_interval_ms = pace * ECHO_PING_INTERVAL_MS,
                                             .ping_timeout_ms = pace * ECHO_PING_TIMEOUT_MS,
                                             .input_max = (size_t)4 * ECHO_MAX_PAYLOAD,
                                             .boxes_max = 100000};
    struct poll_memory *memory;
    struct poll_store store;
    const struct transport_config config = {
        .max_message_bytes = ECHO_MAX_PAYLOAD,
        .max_control_frames = 100000000,
        .max_sockets = 100000,
        .finest_ms = FINEST_MS,
        .ws = {on_upgrade, on_open, on_unopened},
        .http = {.on_head = on_head, .on_request = on_request},
        .ctx = &target,
    };
    struct transport *transport = NULL;
    int ret = -1;

    log_setup(LOG_WARN, LOG_LOGFMT);
    if (target.loop == NULL)
        return 1;
    memory = poll_memory_new(target.loop, &boxes);
    if (memory == NULL)
        return 1;
    store = poll_memory_store(memory);
    target.engineio = echo_engineio_new(target.loop, &store, pace);
    target.socketio = echo_socketio_new(target.loop, &store, pace);
    transport = transport_new(target.loop, &config);
    if (target.engineio != NULL && target.socketio != NULL && transport != NULL)
        ret = serve(&target, transport, argc > 1 ? argv[1] : DEFAULT_PORT);
    transport_free(transport);
    socketio_free(target.socketio);
    engineio_free(target.engineio);
    poll_memory_free(memory);
    loop_free(target.loop);
    return ret == 0 ? 0 : 1;
}
