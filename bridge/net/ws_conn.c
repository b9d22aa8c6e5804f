/* ws_conn -- WebSocket connections after the opening handshake: input, output, heartbeat and the
 * closing handshake (RFC 6455).
 *
 * Frames go out as they come from above, straight to the socket where that has room; frames come in
 * through ws_reader.
 *
 *     OPEN --conn_close(), fault--> CLOSING --Close from the peer--> LINGERING --end--> ENDED
 *       \------------- Close from the peer (answered) --------------->/
 *
 * ENDED may follow any state when the socket breaks or a deadline passes; on_closed comes soon
 * after. */
#include "net/ws_conn.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "base/heartbeat.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/short_time.h"
#include "base/small.h"
#include "net/addresses.h"
#include "net/carrier.h"
#include "net/conn_base.h"
#include "net/stream.h"
#include "net/ws_answer.h"
#include "wire/ws_reader.h"

#define CODE_NONE_GIVEN 1005
#define MAX_REASON_BYTES 123
#define UNANSWERED_PINGS 2 /* and one more interval: the peer is dead */
/* What a connection may have handled in one turn of the loop; the rest waits for the next one, so
 * that nobody waits longer for somebody else than that takes. A unit stands for about half a
 * microsecond: to look at a frame, to carry 1 KiB. */
#define TURN_UNITS 64
#define TEXT_UNITS 8
#define BYTES_PER_UNIT 1024
#define CONTROL_PERIOD_MS 10000 /* of max_control_frames */

/* One per connection: keep it small. */
struct ws_conn {
    struct conn conn;    /* first */
    uint32_t heard_at;   /* when the last frame came from the peer (short_time), */
    uint32_t ping_at;    /* and when the next ping is due */
    uint64_t control_us; /* loop clock at which its allowance for control frames is whole again */
    union {
        struct ws_answer *answer; /* owned; until it has been said (CONN_NOT_BEGUN); then */
        struct ws_reader *reader; /* owned; in the middle of a message; or NULL */
    };
};

static struct ws_conn *ws_of(struct conn *conn)
{
    return (struct ws_conn *)conn;
}

static const uint8_t ping_frame[] = {0x89, 0x00};

static bool wants_input(const struct conn *conn)
{
    return !conn->choked && (!conn->paused || conn->state != CONN_OPEN) &&
           conn->state != CONN_ENDED;
}

static void update_input(struct conn *conn)
{
    if (!conn->reading) /* it comes back here */
        stream_want_input(conn->stream, wants_input(conn) && !conn->resuming);
}

/* The reader of a connection is with the transport while its input is handled. Nearly all are at
 * the beginning of a message then, and nothing of them is kept. */
static void take_reader(struct conn *conn)
{
    static const struct ws_reader fresh;
    struct ws_conn *ws = ws_of(conn);

    conn->transport->reader = ws->reader == NULL ? fresh : *ws->reader;
    conn->transport->reader.takes_binary = conn->peer != NULL && conn->handlers->on_binary != NULL;
    conn->transport->reader.inflates = conn->deflates;
    free(ws->reader);
    ws->reader = NULL;
}

static size_t take_kept(struct conn *conn)
{
    take_reader(conn);
    return ws_reader_restore(&conn->transport->reader, conn->transport->input);
}

static bool has_kept(struct conn *conn)
{
    const struct ws_reader *reader = conn->framing == CONN_NOT_BEGUN ? NULL : ws_of(conn)->reader;

    return reader != NULL && ws_reader_kept(reader) > 0;
}

/* in: what has not been looked at. 0 or -ENOMEM. */
static int keep_reader(struct conn *conn, const struct ws_input *in)
{
    struct ws_reader *reader = &conn->transport->reader, *kept = NULL;

    if (ws_reader_keep(reader, in) != 0)
        goto fail;
    if (ws_reader_is_idle(reader))
        return 0;
    kept = malloc(sizeof(*kept));
    if (kept == NULL)
        goto fail;
    *kept = *reader;
    ws_of(conn)->reader = kept;
    *reader = (struct ws_reader){0}; /* it is not with the transport any more */
    return 0;

fail:
    ws_reader_release(reader);
    return -ENOMEM;
}

/* Output. */

static void begin(struct conn *conn)
{
    struct ws_answer *answer = ws_of(conn)->answer;

    conn->framing = CONN_BARE;
    ws_of(conn)->reader = NULL;
    (void)conn_put(conn, answer->bytes, answer->len); /* its death is seen by the caller */
    ws_answer_free(answer);
}

