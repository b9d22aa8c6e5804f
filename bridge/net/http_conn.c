/* http_conn -- HTTP/1.0 and 1.1 on one stream.
 *
 *     HEAD --whole--> BODY --whole--> WAIT --answered--> WRITE --taken--> HEAD …
 *       |                                                  \--last one--> LINGER --end--> DEAD
 *       \--upgrade: the stream becomes a WebSocket's--> DEAD; from WAIT, one of events --> DEAD
 *
 * One request at a time: the next one of a peer that does not wait is looked at when the answer
 * before it is out. What comes meanwhile is kept up to one buffer; then the kernel keeps it. */
#include "net/http_conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "base/heartbeat.h"
#include "base/log.h"
#include "base/loop.h"
#include "net/addresses.h"
#include "net/carrier.h"
#include "net/http_answer.h"
#include "net/sse_conn.h"
#include "net/stream.h"
#include "net/ws_conn.h"
#include "net/ws_handshake.h"
#include "wire/http_body.h"

#define BUFFER_FIRST 1024
#define BUFFER_MAX (2 * HTTP_HEAD_MAX)
#define BODY_FIRST 1024
#define HEADERS_MAX 96 /* bytes of the lines that go with a refusal */
#define CROWDED_RETRY_MS                                                                           \
    5000 /* an address with too many connections may come back after so long                       \
          */

enum {
    STATUS_BAD_REQUEST = 400,
    STATUS_REQUEST_TIMEOUT = 408,
    STATUS_TOO_MANY = 429,
    STATUS_INTERNAL = 500,
};

enum http_state { HTTP_HEAD, HTTP_BODY, HTTP_WAIT, HTTP_WRITE, HTTP_LINGER, HTTP_DEAD };

struct exchange {
    struct http_conn *conn; /* NULL: the peer has gone */
    struct http_plan plan;
    struct http_request req;
    struct http_request_texts texts;
    struct http_head head;
    char *body; /* owned */
    size_t body_cap;
    bool last; /* the answer ends the connection */
    void (*on_gone)(void *ctx);
    void *ctx;
    bool handed_up;
    char bytes[]; /* of the head, which head points to; then of the decoded path */
};

struct http_conn {
    struct transport *transport; /* borrowed */
    struct stream *stream;       /* owned; NULL once handed over */
    struct peer_address peer;
    struct address *address; /* owned reference: of peer, */
    struct address *caller;  /* and of whom it forwards the request under way for; NULL: itself */
    uint8_t state;
    bool input_ended;      /* the peer has said all that it will say */
    bool processing;       /* in process(): who answers within need not call it */
    bool has_asked;        /* it has had a request */
    enum listen_door door; /* where it came in */
    struct heartbeat_node deadline;
    TAILQ_ENTRY(http_conn) link;
    struct http_scan scan;
    struct http_body body;
    char *buf; /* owned; bytes[at..len) have not been used */
    size_t at, len, cap;
    size_t kept_before;        /* what of an answer was not taken when the deadline was set */
    struct exchange *exchange; /* under way */
};

static void set_deadline(struct http_conn *conn, uint64_t secs)
{
    heartbeat_set(conn->transport->deadlines, &conn->deadline, secs * 1000);
}

/* Statuses that say that a limit was met. */
static const struct status_limit {
    int status;
    enum counter limit;
} status_limits[] = {
    {408, COUNTER_HTTP_TIME},
    {413, COUNTER_HTTP_BODIES},
    {414, COUNTER_HTTP_TARGETS},
    {431, COUNTER_HTTP_HEADS},
};

static struct address *caller_of(const struct http_conn *conn)
{
    return conn->caller != NULL ? conn->caller : conn->address;
}

static void note_limit(const struct http_conn *conn, int status)
{
    for (size_t i = 0; i < sizeof(status_limits) / sizeof(status_limits[0]); i++)
        if (status_limits[i].status == status)
            address_limit_met(caller_of(conn), status_limits[i].limit);
}

static void forget_caller(struct http_conn *conn)
{
    address_release(conn->caller);
    conn->caller = NULL;
}

/* The end of a connection: never within a call that goes on with it. */

static void release(struct http_conn *conn)
{
    TAILQ_REMOVE(&conn->transport->http_ended, conn, link);
    if (conn->stream != NULL)
        conn->transport->sockets--;
    conn->transport->operators -= conn->door != LISTEN_CLIENTS;
    address_release(conn->address);
    stream_free(conn->stream);
    free(conn->buf);
    free(conn);
}

