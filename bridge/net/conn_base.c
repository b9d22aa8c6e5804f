/* conn_base -- connections of every kind: the way out, and the end. */
#include "net/conn_base.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/counters.h"
#include "base/loop.h"
#include "net/addresses.h"
#include "net/carrier.h"
#include "net/stream.h"

#define BYTES_PER_UNIT 1024 /* of what a turn of input may cost (ws_conn.c) */
#define CHUNK_BYTES 65536   /* of one chunk, at most */
#define CHUNK_FRAME_MAX 16  /* its length and two ends of lines */

static const struct conn_kind *const kinds[] = {
    [CONN_WEBSOCKET] = &conn_kind_websocket,
    [CONN_EVENTS] = &conn_kind_events,
};

static const struct conn_kind *kind_of(const struct conn *conn)
{
    return conn->kind == CONN_CARRIED ? ((const struct carried *)conn)->carrier : kinds[conn->kind];
}

/* The end. */

/* When ten thousand connections break at once, as those behind a proxy do, taking them all down in
 * one turn would hold up the others for 98 ms. */
void conn_end(struct conn *conn)
{
    struct transport *transport = conn->transport;

    if (conn->state == CONN_ENDED)
        return;
    conn->state = CONN_ENDED;
    if (!conn->reading && conn->kind != CONN_CARRIED) /* else it is looked at again after that */
        stream_want_input(conn->stream, false);
    heartbeat_cancel(transport->beats, &conn->beat);
    transport_end_soon(transport);
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

/* At once: other processes count with it when somebody connects there. */
static void tell_count(const struct transport *transport)
{
    counter_set(COUNTER_CONNECTIONS, transport->count - transport->streams);
    counter_set(COUNTER_STREAMS, transport->streams);
}

/* As it was said; a dialect, or a peer, may have others. */
static void count_close(int code)
{
    static const struct {
        int code;
        enum counter counter;
    } codes[] = {
        {CONN_CLOSE_NORMAL, COUNTER_CLOSED_NORMAL},
        {CONN_CLOSE_GOING_AWAY, COUNTER_CLOSED_GOING_AWAY},
        {CONN_CLOSE_ABNORMAL, COUNTER_CLOSED_ABNORMAL},
        {CONN_CLOSE_POLICY, COUNTER_CLOSED_POLICY},
        {CONN_CLOSE_TOO_BIG, COUNTER_CLOSED_TOO_BIG},
        {CONN_CLOSE_INTERNAL, COUNTER_CLOSED_INTERNAL},
        {CONN_CLOSE_RESTART, COUNTER_CLOSED_RESTART},
        {CONN_CLOSE_TRY_AGAIN, COUNTER_CLOSED_TRY_AGAIN},
        {CONN_CLOSE_ABUSE, COUNTER_CLOSED_ABUSE},
        {CONN_CLOSE_UNAUTHORIZED, COUNTER_CLOSED_UNAUTHORIZED},
        {CONN_CLOSE_FORBIDDEN, COUNTER_CLOSED_FORBIDDEN},
        {CONN_CLOSE_IDLE, COUNTER_CLOSED_IDLE},
        {CONN_CLOSE_TOO_MANY, COUNTER_CLOSED_TOO_MANY},
        {CONN_CLOSE_KICKED, COUNTER_CLOSED_KICKED},
        {CONN_CLOSE_TOO_SLOW, COUNTER_CLOSED_TOO_SLOW},
        {CONN_CLOSE_RATE_LIMITED, COUNTER_CLOSED_RATE_LIMITED},
    };

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (codes[i].code == code) {
            counter_add(codes[i].counter, 1);
            return;
        }
    counter_add(COUNTER_CLOSED_OTHERWISE, 1);
}

static void count_out(struct conn *conn)
{
    struct transport *transport = conn->transport;

    TAILQ_REMOVE(&transport->all, conn, all_link);
    transport->count--;
    transport->streams -= conn->kind == CONN_EVENTS;
    transport->sockets--;
    count_close(conn->code);
    tell_count(transport);
}

void conn_take_down(struct conn *conn)
{
    unqueue_ended(conn);
    heartbeat_cancel(conn->transport->beats, &conn->beat);
    if (conn->kind != CONN_CARRIED)
        count_out(conn);
    conn->state = CONN_ENDED;
    if (conn->peer != NULL)
        conn->handlers->on_closed(conn->peer, conn->code);
    if (conn->kind != CONN_CARRIED) {
        address_release(conn->address);
        stream_free(conn->stream);
    }
    conn->stream = NULL;
    kind_of(conn)->release(conn);
}

void conn_end_some(struct transport *transport)
{
    for (int i = 0; i < CARRIER_ENDED_AT_ONCE && !TAILQ_EMPTY(&transport->ended); i++)
        conn_take_down(TAILQ_FIRST(&transport->ended));
}

void conn_free_all(struct transport *transport)
{
    while (!TAILQ_EMPTY(&transport->all))
        conn_take_down(TAILQ_FIRST(&transport->all));
}

/* Output. */

/* Sends what the socket takes: the length, 0 if nothing, -1 if it is broken. Straight to the kernel
 * when nothing is before it: the stream is another piece of memory, and not in the cache on
 * connections that were idle. */
static ssize_t send_directly(struct conn *conn, const void *bytes, size_t len)
{
    ssize_t n;

    if (conn->busy || conn->fd < 0)
        return 0;
    n = send(conn->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0)
        counter_add(COUNTER_BYTES_SENT, (uint64_t)n);
    return n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS) ? 0 : n;
}

