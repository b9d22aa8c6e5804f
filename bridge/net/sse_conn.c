/* sse_conn -- streams of events: an answer that goes on until somebody ends it.
 *
 *     OPEN --conn_close()--> LINGERING --the peer's end, a deadline--> ENDED
 *
 * The head of the answer goes out with the first that is written: until then there is a status to
 * refuse it with. What the peer sends is only looked at to see its end. */
#include "net/sse_conn.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/heartbeat.h"
#include "base/log.h"
#include "base/loop.h"
#include "net/addresses.h"
#include "net/carrier.h"
#include "net/conn_base.h"
#include "net/stream.h"
#include "wire/sse_block.h"

#define LAST_CHUNK "0\r\n\r\n"

struct sse_conn {
    struct conn conn;   /* first */
    uint32_t input_len; /* bytes that the peer has sent since the request */
    bool in_chunks;
    struct http_reader reader; /* its text lies in: */
    char origin[];
};

static struct sse_conn *sse_of(struct conn *conn)
{
    return (struct sse_conn *)conn;
}

static uint64_t heartbeat_ms(const struct conn *conn)
{
    return conn->transport->config.sse_heartbeat_ms;
}

/* Writes the head of an answer, which is all of it unless this is the stream itself. */
static void write_head(struct conn *conn, const struct http_response *response)
{
    const struct sse_conn *sse = sse_of(conn);
    char head[HTTP_ANSWER_HEAD_MAX];
    int len =
        http_answer_head(head, response, &sse->reader, loop_wall_ms(conn->transport->loop), true);

    if (len < 0)
        conn_end(conn);
    else
        (void)conn_put(conn, head, (size_t)len); /* its death is seen by the caller */
}

static void begin(struct conn *conn)
{
    bool in_chunks = sse_of(conn)->in_chunks;
    const struct http_response response = {.status = 200,
                                           .content_type = SSE_CONTENT_TYPE,
                                           .cache_control = SSE_CACHE_CONTROL,
                                           .headers = SSE_HEADERS,
                                           .extent = in_chunks ? HTTP_IN_CHUNKS : HTTP_TO_END};

    conn->framing = in_chunks ? CONN_CHUNKED : CONN_BARE;
    write_head(conn, &response);
}

/* The end. */

/* What a closing means for somebody who comes back by himself. */
static const struct ending {
    int code;
    int status;        /* to refuse a stream with that has not begun; 0: coming back helps */
    uint32_t retry_ms; /* when to come back */
    const char *headers;
} endings[] = {
    {CONN_CLOSE_ABUSE, 400, CARRIER_SSE_RETRY_MS, NULL},
    {CONN_CLOSE_UNAUTHORIZED, 401, CARRIER_SSE_RETRY_MS, "WWW-Authenticate: Bearer\r\n"},
    {CONN_CLOSE_FORBIDDEN, 403, CARRIER_SSE_RETRY_MS, NULL},
    {CONN_CLOSE_TRY_AGAIN, 0, 5000, NULL},
    {CONN_CLOSE_TOO_MANY, 0, 10000, NULL},
    {CONN_CLOSE_KICKED, 0, 10000, NULL},
};

static const struct ending *find_ending(int code)
{
    static const struct ending other = {0, 0, CARRIER_SSE_RETRY_MS, NULL};

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
        if (endings[i].code == code)
            return &endings[i];
    return &other;
}

static void refuse(struct conn *conn, const struct ending *ending, const char *reason)
{
    char body[HTTP_ERROR_MAX];
    const struct http_response response = {.status = ending->status,
                                           .headers = ending->headers,
                                           .len = http_answer_error(body, ending->status, reason)};

    log_debug("sse_refused", "status", log_int(ending->status));
    conn->framing = CONN_BARE; /* this is said in place of what goes first */
    write_head(conn, &response);
    if (conn->state != CONN_ENDED)
        (void)conn_write_raw(conn, body, response.len); /* its death is seen by the caller */
}

/* Whoever has said all that there is to say need not be told that it is over. */
static void write_end(struct conn *conn, int code, const char *reason, uint32_t retry_ms)
{
    char block[SSE_CLOSE_MAX];
    size_t len = code == CONN_CLOSE_NORMAL ? 0 : sse_block_close(block, code, reason, retry_ms);

    if (conn_write_framed(conn, block, len) != CONN_DEAD && conn->framing == CONN_CHUNKED)
        (void)conn_write_raw(conn, LAST_CHUNK, sizeof(LAST_CHUNK) - 1); /* as above */
}

/* Closing a socket while there is something to read in it makes the kernel send a reset, which can
 * overtake what was written: only our half, at first. */