void conn_hold_answer(struct conn *conn)
{
    if (conn->kind == CONN_WEBSOCKET && conn->framing == CONN_NOT_BEGUN)
        ws_answer_hold(ws_of(conn)->answer);
}

/* What is answered may go out behind a remainder. But then no more input is taken until that has
 * gone: a peer that sends pings and does not read must not fill our memory. */
enum conn_write conn_put_answer(struct conn *conn, const void *bytes, size_t len)
{
    enum conn_write ret = conn_put(conn, bytes, len);

    if (ret == CONN_BUSY && conn->state == CONN_OPEN) {
        conn->choked = true;
        update_input(conn);
    }
    return ret;
}

static enum conn_write write_control(struct conn *conn, uint8_t opcode, const void *payload,
                                     size_t len)
{
    uint8_t frame[2 + 125];

    assert(len <= 125);
    frame[0] = 0x80 | opcode;
    frame[1] = (uint8_t)len;
    if (len > 0)
        memcpy(frame + 2, payload, len);
    return conn_put_answer(conn, frame, 2 + len);
}

/* Closing. */

static void send_close(struct conn *conn, int code, const char *reason, size_t reason_len)
{
    uint8_t payload[2 + MAX_REASON_BYTES] = {(uint8_t)(code >> 8), (uint8_t)code};

    if (reason_len > MAX_REASON_BYTES)
        reason_len = MAX_REASON_BYTES;
    if (reason_len > 0)
        memcpy(payload + 2, reason, reason_len);
    (void)write_control(conn, 0x8, payload, code == CODE_NONE_GIVEN ? 0 : 2 + reason_len);
}

static void tell_closing(struct conn *conn)
{
    if (conn->peer != NULL && conn->handlers->on_closing != NULL)
        conn->handlers->on_closing(conn->peer, conn->code);
}

static void close_it(struct conn *conn, int code, const char *reason, uint32_t retry_ms)
{
    char text[MAX_REASON_BYTES + 1] = "";

    conn->state = CONN_CLOSING;
    conn->choked = false;
    if (retry_ms > 0)
        (void)snprintf(text, sizeof(text), "%s, come back after ms: %u", reason, retry_ms);
    else if (reason != NULL)
        (void)snprintf(text, sizeof(text), "%s", reason);
    send_close(conn, code, text, strlen(text));
    tell_closing(conn);
    if (conn->state == CONN_ENDED)
        return;
    conn_set_beat(conn, CARRIER_CLOSE_MS);
    update_input(conn); /* to see the peer's Close, also when paused */
}

/* Both sides have said Close. Ours ends TCP first (RFC 6455, 7.1.1), but closing a socket with
 * input in it would send a reset that may overtake our last frames: so only our half, at first. */
static void linger(struct conn *conn)
{
    conn->state = CONN_LINGERING;
    conn_set_beat(conn, CARRIER_LINGER_SECS * UINT64_C(1000));
    update_input(conn);
    if (conn_flush(conn) != CONN_DEAD)
        stream_end_output(conn->stream); /* once all is out */
}

static void on_peer_close(struct conn *conn, const struct ws_item *item)
{
    if (conn->state == CONN_OPEN) {
        conn->state = CONN_CLOSING;
        conn->code = (uint16_t)item->code;
        send_close(conn, item->code, NULL, 0);
        tell_closing(conn);
    }
    if (conn->state != CONN_ENDED)
        linger(conn);
}

/* Input. */

/* After a protocol error what follows cannot be understood: only the end of the stream counts. */
static void on_fault(struct conn *conn, const struct ws_item *item)
{
    log_debug("ws_fault", "code", log_int(item->code), "reason", item->data);
    if (item->code == CONN_CLOSE_TOO_BIG)
        conn_limit_met(conn, COUNTER_MESSAGES_TOO_BIG);
    if (item->code == CONN_CLOSE_POLICY)
        conn_limit_met(conn, COUNTER_MESSAGE_BLOCKS);
    if (conn->state == CONN_OPEN)
        conn_close(conn, item->code, item->data);
    if (conn->state == CONN_CLOSING)
        linger(conn);
}

/* Frames that carry nothing: a well-behaved peer sends few, and none of them waits for an answer
 * that would pace it. False: it has sent more than it may. */
