#include "socketio/session_ws.h"

#include <stdlib.h>

#include "base/loop.h"
#include "base/short_time.h"
#include "net/carried.h"
#include "socketio/backlog.h"
#include "wire/engineio_packet.h"
#include "wire/frame.h"
#include "wire/ws_frame.h"

#define OP_BINARY 0x82  /* and it is all of the message */
#define LEFT_AT_ONCE 64 /* packets in a turn, as of small frames (net/ws_conn.c) */

struct left_input {
    struct backlog backlog;
    bool deferred; /* it is looked at in the next turn */
};

/* What goes out. */

/* Behind whatever waits already: it cannot be left out. */
static void put(struct session *session, const void *bytes, size_t len)
{
    if (session->ws->state == CONN_OPEN)
        (void)conn_put_answer(session->ws, bytes, len); /* its death is told */
}

static void say(struct session *session, size_t count, const struct notify_str *parts)
{
    struct frame *frame = frame_new_ws(count, parts);

    if (frame == NULL)
        conn_end(session->ws);
    else
        put(session, frame->data, frame->len);
    (void)frame_unref(frame);
}

static void say_binary(struct session *session, struct notify_str bytes)
{
    uint8_t head[WS_FRAME_HEADER_MAX];
    size_t len = ws_frame_header(head, bytes.len);

    head[0] = OP_BINARY;
    put(session, head, len);
    put(session, bytes.ptr, bytes.len);
}

static enum conn_write relay(struct session *session, const void *frames, size_t len)
{
    return session->ws->state == CONN_OPEN ? conn_put(session->ws, frames, len) : CONN_DEAD;
}

/* The heartbeat. */

static void plan(struct session *session)
{
    uint64_t now_ms = session_now_ms(session), due_ms = session_due_ms(session, now_ms);

    conn_set_alarm(session->ws, due_ms > now_ms ? due_ms - now_ms : 0);
}

/* The silence of one that is busy or paused proves nothing: its pong is behind what it has not read
 * yet, or we do not hear it. Whoever wrote so much to it watches over it. Nor is one silent that
 * says something else. */
static bool is_silent(const struct session *session)
{
    return session->awaits_pong && session->ws->unanswered > 0 && !session->ws->busy &&
           !session->paused;
}

static void beat(struct session *session, uint64_t now_ms)
{
    static const struct notify_str ping = NOTIFY_STR_INIT("2");

    if (is_silent(session)) {
        session_limit_met(session, COUNTER_SOCKETIO_SILENT);
        conn_end(session->ws);
        return;
    }
    if (!session->awaits_pong)
        say(session, 1, &ping);
    session->awaits_pong = true;
    session->ws->unanswered = 1;
    session->beat_at = short_time(now_ms + session->engine->config.ping_timeout_ms);
}

static void on_beat(void *peer)
{
    struct session *session = peer;
    uint64_t now_ms = session_now_ms(session);

    session_check_alarm(session);
    if (session->ws->state == CONN_OPEN && now_ms >= short_time_ms(session->beat_at, now_ms))
        beat(session, now_ms);
    if (session->ws->state == CONN_OPEN)
        plan(session);
}

/* What had come before by POSTs. */

static bool takes_input(const struct session *session)
{
    return session->ws->state == CONN_OPEN && !session->ws->busy && !session->paused &&
           !session->closing;
}

static void feed(void *ctx);

/* Never within what makes it take input again. */
static void pause_input(struct session *session)
{
    struct left_input *left = session->left;

    conn_pause_input(session->ws, session->paused || left != NULL);
    if (left == NULL || left->deferred || !takes_input(session))
        return;
    left->deferred = true;
    loop_defer(session->engine->config.loop, feed, session);
}

static void forget_left(struct session *session)
{
    struct left_input *left = session->left;

    if (left == NULL)
        return;
    if (left->deferred)
        loop_undefer(session->engine->config.loop, feed, session);
    backlog_release(&left->backlog);
    free(left);
    session->left = NULL;
}

static void feed(void *ctx)
{
    struct session *session = ctx;
    struct left_input *left = session->left;
    struct notify_str packet;

    left->deferred = false;
    for (int i = 0; i < LEFT_AT_ONCE && takes_input(session); i++) {
        if (!backlog_next(&left->backlog, &packet)) {
            forget_left(session);
            break;
        }
        session_take(session, packet);
    }
    pause_input(session);
}

void session_ws_leave(struct session *session, size_t count, const struct notify_str *payloads)
{
    struct left_input *left = calloc(1, sizeof(*left));

    session->left = left;
    for (size_t i = 0; i < count && left != NULL; i++)
        backlog_add(&left->backlog, payloads[i]);
    if (left == NULL || left->backlog.payloads.failed)
        session_close(session, CONN_CLOSE_INTERNAL, "out of memory", 0);
    else
        pause_input(session);
}

/* What comes. */

static void on_message(void *peer, struct notify_str text)
{
    session_take(peer, text);
}

static void on_binary(void *peer, struct notify_str bytes)
{
    struct session *session = peer;

    session->engine->config.handlers.on_binary(session, bytes);
}

static void on_busy(void *peer)
{
    struct session *session = peer;

    if (session->engine->config.handlers.on_busy != NULL)
        session->engine->config.handlers.on_busy(session);
}

static void on_drained(void *peer)
{
    struct session *session = peer;

    session->engine->config.handlers.on_drained(session);
    pause_input(session);
}

static void on_closing(void *peer, int code)
{
    struct session *session = peer;

    session->closing = true;
    session->engine->config.handlers.on_closing(session, code);
}

static void on_closed(void *peer, int code)
{
    forget_left(peer);
    session_end(peer, code);
}

void session_ws_define(struct engineio *engine)
{
    engine->ws = (struct peer_handlers){.on_message = on_message,
                                        .on_binary = on_binary,
                                        .on_busy = on_busy,
                                        .on_drained = on_drained,
                                        .on_beat = on_beat,
                                        .on_closing = on_closing,
                                        .on_closed = on_closed,
                                        .max_message_bytes = engine->config.max_payload,
                                        .beats_itself = true};
}

static void close_it(struct session *session, int code, const char *reason, uint32_t retry_ms)
{
    conn_close_until(session->ws, code, reason, retry_ms);
}

static struct address *address_of(const struct session *session)
{
    return session->ws->address;
}

static const struct session_carrier carrier = {.plan = plan,
                                               .address = address_of,
                                               .say = say,
                                               .say_binary = say_binary,
                                               .relay = relay,
                                               .pause = pause_input,
                                               .close = close_it};

void session_ws_begin(struct session *session, struct conn *conn)
{
    session->carrier = &carrier;
    session->ws = conn;
    conn_set_peer(conn, &session->engine->ws, session);
    plan(session);
}

void session_ws_open(struct engineio *engine, struct conn *conn, void *seed)
{
    static const struct notify_str none = {NULL, 0};
    struct session *session = session_new(engine, seed);
    char sid[ENGINEIO_SID_LEN + 1], open[SESSION_OPEN_MAX];
    struct notify_str text = {open, 0};

    if (session == NULL) {
        conn_close(conn, CONN_CLOSE_INTERNAL, "out of memory");
        return;
    }
    session_ws_begin(session, conn);
    session_make_sid(sid);
    text.len = session_write_open(engine, sid, false, open);
    say(session, 1, &text);
    if (!engine->config.handlers.on_open(session, none))
        session_close(session, CONN_CLOSE_INTERNAL, "out of memory", 0);
}