static void close_it(struct conn *conn, int code, const char *reason, uint32_t retry_ms)
{
    const struct ending *ending = find_ending(code);

    conn->state = CONN_LINGERING;
    if (conn->framing == CONN_NOT_BEGUN && ending->status != 0)
        refuse(conn, ending, reason);
    else
        write_end(conn, code, reason == NULL ? "" : reason,
                  retry_ms > 0 ? retry_ms : ending->retry_ms);
    if (conn->state == CONN_ENDED)
        return;
    stream_end_output(conn->stream); /* once all is out */
    conn_set_beat(conn, conn->busy ? CARRIER_CLOSE_MS : CARRIER_LINGER_SECS * UINT64_C(1000));
}

/* What the peer sends. */

static void count_input(struct conn *conn, size_t len)
{
    struct sse_conn *sse = sse_of(conn);

    sse->input_len += (uint32_t)len;
    if (conn->state != CONN_OPEN || sse->input_len <= CARRIER_SSE_INPUT_BYTES)
        return;
    conn_limit_met(conn, COUNTER_SSE_INPUT);
    conn_close(conn, CONN_CLOSE_ABUSE, "nothing is to be sent behind the request");
}

static void on_input(void *owner)
{
    struct conn *conn = owner;
    ssize_t n = stream_read(conn->stream, conn->transport->input, CARRIER_READ_BYTES);

    if (n < 0)
        conn_end(conn);
    else if (n > 0)
        count_input(conn, (size_t)n);
}

static void on_drained(void *owner)
{
    conn_drained(owner);
}

static const struct stream_handlers handlers = {on_input, on_drained};

/* Its end must be seen, whatever else it has sent. */
static void want_input(struct conn *conn)
{
    (void)conn;
}

static void release(struct conn *conn)
{
    free(conn);
}

/* The heartbeat. Whoever wrote so much to a busy one watches over it. */
static void beat(struct conn *conn)
{
    if (conn->state != CONN_OPEN) { /* the peer had its time to close */
        conn_end(conn);
        return;
    }
    if (conn->peer != NULL && conn->handlers->on_beat != NULL)
        conn->handlers->on_beat(conn->peer);
    else if (!conn->busy)
        (void)conn_write(conn, SSE_COMMENT,
                         sizeof(SSE_COMMENT) - 1); /* a dead one reports itself */
    if (conn->state == CONN_OPEN)
        conn_set_beat(conn, heartbeat_ms(conn));
}

const struct conn_kind conn_kind_events = {
    .close = close_it, .beat = beat, .want_input = want_input, .begin = begin, .release = release};

/* Opening. */

/* There are no pongs: a peer that has vanished is one that acknowledges nothing of what the
 * heartbeat brings. */
static void watch_over(const struct conn *conn)
{
    unsigned dead_ms = CARRIER_SSE_DEAD_MS;

    /* Fails on a unix socket, whose peer cannot vanish. */
    (void)setsockopt(stream_socket(conn->stream), IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms,
                     sizeof(dead_ms));
}

static struct conn *conn_new(struct transport *transport, struct stream *stream,
                             const struct sse_opening *opening)
{
    struct notify_str origin = opening->reader.origin;
    struct sse_conn *sse = calloc(1, sizeof(*sse) + origin.len);
    struct conn *conn = (struct conn *)sse;

    if (conn == NULL)
        return NULL;
    conn->kind = CONN_EVENTS;
    conn->framing = CONN_NOT_BEGUN;
    sse->in_chunks = opening->in_chunks;
    sse->reader = opening->reader;
    sse->reader.origin = notify_str_of(sse->origin, origin.len);
    if (origin.len > 0)
        memcpy(sse->origin, origin.ptr, origin.len);
    conn_begin(conn, transport, stream, &handlers, opening->address);
    watch_over(conn);
    /* As the pings of WebSockets: not all in the same second after a restart. */
    if (heartbeat_ms(conn) > 0)
        conn_set_beat(conn, heartbeat_spread(transport->opened, heartbeat_ms(conn)));
    return conn;
}

struct conn *sse_conn_open(struct transport *transport, struct stream *stream,
                           const struct sse_opening *opening)
{
    struct conn *conn = conn_new(transport, stream, opening);

    if (conn == NULL) {
        address_release(opening->address);
        stream_free(stream);
        return NULL;
    }
    stream_want_input(stream, true);
    if (address_is_crowded(conn->address, 0)) {
        conn_limit_met(conn, COUNTER_ADDRESS_CONNECTIONS);
        conn_close(conn, CONN_CLOSE_TOO_MANY, "too many connections from this address");
        return NULL;
    }
    count_input(conn, opening->input_len);
    return conn->state == CONN_OPEN ? conn : NULL;
}
