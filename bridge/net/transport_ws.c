/* transport_ws -- WebSocket connections: the upgrade, input, output, heartbeat and the closing
 * handshake (RFC 6455).
 *
 * Of libwebsockets it uses the handshake, the socket and its output buffer. Frames go out as they
 * come from above, with LWS_WRITE_RAW, which sends at once from anywhere on the loop and buffers
 * only what the socket does not take; frames come in through ws_reader. Nothing else may be written
 * with lws' framing, nor may lws send a frame of its own.
 *
 *     OPEN --conn_close(), fault--> CLOSING --Close from the peer--> LINGERING --end--> DEAD
 *       \------------- Close from the peer (answered) --------------->/
 *
 * DEAD may follow any state when the socket breaks or a deadline passes; on_closed comes soon
 * after. */
#include "net/transport_private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/heartbeat.h"
#include "base/log.h"
#include "base/loop.h"
#include "net/loop_lws.h"

#define CODE_NONE_GIVEN 1005
#define MAX_REASON_BYTES 123
#define UNANSWERED_PINGS 2 /* and one more interval: the peer is dead */
#define ENDED_AT_ONCE 64   /* connections that are taken down in one turn of the loop */
/* What a connection may have handled in one turn of the loop; the rest waits for the next one, so
 * that nobody waits longer for somebody else than that takes. A unit stands for about half a
 * microsecond: to look at a frame, to carry 1 KiB. */
#define TURN_UNITS 64
#define TEXT_UNITS 8
#define BYTES_PER_UNIT 1024
#define CONTROL_PERIOD_MS 10000 /* of max_control_frames */
#define KEY_CHARS 24            /* 16 bytes in base64 */

enum conn_state { CONN_OPEN, CONN_CLOSING, CONN_LINGERING, CONN_ENDED };

/* One per connection: keep it small, and what conn_write() looks at together. */
struct conn {
    struct lws *wsi;
    struct transport *transport;
    void *peer;
    int fd;              /* for sending past lws; -1: TLS, only lws can */
    uint16_t code;       /* what on_closed will tell */
    uint8_t state;       /* enum conn_state */
    uint8_t unanswered;  /* pings since the peer was last heard */
    bool busy;           /* lws holds a remainder */
    bool paused;         /* by conn_pause_input() */
    bool choked;         /* input rests until the socket has drained: a pong is waiting in it */
    bool reading;        /* in handle_input(): what is kept will be looked at there */
    bool resuming;       /* a deferred on_resume() is on its way; nothing is read until then */
    bool ended_queued;   /* in transport->ended */
    uint64_t heard_ms;   /* when the last frame came from the peer */
    uint64_t ping_ms;    /* when the next ping is due */
    uint64_t control_us; /* loop clock at which its allowance for control frames is whole again */
    union {
        struct heartbeat_node beat;   /* the next ping, or the deadline of closing */
        TAILQ_ENTRY(conn) ended_link; /* while ended_queued */
    };
    struct ws_reader reader;
};

static const uint8_t ping_frame[] = {0x89, 0x00};

static struct conn *conn_of(struct lws *wsi)
{
    return lws_get_opaque_user_data(wsi);
}

static bool wants_input(const struct conn *conn)
{
    return !conn->choked && (!conn->paused || conn->state != CONN_OPEN) &&
           conn->state != CONN_ENDED;
}

static void update_input(struct conn *conn)
{
    loop_lws_want_input(conn->transport->glue, conn->wsi, wants_input(conn) && !conn->resuming);
}

/* on_closed follows from lws in one of the next turns of the loop: when ten thousand connections
 * break at once, as those behind a proxy do, taking them all down in one turn would hold up the
 * others for 98 ms. */
static void end(struct conn *conn)
{
    struct transport *transport = conn->transport;

    if (conn->state == CONN_ENDED)
        return;
    conn->state = CONN_ENDED;
    update_input(conn);
    heartbeat_cancel(transport->heartbeat, &conn->beat);
    if (TAILQ_EMPTY(&transport->ended))
        loop_timer_set(transport->ended_timer, 0);
    TAILQ_INSERT_TAIL(&transport->ended, conn, ended_link);
    conn->ended_queued = true;
}

static void unqueue_ended(struct conn *conn)
{
    if (!conn->ended_queued)
        return;
    TAILQ_REMOVE(&conn->transport->ended, conn, ended_link);
    conn->ended_queued = false;
    conn->beat = (struct heartbeat_node){0}; /* not set */
}