/* It is the connection's no more. */
static void part(struct http_conn *conn)
{
    struct transport *transport = conn->transport;
    bool handed_up = conn->exchange->handed_up;

    conn->exchange = NULL;
    if (!handed_up)
        return;
    transport->asked--;
    if (transport->asked == 0 && transport->config.http.on_idle != NULL)
        transport->config.http.on_idle(transport->config.ctx);
}

static void lose_exchange(struct http_conn *conn)
{
    struct exchange *exchange = conn->exchange;

    if (exchange == NULL)
        return;
    part(conn);
    exchange->conn = NULL;
    if (exchange->on_gone != NULL)
        exchange->on_gone(exchange->ctx);
    free(exchange->body);
    free(exchange);
}

static void end(struct http_conn *conn)
{
    struct transport *transport = conn->transport;

    if (conn->state == HTTP_DEAD)
        return;
    conn->state = HTTP_DEAD;
    heartbeat_cancel(transport->deadlines, &conn->deadline);
    if (conn->stream != NULL)
        stream_want_input(conn->stream, false);
    TAILQ_REMOVE(&transport->http, conn, link);
    transport_end_soon(transport);
    TAILQ_INSERT_TAIL(&transport->http_ended, conn, link);
    lose_exchange(conn);
    forget_caller(conn);
}

void http_conn_end_some(struct transport *transport)
{
    struct http_conn *conn = TAILQ_FIRST(&transport->http_ended), *next;

    for (int i = 0; i < CARRIER_ENDED_AT_ONCE && conn != NULL; i++, conn = next) {
        next = TAILQ_NEXT(conn, link);
        release(conn);
    }
}

void http_conn_free_all(struct transport *transport)
{
    while (!TAILQ_EMPTY(&transport->http))
        end(TAILQ_FIRST(&transport->http));
    while (!TAILQ_EMPTY(&transport->http_ended))
        http_conn_end_some(transport);
}

/* Closing a socket while there is something to read in it makes the kernel send a reset, which can
 * overtake the answer. So our side is closed first, and the rest when the peer has closed its own.
 */
static void linger(struct http_conn *conn)
{
    stream_end_output(conn->stream);
    if (conn->input_ended && !stream_is_busy(conn->stream)) {
        end(conn);
        return;
    }
    conn->state = HTTP_LINGER;
    conn->at = conn->len = 0;
    stream_want_input(conn->stream, !conn->input_ended);
    set_deadline(conn, CARRIER_LINGER_SECS);
}

/* Answers. */

static void process(struct http_conn *conn);

static void next_request(struct http_conn *conn)
{
    conn->state = HTTP_HEAD;
    conn->scan = (struct http_scan){0};
    forget_caller(conn);
    set_deadline(conn, conn->at < conn->len ? CARRIER_HEAD_SECS : CARRIER_KEEPALIVE_SECS);
    if (!conn->processing)
        process(conn);
}

static void answered(struct http_conn *conn, bool last)
{
    if (last)
        linger(conn);
    else
        next_request(conn);
}

/* Head and body; with a small body in one piece. */
static enum stream_written write_answer(struct http_conn *conn, const char *head, size_t head_len,
                                        const void *body, size_t body_len)
{
    enum stream_written written;
    char *both = malloc(head_len + body_len);

    if (both == NULL)
        return STREAM_DEAD;
    memcpy(both, head, head_len);
    if (body_len > 0)
        memcpy(both + head_len, body, body_len);
    written = stream_write(conn->stream, both, head_len + body_len);
    free(both);
    return written;
}

/* To whom an answer goes, and what that means for it. */
struct recipient {
    struct http_reader reader;
    bool head_only; /* it has no body */
};

static struct recipient recipient_of(const struct http_request *req, const struct http_plan *plan)
{
    struct notify_str nobody = {NULL, 0};

    return (struct recipient){.reader = {.origin = plan->readable ? req->origin : nobody,
                                         .credentials = plan->credentials},
                              .head_only = notify_str_eq(req->method, NOTIFY_STR("HEAD"))};
}