static bool may_send_control(struct conn *conn)
{
    const uint64_t whole_us = CONTROL_PERIOD_MS * UINT64_C(1000);
    uint64_t now_us = loop_now_ms(conn->transport->loop) * 1000;
    uint64_t at_us = ws_of(conn)->control_us > now_us ? ws_of(conn)->control_us : now_us;

    at_us += whole_us / conn->transport->config.max_control_frames;
    if (at_us - now_us > whole_us)
        return false;
    ws_of(conn)->control_us = at_us;
    return true;
}

static void count_control(struct conn *conn)
{
    if (conn->state != CONN_OPEN || may_send_control(conn))
        return;
    conn_limit_met(conn, COUNTER_CONTROL_FLOODS);
    conn_close(conn, CONN_CLOSE_ABUSE, "too many control frames");
}

static void handle_item(struct conn *conn, enum ws_item_kind kind, const struct ws_item *item)
{
    if (kind == WS_PING || kind == WS_PONG || (kind == WS_PART && item->len == 0))
        count_control(conn);
    switch (kind) {
    case WS_TEXT:
        if (conn->state == CONN_OPEN && conn->peer != NULL)
            conn->handlers->on_message(conn->peer, notify_str_of(item->data, item->len));
        break;
    case WS_BINARY: /* of one that takes it */
        if (conn->state == CONN_OPEN && conn->peer != NULL)
            conn->handlers->on_binary(conn->peer, notify_str_of(item->data, item->len));
        break;
    case WS_PING:
        if (conn->state == CONN_OPEN)
            (void)write_control(conn, 0xA, item->data, item->len); /* its death is seen below */
        break;
    case WS_CLOSE:
        on_peer_close(conn, item);
        break;
    case WS_ERROR:
        on_fault(conn, item);
        break;
    case WS_PART:
    case WS_PONG:
    case WS_MORE:
        break;
    }
}

static size_t max_message_bytes(const struct conn *conn)
{
    size_t own = conn->peer == NULL ? 0 : conn->handlers->max_message_bytes;

    return own > 0 ? own : conn->transport->config.max_message_bytes;
}

/* What a message has been inflated to comes out of a few bytes: nothing else bounds how much of it
 * one read brings. */
static unsigned units_of(const struct conn *conn, enum ws_item_kind kind,
                         const struct ws_item *item)
{
    if (kind != WS_TEXT && kind != WS_BINARY)
        return 1;
    return TEXT_UNITS + (conn->deflates ? (unsigned)(item->len / BYTES_PER_UNIT) : 0);
}

/* Handles items until there is no whole one, or input is stopped, or the turn is over. */
static enum ws_item_kind handle_items(struct conn *conn, struct ws_input *in)
{
    struct transport *transport = conn->transport;
    enum ws_item_kind kind = WS_PART;
    struct ws_item item;

    transport->spent = 0;
    while (conn->state < CONN_LINGERING && wants_input(conn) && transport->spent < TURN_UNITS) {
        kind = ws_reader_next(&transport->reader, max_message_bytes(conn), in, &item);
        if (kind == WS_MORE)
            break;
        transport->spent += units_of(conn, kind, &item);
        handle_item(conn, kind, &item);
    }
    return kind;
}

static void on_resume(void *ctx);

static void resume_input(struct conn *conn)
{
    if (!conn->reading && !conn->resuming && has_kept(conn)) {
        conn->resuming = true;
        loop_defer(conn->transport->loop, on_resume, conn);
    }
    update_input(conn);
}

static void handle_input(struct conn *conn, struct ws_input *in)
{
    enum ws_item_kind last;

    conn->reading = true;
    conn->transport->gathers = conn->stream;
    last = handle_items(conn, in);
    conn->transport->gathers = NULL;
    conn->reading = false;
    if (conn->state != CONN_ENDED)
        (void)conn_flush(conn); /* its death is seen below */
    conn->transport->gathered = 0;
    update_input(conn);
    if (conn->state >= CONN_LINGERING) /* data after Close is ignored (RFC 6455, 5.5.1) */
        ws_reader_release(&conn->transport->reader);
    else if (keep_reader(conn, in) != 0)
        conn_close(conn, CONN_CLOSE_INTERNAL, "out of memory");
    else if (last != WS_MORE && wants_input(conn))
        resume_input(conn);
}