void transport_ws_end_some(void *ctx)
{
    struct transport *transport = ctx;
    struct conn *conn;

    for (int i = 0; i < ENDED_AT_ONCE && (conn = TAILQ_FIRST(&transport->ended)) != NULL; i++) {
        unqueue_ended(conn);
        transport_kill(transport, conn->wsi);
    }
    if (!TAILQ_EMPTY(&transport->ended))
        loop_timer_set(transport->ended_timer, 0);
}

/* Output. */

/* Sends what the socket takes: the length, 0 if nothing, -1 if it is broken. Straight to the kernel
 * when nothing is before it: lws_write() costs 0.6 us more, most of it cache misses, on connections
 * that were idle. */
static ssize_t send_directly(struct conn *conn, const void *bytes, size_t len)
{
    ssize_t n;

    if (conn->busy || conn->fd < 0)
        return 0;
    n = send(conn->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    return n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS) ? 0 : n;
}

static enum conn_write write_raw(struct conn *conn, const void *bytes, size_t len)
{
    ssize_t sent = send_directly(conn, bytes, len);

    if (sent == (ssize_t)len)
        return CONN_SENT;
    /* lws does not change what it sends raw; its parameter is not const for other modes' sake. */
    if (sent < 0 || lws_write(conn->wsi, (unsigned char *)bytes + sent, len - (size_t)sent,
                              LWS_WRITE_RAW) < 0) {
        end(conn);
        return CONN_DEAD;
    }
    if (!lws_partial_buffered(conn->wsi))
        return CONN_SENT;
    conn->busy = true;
    (void)lws_callback_on_writable(conn->wsi); /* fails only for a dead connection */
    return CONN_BUSY;
}

static enum conn_write flush_gathered(struct conn *conn)
{
    struct transport *transport = conn->transport;
    size_t len = transport->gathered;

    transport->gathered = 0;
    return len == 0 ? CONN_SENT : write_raw(conn, transport->gather, len);
}

/* While a connection's input is handled, all that goes to it because of that leaves in one write,
 * at the end: pongs and answers cost a peer less to ask for than us to send one by one. */
static enum conn_write put(struct conn *conn, const void *bytes, size_t len)
{
    struct transport *transport = conn->transport;

    if (!conn->reading)
        return write_raw(conn, bytes, len);
    transport->spent += (unsigned)(len / BYTES_PER_UNIT);
    if (len > sizeof(transport->gather) - transport->gathered) {
        enum conn_write ret = flush_gathered(conn);
        if (ret != CONN_SENT || len > sizeof(transport->gather))
            return ret == CONN_DEAD ? CONN_DEAD : write_raw(conn, bytes, len);
    }
    memcpy(transport->gather + transport->gathered, bytes, len);
    transport->gathered += len;
    return conn->busy ? CONN_BUSY : CONN_SENT;
}

enum conn_write conn_write(struct conn *conn, const void *frames, size_t len)
{
    if (conn->state != CONN_OPEN)
        return CONN_DEAD;
    assert(!conn->busy);
    return put(conn, frames, len);
}

void conn_prefetch(const struct conn *conn)
{
    __builtin_prefetch(conn, 1);
}

bool conn_is_busy(const struct conn *conn)
{
    return conn->busy;
}

/* A control frame may go out behind a remainder. But then no more input is taken until that has
 * gone: a peer that sends pings and does not read must not fill our memory. */