static void send_answer(struct http_conn *conn, const struct http_response *response,
                        const struct recipient *to, bool last)
{
    char head[HTTP_ANSWER_HEAD_MAX];
    int len =
        http_answer_head(head, response, &to->reader, loop_wall_ms(conn->transport->loop), last);
    enum stream_written written = len < 0 ? STREAM_DEAD
                                          : write_answer(conn, head, (size_t)len, response->body,
                                                         to->head_only ? 0 : response->len);

    if (written == STREAM_DEAD) {
        end(conn);
        return;
    }
    conn->state = HTTP_WRITE;
    if (written == STREAM_SENT) {
        answered(conn, last);
        return;
    }
    if (last)
        stream_end_output(conn->stream);
    conn->kept_before = stream_kept(conn->stream);
    set_deadline(conn, CARRIER_RESPONSE_SECS);
}

/* An error that is told before, or instead of, an exchange: nothing after it can be trusted. */
static void refuse(struct http_conn *conn, int status, const char *headers,
                   const struct http_plan *plan, const struct recipient *to)
{
    char body[HTTP_ERROR_MAX];
    struct http_response response = {.status = status,
                                     .headers = headers,
                                     .body = body,
                                     .len = http_answer_error(body, status, plan->why)};

    if (plan->body != NULL) {
        response.content_type = plan->body_type;
        response.body = plan->body;
        response.len = strlen(plan->body);
    }

    counter_add(COUNTER_HTTP_REFUSED, 1);
    note_limit(conn, status);
    log_debug("http_refused", "status", log_int(status));
    send_answer(conn, &response, to, true);
}

/* Nobody knows whose request it was. */
static void refuse_stranger(struct http_conn *conn, int status)
{
    static const struct http_plan none;

    refuse(conn, status, NULL, &none, &(struct recipient){.head_only = false});
}

const struct http_request *exchange_request(const struct exchange *exchange)
{
    return &exchange->req;
}

const struct http_plan *exchange_plan(const struct exchange *exchange)
{
    return &exchange->plan;
}

struct transport *exchange_transport(const struct exchange *exchange)
{
    return exchange->conn->transport;
}

void exchange_on_gone(struct exchange *exchange, void (*fn)(void *ctx), void *ctx)
{
    exchange->on_gone = fn;
    exchange->ctx = ctx;
}

void exchange_answer(struct exchange *exchange, const struct http_response *response)
{
    struct http_conn *conn = exchange->conn;

    const struct recipient to = recipient_of(&exchange->req, &exchange->plan);

    part(conn);
    send_answer(conn, response, &to, exchange->last || conn->input_ended);
    exchange_forget(exchange);
}

/* The connection is a stream's from now on: its address is handed over, that of whom it speaks for
 * if there is one, and it ends as what it was. It counts as the stream's socket alone at once: what
 * is left of it here may stay for some turns when thousands come together. */
static struct stream *give_up_stream(struct http_conn *conn)
{
    struct stream *stream = conn->stream;

    conn->stream = NULL;
    conn->transport->sockets--;
    if (conn->caller == NULL)
        conn->address = NULL;
    conn->caller = NULL;
    end(conn);
    return stream;
}

struct conn *exchange_open_events(struct exchange *exchange)
{
    struct http_conn *conn = exchange->conn;
    struct transport *transport = conn->transport;
    const struct sse_opening opening = {.address = caller_of(conn),
                                        .reader =
                                            recipient_of(&exchange->req, &exchange->plan).reader,
                                        .in_chunks = exchange->head.minor > 0,
                                        .input_len = conn->len - conn->at};

    part(conn);
    exchange->conn = NULL;
    return sse_conn_open(transport, give_up_stream(conn), &opening);
}

void exchange_upgrade(struct exchange *exchange)
{
    struct http_conn *conn = exchange->conn;
    struct transport *transport = conn->transport;
    struct ws_opening opening = {.req = &exchange->req,
                                 .address = caller_of(conn),
                                 .input = (const uint8_t *)conn->buf + conn->at,
                                 .input_len = conn->len - conn->at};
    const char *headers;
    int status = ws_handshake_check(&exchange->req, &headers);

    if (status == 0)
        status = ws_handshake_ask(transport, &opening);
    if (status != 0) {
        exchange_refuse(exchange, status, headers);
        return;
    }
    part(conn);
    exchange->conn = NULL;
    ws_handshake_open(transport, give_up_stream(conn), &opening);
    exchange_forget(exchange);
}

void exchange_forget(struct exchange *exchange)
{
    free(exchange->body);
    free(exchange);
}