/* Reads once: the kernel says again when there is more, after the others had their turn. Nothing is
 * read as long as more than enough is kept. -1: the stream is at its end or broken. */
static ssize_t read_stream(const struct conn *conn, uint8_t *buf, size_t kept)
{
    if (kept >= CARRIER_READ_BYTES)
        return 0;
    return stream_read(conn->stream, buf + kept, CARRIER_READ_BYTES);
}

static void on_input(void *owner)
{
    struct conn *conn = owner;
    struct transport *transport = conn->transport;
    struct ws_input in = {.ptr = transport->input};
    size_t kept;
    ssize_t n;

    conn_say_first(conn);
    if (conn->state == CONN_ENDED)
        return;
    kept = take_kept(conn);
    n = read_stream(conn, transport->input, kept);
    in.end = in.ptr + kept + (n > 0 ? n : 0);
    if (n < 0) {
        ws_reader_release(&transport->reader);
        conn_end(conn);
        return;
    }
    if (n > 0) {
        ws_of(conn)->heard_at = short_time(loop_now_ms(transport->loop));
        conn->unanswered = 0;
    }
    handle_input(conn, &in);
}

/* Looks at what was kept when input was stopped in the middle of a buffer. */
static void on_resume(void *ctx)
{
    struct conn *conn = ctx;
    struct ws_input in;

    conn->resuming = false;
    if (conn->stream == NULL) { /* closed meanwhile: only this call was still to come */
        small_give(ws_of(conn), sizeof(struct ws_conn));
        return;
    }
    if (wants_input(conn) && has_kept(conn)) {
        in.ptr = conn->transport->input;
        in.end = in.ptr + take_kept(conn);
        handle_input(conn, &in);
    }
    update_input(conn);
}

static void want_input(struct conn *conn)
{
    if (conn->paused) {
        update_input(conn);
        return;
    }
    ws_of(conn)->heard_at =
        short_time(loop_now_ms(conn->transport->loop)); /* what it said meanwhile is unread */
    resume_input(conn);
}

/* The heartbeat. */

static void plan_beat(struct conn *conn, uint64_t now_ms)
{
    const struct transport_config *config = &conn->transport->config;
    const struct ws_conn *ws = ws_of(conn);
    uint64_t due_ms = config->heartbeat_ms > 0 ? short_time_ms(ws->ping_at, now_ms) : UINT64_MAX;
    uint64_t idle_ms = short_time_ms(ws->heard_at, now_ms) + config->idle_timeout_ms;

    if (config->idle_timeout_ms > 0 && idle_ms < due_ms)
        due_ms = idle_ms;
    if (due_ms != UINT64_MAX)
        conn_set_beat(conn, due_ms > now_ms ? due_ms - now_ms : 0);
}

/* A busy connection gets no ping, and its silence proves nothing: the pongs to come are behind what
 * it has not yet read. Whoever wrote so much to it watches over it. Nor do we hear a paused one. */
static void ping(struct conn *conn, uint64_t now_ms)
{
    ws_of(conn)->ping_at = short_time(now_ms + conn->transport->config.heartbeat_ms);
    if (conn->busy || conn->paused)
        return;
    if (conn->unanswered >= UNANSWERED_PINGS) {
        log_debug("ws_dead", "silent_ms",
                  log_int((int64_t)(now_ms - short_time_ms(ws_of(conn)->heard_at, now_ms))));
        conn_end(conn);
        return;
    }
    conn->unanswered++;
    conn_say_first(conn);
    (void)conn_write_raw(conn, ping_frame,
                         sizeof(ping_frame)); /* its death is seen by the caller */
}

static bool beats_itself(const struct conn *conn)
{
    return conn->peer != NULL && conn->handlers->beats_itself;
}

static void beat(struct conn *conn)
{
    const struct transport_config *config = &conn->transport->config;
    uint64_t now_ms = loop_now_ms(conn->transport->loop);

    if (conn->state != CONN_OPEN) { /* the peer had its time to close */
        conn_end(conn);
        return;
    }
    if (beats_itself(conn)) {
        if (conn->handlers->on_beat != NULL)
            conn->handlers->on_beat(conn->peer);
        return;
    }
    if (config->idle_timeout_ms > 0 && conn->paused)
        ws_of(conn)->heard_at = short_time(now_ms);
    if (config->idle_timeout_ms > 0 &&
        now_ms >= short_time_ms(ws_of(conn)->heard_at, now_ms) + config->idle_timeout_ms) {
        conn_limit_met(conn, COUNTER_IDLE);
        conn_close(conn, CONN_CLOSE_IDLE, "idle");
        return;
    }
    if (config->heartbeat_ms > 0 && now_ms >= short_time_ms(ws_of(conn)->ping_at, now_ms))
        ping(conn, now_ms);
    if (conn->state == CONN_OPEN)
        plan_beat(conn, now_ms);
}