static void become_busy(struct conn *conn)
{
    conn->busy = true;
    if (kind_of(conn)->stuck != NULL)
        kind_of(conn)->stuck(conn);
}

enum conn_write conn_write_raw(struct conn *conn, const void *bytes, size_t len)
{
    ssize_t sent = send_directly(conn, bytes, len);
    enum stream_written written;

    if (sent == (ssize_t)len)
        return CONN_SENT;
    written = sent < 0 ? STREAM_DEAD
                       : stream_write(conn->stream, (const char *)bytes + sent, len - (size_t)sent);
    if (written == STREAM_DEAD) {
        (kind_of(conn)->spoilt == NULL ? conn_end : kind_of(conn)->spoilt)(conn);
        return CONN_DEAD;
    }
    if (written == STREAM_BUSY && !conn->busy)
        become_busy(conn);
    else
        conn->busy = written == STREAM_BUSY;
    return conn->busy ? CONN_BUSY : CONN_SENT;
}

enum conn_write conn_flush(struct conn *conn)
{
    struct transport *transport = conn->transport;
    size_t len = transport->gathered;

    transport->gathered = 0;
    return len == 0 ? CONN_SENT : conn_write_raw(conn, transport->gather, len);
}

/* Pongs and answers cost a peer less to ask for than us to send one by one. There is one place for
 * that, so it is for the bytes of one stream: anybody else's would go to its peer. */
static enum conn_write put(struct conn *conn, const void *bytes, size_t len)
{
    struct transport *transport = conn->transport;

    if (transport->gathers == NULL || conn->stream != transport->gathers)
        return conn_write_raw(conn, bytes, len);
    transport->spent += (unsigned)(len / BYTES_PER_UNIT);
    if (len > sizeof(transport->gather) - transport->gathered) {
        enum conn_write ret = conn_flush(conn);
        if (ret != CONN_SENT || len > sizeof(transport->gather))
            return ret == CONN_DEAD ? CONN_DEAD : conn_write_raw(conn, bytes, len);
    }
    memcpy(transport->gather + transport->gathered, bytes, len);
    transport->gathered += len;
    return conn->busy ? CONN_BUSY : CONN_SENT;
}

static enum conn_write write_chunk(struct conn *conn, const char *bytes, size_t len)
{
    static char chunk[CHUNK_BYTES + CHUNK_FRAME_MAX]; /* one thread; outlives no call */
    size_t head = (size_t)snprintf(chunk, CHUNK_FRAME_MAX, "%zx\r\n", len);

    memcpy(chunk + head, bytes, len);
    chunk[head + len] = '\r';
    chunk[head + len + 1] = '\n';
    return put(conn, chunk, head + len + 2);
}

static enum conn_write write_chunks(struct conn *conn, const char *bytes, size_t len)
{
    enum conn_write ret = CONN_SENT;

    for (size_t at = 0, n; at < len && ret != CONN_DEAD; at += n) {
        n = len - at < CHUNK_BYTES ? len - at : CHUNK_BYTES;
        ret = write_chunk(conn, bytes + at, n);
    }
    return ret;
}

void conn_say_first(struct conn *conn)
{
    if (conn->framing == CONN_NOT_BEGUN && conn->state != CONN_ENDED)
        kind_of(conn)->begin(conn);
}

static enum conn_write write_begun(struct conn *conn, const void *bytes, size_t len)
{
    if (conn->state == CONN_ENDED)
        return CONN_DEAD;
    return conn->framing == CONN_CHUNKED ? write_chunks(conn, bytes, len) : put(conn, bytes, len);
}