void exchange_answer_events_head(struct exchange *exchange)
{
    const struct http_response response = {.status = 200,
                                           .content_type = SSE_CONTENT_TYPE,
                                           .cache_control = SSE_CACHE_CONTROL,
                                           .headers = SSE_HEADERS,
                                           .extent = exchange->head.minor > 0 ? HTTP_IN_CHUNKS
                                                                              : HTTP_TO_END};

    exchange_answer(exchange, &response);
}

void exchange_refuse(struct exchange *exchange, int status, const char *headers)
{
    char body[HTTP_ERROR_MAX];
    struct http_response response = {.status = status,
                                     .headers = headers,
                                     .body = body,
                                     .len = http_answer_error(body, status, NULL)};

    exchange_answer(exchange, &response);
}

/* Requests. */

static struct exchange *exchange_new(struct http_conn *conn, const struct http_plan *plan)
{
    const struct transport *transport = conn->transport;
    size_t path_max = transport->head.path.len + 1;
    struct exchange *exchange = malloc(sizeof(*exchange) + conn->scan.end + path_max);

    if (exchange == NULL)
        return NULL;
    exchange->conn = conn;
    exchange->plan = *plan;
    exchange->body = NULL;
    exchange->body_cap = 0;
    exchange->on_gone = NULL;
    exchange->ctx = NULL;
    exchange->handed_up = false;
    exchange->texts.path = exchange->bytes + conn->scan.end;
    memcpy(exchange->bytes, conn->buf + conn->at, conn->scan.end);
    /* It was parsed once already, so neither can fail. */
    (void)http_head_parse(&exchange->head, exchange->bytes, conn->scan.end);
    (void)http_request_read(&exchange->req, &exchange->texts, &exchange->head, &conn->peer,
                            stream_is_secure(conn->stream), &transport->config.forwarding);
    exchange->req.address = caller_of(conn);
    exchange->req.door = conn->door;
    exchange->last = exchange->head.close;
    return exchange;
}

static void hand_up(struct http_conn *conn)
{
    const struct transport_config *config = &conn->transport->config;

    conn->state = HTTP_WAIT;
    heartbeat_cancel(conn->transport->deadlines, &conn->deadline);
    conn->exchange->handed_up = true;
    conn->transport->asked++;
    config->http.on_request(config->ctx, conn->exchange);
}

static void begin_body(struct http_conn *conn)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const struct exchange *exchange = conn->exchange;

    http_body_begin(&conn->body, &exchange->head, exchange->plan.body_max);
    conn->state = HTTP_BODY;
    if (exchange->head.framing == HTTP_NO_BODY)
        return;
    set_deadline(conn, CARRIER_BODY_SECS);
    if (exchange->head.expects_continue && conn->at == conn->len &&
        exchange->head.length <= exchange->plan.body_max &&
        stream_write(conn->stream, go_on, sizeof(go_on) - 1) == STREAM_DEAD)
        end(conn);
}

static void upgrade(struct http_conn *conn, const struct http_request *req,
                    const struct http_plan *plan, const struct recipient *to)
{
    struct transport *transport = conn->transport;
    const char *headers;
    int status = ws_handshake_check(req, &headers);
    struct ws_opening opening = {.req = req,
                                 .address = caller_of(conn),
                                 .input = (const uint8_t *)conn->buf + conn->at,
                                 .input_len = conn->len - conn->at};

    if (status == 0)
        status = ws_handshake_ask(transport, &opening);
    if (status != 0) {
        refuse(conn, status, headers, plan, to);
        return;
    }
    ws_handshake_open(transport, give_up_stream(conn), &opening);
}

/* Whom the request comes from is known now. 0, or 429: so often may an address ask; the first
 * request of a connection of its own was counted when that was made. */
static int admit(struct http_conn *conn, struct http_request *req, char headers[HEADERS_MAX])
{
    enum counter limit = COUNTER_ADDRESS_ATTEMPTS;
    uint64_t wait_ms;
    bool counted;

    if (memcmp(&req->peer, &conn->peer, sizeof(req->peer)) != 0)
        conn->caller = addresses_take(conn->transport->addresses, &req->peer);
    req->address = caller_of(conn);
    counted = conn->caller == NULL && !conn->has_asked;
    conn->has_asked = true;
    if (counted)
        return 0;
    wait_ms = address_try(req->address, 1);
    if (wait_ms == 0 && conn->caller != NULL && address_is_crowded(conn->caller, CARRIER_BESIDES)) {
        limit = COUNTER_ADDRESS_CONNECTIONS;
        wait_ms = CROWDED_RETRY_MS;
    }
    if (wait_ms == 0)
        return 0;
    address_limit_met(req->address, limit);
    (void)snprintf(headers, HEADERS_MAX, "Retry-After: %u\r\n", (unsigned)(wait_ms / 1000 + 1));
    return STATUS_TOO_MANY;
}

