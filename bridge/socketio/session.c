#include "socketio/session.h"

#include <stdlib.h>
#include <string.h>

#include <event2/util.h>

#include "base/base64url.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/short_time.h"
#include "net/addresses.h"
#include "wire/engineio_packet.h"

#define SID_BYTES 15 /* of randomness */

void session_make_sid(char out[ENGINEIO_SID_LEN + 1])
{
    unsigned char random[SID_BYTES];

    evutil_secure_rng_get_bytes(random, sizeof(random));
    (void)base64url_encode(out, random, sizeof(random));
    out[ENGINEIO_SID_LEN] = '\0';
}

size_t session_write_open(const struct engineio *engine, const char *sid, bool upgrades,
                          char out[SESSION_OPEN_MAX])
{
    const struct engineio_open open = {.sid = notify_str_of(sid, ENGINEIO_SID_LEN),
                                       .upgrades = upgrades,
                                       .ping_interval_ms =
                                           (unsigned)engine->config.ping_interval_ms,
                                       .ping_timeout_ms = (unsigned)engine->config.ping_timeout_ms,
                                       .max_payload = engine->config.max_payload};

    _Static_assert(ENGINEIO_OPEN_MAX <= SESSION_OPEN_MAX, "an open packet must have room");
    return engineio_write_open(out, &open);
}

/* Life. */

struct session *session_new(struct engineio *engine, void *seed)
{
    struct session *session = calloc(1, sizeof(*session) + engine->config.handlers.upper_bytes);

    if (session == NULL) {
        if (seed != NULL)
            engine->config.handlers.on_forget(engine->config.ctx, seed);
        return NULL;
    }
    session->engine = engine;
    session->seed = seed;
    session->beat_at = short_time(session_now_ms(session) + engine->config.ping_interval_ms);
    return session;
}

void session_free(struct session *session)
{
    session_forget_seed(session);
    free(session);
}

void session_end(struct session *session, int code)
{
    session->closing = true;
    session->engine->config.handlers.on_closed(session, code);
    session_free(session);
}

bool session_missed(const struct session *session)
{
    return session->missed;
}

bool session_is_set_back(const struct session *session)
{
    return session->set_back;
}

void session_forget_seed(struct session *session)
{
    const struct engineio_config *config = &session->engine->config;

    if (session->seed != NULL)
        config->handlers.on_forget(config->ctx, session->seed);
    session->seed = NULL;
}

/* What comes. */

void session_violated(struct session *session, const char *why)
{
    log_debug("engineio_violated", "why", why);
    session_close(session, CONN_CLOSE_ABUSE, why, 0);
}

static void take_pong(struct session *session)
{
    session->awaits_pong = false;
    session->beat_at =
        short_time(session_now_ms(session) + session->engine->config.ping_interval_ms);
    session->carrier->plan(session);
}

/* Bytes that came as text, from a poll, or over a WebSocket that is told to. */
static void take_base64(struct session *session, struct notify_str data)
{
    uint8_t *bytes = malloc(ENGINEIO_BINARY_MAX(data.len) + 1);
    ssize_t len = bytes == NULL ? -1 : engineio_read_binary(bytes, data);

    if (len < 0)
        session_violated(session, "no base64");
    else
        session->engine->config.handlers.on_binary(session,
                                                   notify_str_of((char *)bytes, (size_t)len));
    free(bytes);
}

/* What a client may say; everything else ends its session. */
void session_take(struct session *session, struct notify_str text)
{
    struct engineio_packet packet;

    if (!engineio_read(text, &packet)) {
        session_violated(session, "unknown packet");
        return;
    }
    switch (packet.type) {
    case ENGINEIO_MESSAGE:
        session->engine->config.handlers.on_text(session, packet.data);
        break;
    case ENGINEIO_BINARY:
        take_base64(session, packet.data);
        break;
    case ENGINEIO_PONG:
        take_pong(session);
        break;
    case ENGINEIO_CLOSE:
        session_close(session, CONN_CLOSE_NORMAL, "", 0);
        break;
    case ENGINEIO_PING:
        session_violated(session, "pings are the server's");
        break;
    case ENGINEIO_OPEN:
    case ENGINEIO_UPGRADE:
    case ENGINEIO_NOOP:
        break;
    }
}

/* Time. */

uint64_t session_now_ms(const struct session *session)
{
    return loop_now_ms(session->engine->config.loop);
}

uint64_t session_due_ms(const struct session *session, uint64_t now_ms)
{
    uint64_t due_ms = short_time_ms(session->beat_at, now_ms);
    uint64_t alarm_ms = session->has_alarm ? short_time_ms(session->alarm_at, now_ms) : due_ms;

    return alarm_ms < due_ms ? alarm_ms : due_ms;
}

void session_check_alarm(struct session *session)
{
    uint64_t now_ms = session_now_ms(session);

    if (!session->has_alarm || now_ms < short_time_ms(session->alarm_at, now_ms))
        return;
    session->has_alarm = false;
    session->engine->config.handlers.on_alarm(session);
}

void session_set_alarm(struct session *session, uint64_t after_ms)
{
    session->has_alarm = after_ms != UINT64_MAX;
    if (session->has_alarm)
        session->alarm_at = short_time(session_now_ms(session) + after_ms);
    session->carrier->plan(session);
}

/* For who is above. */

void *session_upper(struct session *session)
{
    return session->upper;
}

void *session_ctx(const struct session *session)
{
    return session->engine->config.ctx;
}

void *session_seed(const struct session *session)
{
    return session->seed;
}

struct conn *session_conn(const struct session *session)
{
    return session->ws;
}

struct address *session_address(const struct session *session)
{
    return session->carrier->address(session);
}

void session_limit_met(struct session *session, enum counter limit)
{
    if (session->ws != NULL)
        conn_limit_met(session->ws, limit);
    else
        address_limit_met(session_address(session), limit);
}

void session_say(struct session *session, size_t count, const struct notify_str *parts)
{
    session->carrier->say(session, count, parts);
}

void session_say_binary(struct session *session, struct notify_str bytes)
{
    session->carrier->say_binary(session, bytes);
}

enum conn_write session_relay(struct session *session, const void *frames, size_t len)
{
    return session->carrier->relay(session, frames, len);
}

void session_pause(struct session *session, bool paused)
{
    session->paused = paused;
    session->carrier->pause(session);
}

void session_hold(struct session *session, int change)
{
    if (session->carrier->hold != NULL)
        session->carrier->hold(session, change);
}

void session_close(struct session *session, int code, const char *reason, uint32_t retry_ms)
{
    if (session->closing)
        return;
    session->closing = true;
    session->carrier->close(session, code, reason, retry_ms);
}