/* What goes before it leaves in the same write. */
static enum conn_write write_first(struct conn *conn, const void *bytes, size_t len)
{
    struct transport *transport = conn->transport;
    bool gathers = transport->gathers == NULL;
    enum conn_write ret, flushed = CONN_SENT;

    if (gathers)
        transport->gathers = conn->stream;
    conn_say_first(conn);
    ret = write_begun(conn, bytes, len);
    if (gathers) {
        transport->gathers = NULL;
        flushed = conn->state == CONN_ENDED ? CONN_DEAD : conn_flush(conn);
        transport->gathered = 0;
    }
    return flushed == CONN_SENT ? ret : flushed;
}

enum conn_write conn_put(struct conn *conn, const void *bytes, size_t len)
{
    return conn->framing == CONN_NOT_BEGUN ? write_first(conn, bytes, len) : put(conn, bytes, len);
}

enum conn_write conn_write_framed(struct conn *conn, const void *bytes, size_t len)
{
    if (conn->framing == CONN_RELAYED)
        return kind_of(conn)->relay(conn, bytes, len);
    return conn->framing == CONN_NOT_BEGUN ? write_first(conn, bytes, len)
                                           : write_begun(conn, bytes, len);
}

enum conn_write conn_write(struct conn *conn, const void *frames, size_t len)
{
    if (conn->state != CONN_OPEN)
        return CONN_DEAD;
    assert(!conn->busy);
    return conn->framing == CONN_BARE ? conn_put(conn, frames, len)
                                      : conn_write_framed(conn, frames, len);
}

void conn_prefetch(const struct conn *conn)
{
    __builtin_prefetch(conn, 1);
}

bool conn_deflates(const struct conn *conn)
{
    return conn->deflates;
}

bool conn_is_busy(const struct conn *conn)
{
    return conn->busy;
}

size_t conn_unsent(const struct conn *conn)
{
    return conn->busy && conn->stream != NULL ? stream_kept(conn->stream) : 0;
}

void conn_drained(struct conn *conn)
{
    conn->busy = false;
    if (conn->state == CONN_OPEN && conn->peer != NULL)
        conn->handlers->on_drained(conn->peer);
}

/* What the layers above ask for. */

void conn_set_peer(struct conn *conn, const struct peer_handlers *peer_handlers, void *peer)
{
    conn->handlers = peer_handlers;
    conn->peer = peer;
}

void conn_limit_met(struct conn *conn, enum counter limit)
{
    address_limit_met(conn->address, limit);
}

const char *conn_format_address(const struct conn *conn, char out[ADDRESS_TEXT_MAX])
{
    return address_format(conn->address, out);
}

void conn_pause_input(struct conn *conn, bool paused)
{
    if (conn->paused == paused)
        return;
    conn->paused = paused;
    kind_of(conn)->want_input(conn);
}

void conn_close_until(struct conn *conn, int code, const char *reason, uint32_t retry_ms)
{
    if (conn->state != CONN_OPEN)
        return;
    conn->code = (uint16_t)code;
    kind_of(conn)->close(conn, code, reason, retry_ms);
}

void conn_close(struct conn *conn, int code, const char *reason)
{
    conn_close_until(conn, code, reason, 0);
}

/* Beginning. */

void conn_set_alarm(struct conn *conn, uint64_t after_ms)
{
    if (conn->state == CONN_OPEN)
        conn_set_beat(conn, after_ms);
}

void conn_set_beat(struct conn *conn, uint64_t after_ms)
{
    heartbeat_set(conn->transport->beats, &conn->beat, after_ms);
}

void conn_due(struct heartbeat_node *node)
{
    struct conn *conn = (void *)((char *)node - offsetof(struct conn, beat));

    kind_of(conn)->beat(conn);
}

void conn_begin(struct conn *conn, struct transport *transport, struct stream *stream,
                const struct stream_handlers *handlers, struct address *address)
{
    conn->stream = stream;
    conn->address = address;
    conn->fd = stream->socket.fd;
    conn->transport = transport;
    conn->code = CONN_CLOSE_ABNORMAL;
    conn->busy = stream_is_busy(stream);
    TAILQ_INSERT_TAIL(&transport->all, conn, all_link);
    transport->opened++;
    transport->count++;
    transport->streams += conn->kind == CONN_EVENTS;
    transport->sockets++;
    tell_count(transport);
    stream_hand_over(stream, handlers, conn);
}
