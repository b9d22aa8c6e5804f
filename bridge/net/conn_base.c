/* conn_base -- connections of every kind: the way out, and the end. */
#include "net/conn_base.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

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
    return kinds[conn->kind];
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
    if (!conn->reading) /* else it is looked at again when that is over */
        stream_want_input(conn->stream, false);
    heartbeat_cancel(transport->beats, &conn->beat);
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

/* The last of a connection. */
static void take_down(struct conn *conn)
{
    struct transport *transport = conn->transport;

    unqueue_ended(conn);
    heartbeat_cancel(transport->beats, &conn->beat);
    TAILQ_REMOVE(&transport->all, conn, all_link);
    transport->count--;
    transport->streams -= conn->kind == CONN_EVENTS;
    transport->sockets--;
    conn->state = CONN_ENDED;
    if (conn->peer != NULL)
        conn->handlers->on_closed(conn->peer, conn->code);
    address_release(conn->address);
    stream_free(conn->stream);
    conn->stream = NULL;
    kind_of(conn)->release(conn);
}

void conn_end_some(struct transport *transport)
{
    for (int i = 0; i < CARRIER_ENDED_AT_ONCE && !TAILQ_EMPTY(&transport->ended); i++)
        take_down(TAILQ_FIRST(&transport->ended));
}

void conn_free_all(struct transport *transport)
{
    while (!TAILQ_EMPTY(&transport->all))
        take_down(TAILQ_FIRST(&transport->all));
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
    return n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS) ? 0 : n;
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
        conn_end(conn);
        return CONN_DEAD;
    }
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

/* Pongs and answers cost a peer less to ask for than us to send one by one. */
enum conn_write conn_put(struct conn *conn, const void *bytes, size_t len)
{
    struct transport *transport = conn->transport;

    if (!conn->reading)
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
    return conn_write_raw(conn, chunk, head + len + 2);
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

enum conn_write conn_write_framed(struct conn *conn, const void *bytes, size_t len)
{
    if (conn->framing == CONN_NOT_BEGUN)
        kind_of(conn)->begin(conn);
    if (conn->state == CONN_ENDED)
        return CONN_DEAD;
    return conn->framing == CONN_CHUNKED ? write_chunks(conn, bytes, len)
                                         : conn_put(conn, bytes, len);
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

bool conn_is_busy(const struct conn *conn)
{
    return conn->busy;
}

size_t conn_unsent(const struct conn *conn)
{
    return conn->busy ? stream_kept(conn->stream) : 0;
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
    stream_hand_over(stream, handlers, conn);
}