/* A head is there. */
static void begin_request(struct http_conn *conn)
{
    struct transport *transport = conn->transport;
    const struct transport_config *config = &transport->config;
    struct http_plan plan = {.carrier = HTTP_PLAIN};
    int status = http_head_parse(&transport->head, conn->buf + conn->at, conn->scan.end);
    struct http_request req = {.method = transport->head.method};
    struct recipient to;
    char headers[HEADERS_MAX] = "";

    if (status == 0)
        status = http_request_read(&req, &transport->texts, &transport->head, &conn->peer,
                                   stream_is_secure(conn->stream), &config->forwarding);
    req.door = conn->door;
    if (status == 0)
        status = admit(conn, &req, headers);
    if (status == 0)
        status = config->http.on_head(config->ctx, &req, &plan);
    to = recipient_of(&req, &plan);
    if (status != 0) {
        if (plan.allow[0] != '\0')
            (void)snprintf(headers, sizeof(headers), "Allow: %s\r\n", plan.allow);
        else if (plan.headers != NULL)
            (void)snprintf(headers, sizeof(headers), "%s", plan.headers);
        refuse(conn, status, headers, &plan, &to);
        return;
    }
    if (plan.carrier == HTTP_WEBSOCKET) {
        conn->at += conn->scan.end;
        upgrade(conn, &req, &plan, &to);
        return;
    }
    if (transport->head.bad_escape) {
        refuse(conn, STATUS_BAD_REQUEST, NULL, &plan, &to);
        return;
    }
    conn->exchange = exchange_new(conn, &plan);
    conn->at += conn->scan.end;
    if (conn->exchange == NULL)
        end(conn);
    else
        begin_body(conn);
}

/* The body's room doubles up to the most that is allowed. */
static bool keep_piece(struct exchange *exchange, struct notify_str piece)
{
    struct notify_str *body = &exchange->req.body;
    size_t cap = exchange->body_cap == 0 ? BODY_FIRST : exchange->body_cap;
    char *grown;

    while (cap < body->len + piece.len)
        cap *= 2;
    if (cap > exchange->body_cap) {
        grown = realloc(exchange->body, cap);
        if (grown == NULL)
            return false;
        exchange->body = grown;
        exchange->body_cap = cap;
        body->ptr = grown;
    }
    memcpy(exchange->body + body->len, piece.ptr, piece.len);
    body->len += piece.len;
    return true;
}

/* Answers the exchange with an error; what stands behind its body cannot be found any more. */
static void refuse_exchange(struct http_conn *conn, int status)
{
    struct exchange *exchange = conn->exchange;

    note_limit(conn, status);
    exchange->last = true;
    exchange_refuse(exchange, status, NULL);
}

/* True when it has gone on. */
static bool read_body(struct http_conn *conn)
{
    struct notify_str in = notify_str_of(conn->buf + conn->at, conn->len - conn->at), piece;
    int step;

    while ((step = http_body_next(&conn->body, &in, &piece)) == HTTP_BODY_PIECE)
        if (!keep_piece(conn->exchange, piece)) {
            step = STATUS_INTERNAL;
            break;
        }
    conn->at = conn->len - in.len;
    if (step == HTTP_BODY_MORE)
        return false;
    if (step == HTTP_BODY_DONE)
        hand_up(conn);
    else
        refuse_exchange(conn, step);
    return true;
}

static bool read_head(struct http_conn *conn)
{
    int status = http_scan(&conn->scan, conn->buf + conn->at, conn->len - conn->at);

    if (status == HTTP_SCAN_MORE)
        return false;
    if (status == 0)
        begin_request(conn);
    else
        refuse_stranger(conn, status);
    return true;
}

static void compact(struct http_conn *conn)
{
    if (conn->at == 0)
        return;
    memmove(conn->buf, conn->buf + conn->at, conn->len - conn->at);
    conn->len -= conn->at;
    conn->at = 0;
    if (conn->len == 0) { /* one that waits between two requests holds none */
        free(conn->buf);
        conn->buf = NULL;
        conn->cap = 0;
    }
}

