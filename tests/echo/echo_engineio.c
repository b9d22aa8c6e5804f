#include <string.h>

#include "echo.h"
#include "net/conn.h"

static int on_handshake(void *ctx, const struct http_request *req, void **ret_seed)
{
    (void)ctx;
    (void)req;
    (void)ret_seed;
    return 0;
}

static void on_forget(void *ctx, void *seed)
{
    (void)ctx;
    (void)seed;
}

struct engineio_config echo_config(struct loop *loop, const struct poll_store *store, unsigned pace)
{
    return (struct engineio_config){
        .loop = loop,
        .store = *store,
        .ping_interval_ms = pace * ECHO_PING_INTERVAL_MS,
        .ping_timeout_ms = pace * ECHO_PING_TIMEOUT_MS,
        .upgrade_timeout_ms = 10000,
        .max_payload = ECHO_MAX_PAYLOAD,
        .headers = "Access-Control-Allow-Origin: *\r\n",
        .handlers = {.on_handshake = on_handshake, .on_forget = on_forget}};
}

static bool on_open(struct session *session, struct notify_str state)
{
    (void)session;
    (void)state;
    return true;
}

/* What does not go out waits, and nothing more is read until it has gone. */
static void keep_pace(struct session *session)
{
    const struct conn *conn = session_conn(session);

    if (conn != NULL && conn_is_busy(conn))
        session_pause(session, true);
}

static void on_text(struct session *session, struct notify_str text)
{
    const struct notify_str parts[] = {NOTIFY_STR_INIT("4"), text};

    session_say(session, 2, parts);
    keep_pace(session);
}

static void on_binary(struct session *session, struct notify_str bytes)
{
    session_say_binary(session, bytes);
    keep_pace(session);
}

static void on_drained(struct session *session)
{
    session_pause(session, false);
}

static void on_alarm(struct session *session)
{
    (void)session;
}

static bool on_park(struct session *session, struct parcel *ret_state)
{
    (void)session; /* nothing is to be remembered */
    (void)ret_state;
    return true;
}

static void on_end(struct session *session, int code)
{
    (void)session;
    (void)code;
}

struct engineio *echo_engineio_new(struct loop *loop, const struct poll_store *store, unsigned pace)
{
    struct engineio_config config = echo_config(loop, store, pace);

    config.handlers.on_open = on_open;
    config.handlers.on_text = on_text;
    config.handlers.on_binary = on_binary;
    config.handlers.on_busy = keep_pace;
    config.handlers.on_drained = on_drained;
    config.handlers.on_alarm = on_alarm;
    config.handlers.on_park = on_park;
    config.handlers.on_closing = on_end;
    config.handlers.on_closed = on_end;
    return engineio_new(&config);
}