static void release(struct conn *conn)
{
    if (conn->framing == CONN_NOT_BEGUN) {
        ws_answer_free(ws_of(conn)->answer);
    } else {
        take_reader(conn);
        ws_reader_release(&conn->transport->reader);
    }
    if (!conn->resuming)
        small_give(ws_of(conn), sizeof(struct ws_conn));
}

static void stuck(struct conn *conn)
{
    if (conn->peer != NULL && conn->handlers->on_busy != NULL)
        conn->handlers->on_busy(conn->peer);
}

const struct conn_kind conn_kind_websocket = {.close = close_it,
                                              .beat = beat,
                                              .want_input = want_input,
                                              .begin = begin,
                                              .stuck = stuck,
                                              .release = release};

/* Opening. */

static void on_drained(void *owner)
{
    struct conn *conn = owner;

    conn->busy = false;
    if (conn->choked && conn->state == CONN_OPEN) {
        conn->choked = false;
        resume_input(conn);
    }
    conn_drained(conn);
}

static const struct stream_handlers handlers = {on_input, on_drained};

static struct conn *conn_new(struct transport *transport, struct stream *stream,
                             const struct ws_opening *opening, struct notify_str answer)
{
    struct ws_conn *ws = small_take(sizeof(*ws));
    uint64_t now_ms = loop_now_ms(transport->loop);

    if (ws == NULL)
        return NULL;
    ws->answer = ws_answer_new(&ws->conn, answer.ptr, answer.len);
    if (ws->answer == NULL) {
        small_give(ws, sizeof(*ws));
        return NULL;
    }
    ws->conn.kind = CONN_WEBSOCKET;
    ws->conn.deflates = opening->deflates;
    ws->conn.framing = CONN_NOT_BEGUN;
    conn_begin(&ws->conn, transport, stream, &handlers, opening->address);
    ws->heard_at = short_time(now_ms);
    /* When ten thousand clients connect in the same second, as they do after a restart, their pings
     * must not all be due in the same one: each would hold up everything else for as long as it
     * takes to send and to answer them all. */
    ws->ping_at =
        (uint32_t)(now_ms + heartbeat_spread(transport->opened, transport->config.heartbeat_ms));
    plan_beat(&ws->conn, now_ms);
    return &ws->conn;
}

/* What came right behind the opening handshake waits for the next turn: the answer comes first. */
static void keep_input(struct conn *conn, const struct ws_opening *opening)
{
    struct ws_input in = {conn->transport->input, conn->transport->input + opening->input_len};

    if (opening->input_len == 0)
        return;
    conn_say_first(conn);
    memcpy(in.ptr, opening->input, opening->input_len);
    if (keep_reader(conn, &in) != 0)
        conn_close(conn, CONN_CLOSE_INTERNAL, "out of memory");
}

void ws_conn_open(struct transport *transport, struct stream *stream,
                  const struct ws_opening *opening, struct notify_str answer)
{
    const struct transport_config *config = &transport->config;
    struct conn *conn = conn_new(transport, stream, opening, answer);

    if (conn == NULL) {
        config->ws.on_unopened(config->ctx, opening->accept.arrival);
        address_release(opening->address);
        stream_free(stream);
        return;
    }
    if (address_is_crowded(conn->address, 0)) {
        config->ws.on_unopened(config->ctx, opening->accept.arrival);
        conn_limit_met(conn, COUNTER_ADDRESS_CONNECTIONS);
        conn_close(conn, CONN_CLOSE_TOO_MANY, "too many connections from this address");
        return;
    }
    keep_input(conn, opening);
    config->ws.on_open(config->ctx, conn, opening->req, opening->accept.arrival);
    if (conn->peer == NULL)
        conn_close(conn, CONN_CLOSE_INTERNAL, "refused");
    if (conn->framing == CONN_NOT_BEGUN && !ws_of(conn)->answer->held)
        conn_say_first(conn);
    if (conn->state != CONN_ENDED)
        resume_input(conn);
}