static enum conn_write write_control(struct conn *conn, uint8_t opcode, const void *payload,
                                     size_t len)
{
    uint8_t frame[2 + 125];
    enum conn_write ret;

    assert(len <= 125);
    frame[0] = 0x80 | opcode;
    frame[1] = (uint8_t)len;
    if (len > 0)
        memcpy(frame + 2, payload, len);
    ret = put(conn, frame, 2 + len);
    if (ret == CONN_BUSY && conn->state == CONN_OPEN) {
        conn->choked = true;
        update_input(conn);
    }
    return ret;
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

void conn_close(struct conn *conn, int code, const char *reason)
{
    if (conn->state != CONN_OPEN)
        return;
    conn->state = CONN_CLOSING;
    conn->code = (uint16_t)code;
    conn->choked = false;
    send_close(conn, code, reason, reason == NULL ? 0 : strlen(reason));
    if (conn->state == CONN_ENDED)
        return;
    heartbeat_set(conn->transport->heartbeat, &conn->beat, TRANSPORT_CLOSE_MS);
    update_input(conn); /* to see the peer's Close, also when paused */
}

/* Both sides have said Close. Ours ends TCP first (RFC 6455, 7.1.1), but closing a socket with
 * input in it would send a reset that may overtake our last frames: so only our half, at first. */
static void linger(struct conn *conn)
{
    conn->state = CONN_LINGERING;
    heartbeat_set(conn->transport->heartbeat, &conn->beat, TRANSPORT_LINGER_SECS * UINT64_C(1000));
    update_input(conn);
    if (flush_gathered(conn) == CONN_SENT && !conn->busy)
        (void)shutdown(lws_get_socket_fd(conn->wsi), SHUT_WR); /* fails only if it is gone */
}

static void on_peer_close(struct conn *conn, const struct ws_item *item)
{
    if (conn->state == CONN_OPEN) {
        conn->state = CONN_CLOSING;
        conn->code = (uint16_t)item->code;
        send_close(conn, item->code, NULL, 0);
    }
    if (conn->state != CONN_ENDED)
        linger(conn);
}

/* Input. */

/* After a protocol error what follows cannot be understood: only the end of the stream counts. */
static void on_fault(struct conn *conn, const struct ws_item *item)
{
    log_debug("ws_fault", "code", log_int(item->code), "reason", item->data);
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
    uint64_t at_us = conn->control_us > now_us ? conn->control_us : now_us;

    at_us += whole_us / conn->transport->config.max_control_frames;
    if (at_us - now_us > whole_us)
        return false;
    conn->control_us = at_us;
    return true;
}

static void count_control(struct conn *conn)
{
    if (conn->state != CONN_OPEN || may_send_control(conn))
        return;
    conn->transport->stats.control_floods++;
    conn_close(conn, CONN_CLOSE_ABUSE, "too many control frames");
}

static void handle_item(struct conn *conn, enum ws_item_kind kind, const struct ws_item *item)
{
    if (kind == WS_PING || kind == WS_PONG || (kind == WS_PART && item->len == 0))
        count_control(conn);
    switch (kind) {
    case WS_TEXT:
        if (conn->state == CONN_OPEN)
            conn->transport->config.ws.on_message(conn->peer, item->data, item->len);
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

/* Handles items until there is no whole one, or input is stopped, or the turn is over. */
static enum ws_item_kind handle_items(struct conn *conn, struct ws_input *in)
{
    struct transport *transport = conn->transport;
    enum ws_item_kind kind = WS_PART;
    struct ws_item item;

    transport->spent = 0;
    while (conn->state < CONN_LINGERING && wants_input(conn) && transport->spent < TURN_UNITS) {
        kind = ws_reader_next(&conn->reader, transport->config.max_message_bytes, in, &item);
        if (kind == WS_MORE)
            break;
        transport->spent += kind == WS_TEXT ? TEXT_UNITS : 1;
        handle_item(conn, kind, &item);
    }
    return kind;
}

static void on_resume(void *ctx);

static void resume_input(struct conn *conn)
{
    if (!conn->reading && !conn->resuming && ws_reader_kept(&conn->reader) > 0) {
        conn->resuming = true;
        loop_defer(conn->transport->loop, on_resume, conn);
    }
    update_input(conn);
}

static void handle_input(struct conn *conn, struct ws_input *in)
{
    enum ws_item_kind last;

    conn->reading = true;
    last = handle_items(conn, in);
    conn->reading = false;
    if (conn->state != CONN_ENDED)
        (void)flush_gathered(conn); /* its death is seen below */
    conn->transport->gathered = 0;
    if (conn->state >= CONN_LINGERING)
        return; /* data after Close is ignored (RFC 6455, 5.5.1) */
    if (ws_reader_keep(&conn->reader, in) != 0)
        conn_close(conn, CONN_CLOSE_INTERNAL, "out of memory");
    else if (last != WS_MORE && wants_input(conn))
        resume_input(conn);
}

/* Reads once: the kernel says again when there is more, after the others had their turn. Nothing is
 * read as long as more than enough is kept. -1: the stream is at its end or broken. */
static ssize_t read_socket(const struct conn *conn, uint8_t *buf, size_t kept)
{
    ssize_t n;

    if (kept >= TRANSPORT_READ_BYTES)
        return 0;
    n = recv(lws_get_socket_fd(conn->wsi), buf + kept, TRANSPORT_READ_BYTES, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    return n > 0 ? n : -1;
}

static void on_readable(void *ctx)
{
    struct conn *conn = ctx;
    struct transport *transport = conn->transport;
    size_t kept = ws_reader_restore(&conn->reader, transport->input);
    ssize_t n = read_socket(conn, transport->input, kept);
    struct ws_input in = {transport->input, transport->input + kept + (n > 0 ? n : 0)};

    if (n < 0) {
        end(conn);
        return;
    }
    if (n > 0) {
        conn->heard_ms = loop_now_ms(transport->loop);
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
    if (conn->wsi == NULL) { /* closed meanwhile: only this call was still to come */
        free(conn);
        return;
    }
    if (wants_input(conn) && ws_reader_kept(&conn->reader) > 0) {
        in.ptr = conn->transport->input;
        in.end = in.ptr + ws_reader_restore(&conn->reader, in.ptr);
        handle_input(conn, &in);
    }
    update_input(conn);
}

void conn_pause_input(struct conn *conn, bool paused)
{
    if (conn->paused == paused)
        return;
    conn->paused = paused;
    if (paused) {
        update_input(conn);
        return;
    }
    conn->heard_ms = loop_now_ms(conn->transport->loop); /* what it said meanwhile is unread */
    resume_input(conn);
}

/* The heartbeat. */

static void plan_beat(struct conn *conn, uint64_t now_ms)
{
    const struct transport_config *config = &conn->transport->config;
    uint64_t due_ms = config->heartbeat_ms > 0 ? conn->ping_ms : UINT64_MAX;

    if (config->idle_timeout_ms > 0 && conn->heard_ms + config->idle_timeout_ms < due_ms)
        due_ms = conn->heard_ms + config->idle_timeout_ms;
    if (due_ms != UINT64_MAX)
        heartbeat_set(conn->transport->heartbeat, &conn->beat,
                      due_ms > now_ms ? due_ms - now_ms : 0);
}

/* A busy connection gets no ping, and its silence proves nothing: the pongs to come are behind what
 * it has not yet read. Whoever wrote so much to it watches over it. Nor do we hear a paused one. */
static void ping(struct conn *conn, uint64_t now_ms)
{
    conn->ping_ms = now_ms + conn->transport->config.heartbeat_ms;
    if (conn->busy || conn->paused)
        return;
    if (conn->unanswered >= UNANSWERED_PINGS) {
        log_debug("ws_dead", "silent_ms", log_int((int64_t)(now_ms - conn->heard_ms)));
        end(conn);
        return;
    }
    conn->unanswered++;
    (void)write_raw(conn, ping_frame, sizeof(ping_frame)); /* its death is seen by the caller */
}

void transport_ws_due(struct heartbeat_node *node)
{
    struct conn *conn = (void *)((char *)node - offsetof(struct conn, beat));
    const struct transport_config *config = &conn->transport->config;
    uint64_t now_ms = loop_now_ms(conn->transport->loop);

    if (conn->state != CONN_OPEN) { /* the peer had its time to close */
        end(conn);
        return;
    }
    if (config->idle_timeout_ms > 0 && conn->paused)
        conn->heard_ms = now_ms;
    if (config->idle_timeout_ms > 0 && now_ms >= conn->heard_ms + config->idle_timeout_ms) {
        conn_close(conn, CONN_CLOSE_IDLE, "idle");
        return;
    }
    if (config->heartbeat_ms > 0 && now_ms >= conn->ping_ms)
        ping(conn, now_ms);
    if (conn->state == CONN_OPEN)
        plan_beat(conn, now_ms);
}

/* The upgrade. */

/* A prefix matches itself and what is below it; one that ends in '/' only what is below it. */
bool transport_ws_is_path(const struct transport *transport, struct notify_str path)
{
    for (const char *const *prefix = transport->config.ws_prefixes; *prefix != NULL; prefix++) {
        size_t len = strlen(*prefix);

        if (path.len < len || memcmp(path.ptr, *prefix, len) != 0)
            continue;
        if (path.len == len || path.ptr[len] == '/' || (len > 0 && (*prefix)[len - 1] == '/'))
            return true;
    }
    return false;
}

static bool is_key(struct lws *wsi)
{
    char key[KEY_CHARS + 1];
    int len = lws_hdr_copy(wsi, key, sizeof(key), WSI_TOKEN_KEY);

    if (len != KEY_CHARS || strcmp(key + KEY_CHARS - 2, "==") != 0)
        return false;
    for (int i = 0; i < KEY_CHARS - 2; i++) {
        if (!((key[i] >= 'a' && key[i] <= 'z') || (key[i] >= 'A' && key[i] <= 'Z') ||
              (key[i] >= '0' && key[i] <= '9') || key[i] == '+' || key[i] == '/'))
            return false;
    }
    return true;
}

/* What RFC 6455, 4.2.1 asks of the request. 0 or the status to refuse it with. */
static int check_handshake(struct lws *wsi)
{
    char version[4];
    int status = transport_http_check(wsi);

    if (status != 0)
        return status;
    if (lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) == 0)
        return HTTP_STATUS_METHOD_NOT_ALLOWED;
    if (!transport_header_has(wsi, WSI_TOKEN_CONNECTION, "upgrade") || !is_key(wsi))
        return HTTP_STATUS_BAD_REQUEST;
    if (lws_hdr_copy(wsi, version, sizeof(version), WSI_TOKEN_VERSION) != 2 ||
        strcmp(version, "13") != 0)
        return TRANSPORT_UPGRADE_REQUIRED;
    /* A connection's first request comes without them (http_head.h). Of a later one, lws would
     * close without an answer when it knows none of the sub-protocols offered. */
    if (lws_hdr_total_length(wsi, WSI_TOKEN_PROTOCOL) > 0 &&
        !transport_header_has(wsi, WSI_TOKEN_PROTOCOL, "notify"))
        return HTTP_STATUS_BAD_REQUEST;
    return 0;
}

int transport_ws_confirm(struct transport *transport, struct lws *wsi, const char *protocol)
{
    const struct conn_request *req = &transport->texts.req;
    int status;

    /* h2c: the offer is declined by answering in HTTP/1.1 (RFC 9110, 7.8). */
    if (protocol == NULL || strcasecmp(protocol, "websocket") != 0) {
        (void)transport_http_answer(transport, wsi, true); /* closed in any case */
        return -1;
    }
    status = check_handshake(wsi);
    if (status == 0)
        status = transport_read_request(transport, wsi);
    if (status == 0 && !transport_ws_is_path(transport, req->path))
        status = HTTP_STATUS_NOT_FOUND;
    if (status == 0)
        status = transport->config.ws.on_upgrade(transport->config.ctx, req);
    if (status == 0)
        return 0;
    (void)transport_http_refuse(transport, wsi, status);
    return -1;
}

/* When ten thousand clients connect in the same second, as they do after a restart, their pings
 * must not all be due in the same one: each would hold up everything else for as long as it takes
 * to send and to answer them all. Multiples of the golden ratio spread evenly over the interval,
 * however many there are. */
static uint64_t first_ping_after(struct transport *transport)
{
    uint64_t golden = UINT64_C(0x9e3779b97f4a7c15) * ++transport->opened;

    return 1 + ((golden >> 32) * transport->config.heartbeat_ms >> 32);
}

int transport_ws_opened(struct transport *transport, struct lws *wsi)
{
    struct conn *conn = calloc(1, sizeof(*conn));
    uint64_t now_ms = loop_now_ms(transport->loop);

    /* A socket that has no room even for our answer to the handshake is not worth a special case.
     */
    if (conn == NULL || lws_partial_buffered(wsi) || transport_read_request(transport, wsi) != 0) {
        free(conn);
        return -1;
    }
    conn->wsi = wsi;
    conn->fd = lws_is_ssl(wsi) ? -1 : lws_get_socket_fd(wsi);
    conn->transport = transport;
    conn->code = CONN_CLOSE_ABNORMAL;
    conn->heard_ms = now_ms;
    conn->ping_ms = now_ms + first_ping_after(transport);
    lws_set_opaque_user_data(wsi, conn);
    loop_lws_take_input(transport->glue, wsi, on_readable, conn);
    transport->count++;
    plan_beat(conn, now_ms);
    conn->peer = transport->config.ws.on_open(transport->config.ctx, conn, &transport->texts.req);
    if (conn->peer == NULL)
        conn_close(conn, CONN_CLOSE_INTERNAL, "refused");
    return 0;
}

/* lws says so when it holds nothing more for this connection; spurious calls are harmless. */
int transport_ws_writable(struct transport *transport, struct lws *wsi)
{
    struct conn *conn = conn_of(wsi);

    (void)transport;
    if (conn == NULL || !conn->busy || lws_partial_buffered(wsi))
        return 0;
    conn->busy = false;
    if (conn->state == CONN_LINGERING)
        (void)shutdown(lws_get_socket_fd(wsi), SHUT_WR); /* fails only if the peer is gone */
    if (conn->state != CONN_OPEN)
        return 0;
    if (conn->choked) {
        conn->choked = false;
        resume_input(conn);
    }
    conn->transport->config.ws.on_drained(conn->peer);
    return 0;
}

void transport_ws_closed(struct transport *transport, struct lws *wsi)
{
    struct conn *conn = conn_of(wsi);

    if (conn == NULL)
        return;
    lws_set_opaque_user_data(wsi, NULL);
    unqueue_ended(conn);
    heartbeat_cancel(transport->heartbeat, &conn->beat);
    conn->state = CONN_ENDED;
    transport->count--;
    if (conn->peer != NULL)
        transport->config.ws.on_closed(conn->peer, conn->code);
    ws_reader_release(&conn->reader);
    conn->wsi = NULL;
    if (!conn->resuming)
        free(conn);
}