/* Looks at what is there as far as that goes. */
static void process(struct http_conn *conn)
{
    bool more = true;

    conn->processing = true;
    while (more && (conn->state == HTTP_HEAD || conn->state == HTTP_BODY))
        more = conn->state == HTTP_HEAD ? conn->at < conn->len && read_head(conn) : read_body(conn);
    conn->processing = false;
    if (conn->state == HTTP_DEAD)
        return;
    compact(conn);
    if (conn->input_ended && (conn->state == HTTP_HEAD || conn->state == HTTP_BODY))
        end(conn); /* it will never be whole */
    else if (conn->input_ended && conn->state == HTTP_WAIT && conn->exchange->plan.held)
        end(conn); /* and this one will not be waited for */
    else
        stream_want_input(conn->stream, !conn->input_ended && conn->len < BUFFER_MAX);
}

/* Input. */

static bool make_room(struct http_conn *conn)
{
    size_t cap = conn->cap == 0 ? BUFFER_FIRST : conn->cap * 2;
    char *buf;

    if (conn->len < conn->cap)
        return true;
    buf = realloc(conn->buf, cap < BUFFER_MAX ? cap : BUFFER_MAX);
    if (buf == NULL)
        return false;
    conn->buf = buf;
    conn->cap = cap < BUFFER_MAX ? cap : BUFFER_MAX;
    return true;
}

static void discard_input(struct http_conn *conn)
{
    ssize_t n = stream_read(conn->stream, conn->transport->input, sizeof(conn->transport->input));

    conn->input_ended = n < 0;
    if (n < 0)
        end(conn);
}

static void on_input(void *owner)
{
    struct http_conn *conn = owner;
    bool first = conn->state == HTTP_HEAD && conn->len == 0;
    ssize_t n;

    if (conn->state == HTTP_LINGER) {
        discard_input(conn);
        return;
    }
    if (conn->state == HTTP_DEAD)
        return;
    if (!make_room(conn)) {
        end(conn);
        return;
    }
    n = stream_read(conn->stream, conn->buf + conn->len, conn->cap - conn->len);
    conn->input_ended = n < 0;
    conn->len += n > 0 ? (size_t)n : 0;
    if (n > 0 && first)
        set_deadline(conn, CARRIER_HEAD_SECS);
    process(conn);
}

static void on_drained(void *owner)
{
    struct http_conn *conn = owner;

    if (conn->state == HTTP_WRITE)
        answered(conn, conn->stream->ended_output);
    else if (conn->state == HTTP_LINGER && conn->input_ended)
        end(conn);
}

static const struct stream_handlers handlers = {on_input, on_drained};

/* A peer that takes a little of a long answer now and then may go on. */
static bool takes_something(struct http_conn *conn)
{
    size_t kept = stream_kept(conn->stream);

    if (conn->state != HTTP_WRITE || kept >= conn->kept_before)
        return false;
    conn->kept_before = kept;
    set_deadline(conn, CARRIER_RESPONSE_SECS);
    return true;
}

void http_conn_due(struct heartbeat_node *node)
{
    struct http_conn *conn = (void *)((char *)node - offsetof(struct http_conn, deadline));

    if (takes_something(conn))
        return;
    if (conn->state == HTTP_BODY)
        refuse_exchange(conn, STATUS_REQUEST_TIMEOUT);
    else if (conn->state == HTTP_HEAD && conn->len > 0)
        refuse_stranger(conn, STATUS_REQUEST_TIMEOUT);
    else
        end(conn);
}

void http_conn_open(struct transport *transport, struct stream *stream,
                    const struct peer_address *peer, struct address *address, enum listen_door door)
{
    struct http_conn *conn = stream == NULL ? NULL : calloc(1, sizeof(*conn));

    if (conn == NULL) {
        address_release(address);
        stream_free(stream);
        return;
    }
    conn->transport = transport;
    conn->stream = stream;
    conn->peer = *peer;
    conn->address = address;
    conn->door = door;
    transport->sockets++;
    transport->operators += door != LISTEN_CLIENTS;
    TAILQ_INSERT_TAIL(&transport->http, conn, link);
    stream_hand_over(stream, &handlers, conn);
    set_deadline(conn, CARRIER_HEAD_SECS);
    stream_want_input(stream, true);
}
