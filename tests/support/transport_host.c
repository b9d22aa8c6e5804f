/* transport_host -- the transports alone, for the integration tests: no Redis, no protocol above.
 *
 *     transport_host ADDRESS [max-message-bytes [heartbeat-ms [idle-ms [control-frames]]]]
 *
 * Prints "ready <address>" once it listens. WebSocket at /ws and below (refused at /ws/forbidden,
 * closed at once at /ws/none): a text message comes back as it is, but for these commands:
 *
 *     close CODE REASON   the host closes
 *     flood COUNT SIZE    sends messages "0 xxx…" to "COUNT-1 xxx…", as fast as the socket takes
 *     twice               two messages in one write: "one", "two"
 *     pause MS            no input for so long, then "resumed"
 *
 * Compressed messages are taken with HOST_DEFLATE; what is sent is never compressed.
 *
 * HTTP: /hello, /big (4 MiB), /echo (what the request was, argument "a" decoded), /stats, /late
 * (after 100 ms), POST /post (the body comes back). TLS with HOST_CERT and HOST_KEY; HOST_FORWARDED
 * names the header that peers on loopback are believed. */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/bound.h"
#include "net/listener.h"
#include "base/counters.h"
#include "base/log.h"
#include "base/loop.h"
#include "net/transport.h"
#include "wire/ws_frame.h"

#define BIG_BYTES ((size_t)4 * 1024 * 1024)
#define POST_MAX 100000

struct host {
    struct loop *loop;
    struct transport *transport;
    char *big;
    long opened, closed, messages, drained, gone;
    long closed_in_turn, most_closed_in_turn; /* of the loop */
    int last_code;
    char text[4096]; /* body of /echo and /stats */
};

struct late {
    struct host *host;
    struct exchange *exchange; /* NULL: the peer has gone */
    struct loop_timer *timer;
};

struct peer {
    struct host *host;
    struct conn *conn;
    struct loop_timer *timer; /* of "pause" */
    long flood_next, flood_end;
    size_t flood_size;
};

static enum conn_write send_text(struct peer *peer, const char *text, size_t len)
{
    uint8_t *frame = malloc(WS_FRAME_HEADER_MAX + len);
    size_t head;
    enum conn_write ret;

    if (frame == NULL)
        abort();
    head = ws_frame_header(frame, len);
    memcpy(frame + head, text, len);
    ret = conn_write(peer->conn, frame, head + len);
    free(frame);
    if (ret == CONN_BUSY)
        conn_pause_input(peer->conn, true);
    return ret;
}

static void go_on_flooding(struct peer *peer)
{
    char *text = malloc(peer->flood_size + 32);

    if (text == NULL)
        abort();
    while (peer->flood_next < peer->flood_end) {
        int len = sprintf(text, "%ld ", peer->flood_next++);

        memset(text + len, 'x', peer->flood_size);
        if (send_text(peer, text, (size_t)len + peer->flood_size) != CONN_SENT)
            break;
    }
    free(text);
}

static void on_pause_over(void *ctx)
{
    struct peer *peer = ctx;

    conn_pause_input(peer->conn, false);
    (void)send_text(peer, "resumed", 7);
}

static void send_twice(struct peer *peer)
{
    static const char both[] = "\x81\x03one\x81\x03two";

    if (conn_write(peer->conn, both, sizeof(both) - 1) == CONN_BUSY)
        conn_pause_input(peer->conn, true);
}

static bool run_command(struct peer *peer, const char *text)
{
    char reason[128] = "";
    int code;
    long count, size;
    unsigned long ms;

    if (sscanf(text, "close %d %123[^\n]", &code, reason) >= 1)
        conn_close(peer->conn, code, reason);
    else if (sscanf(text, "flood %ld %ld", &count, &size) == 2) {
        peer->flood_next = 0;
        peer->flood_end = count;
        peer->flood_size = (size_t)size;
        go_on_flooding(peer);
    } else if (strcmp(text, "twice") == 0)
        send_twice(peer);
    else if (sscanf(text, "pause %lu", &ms) == 1) {
        conn_pause_input(peer->conn, true);
        loop_timer_set(peer->timer, ms);
    } else
        return false;
    return true;
}

static int on_upgrade(void *ctx, const struct http_request *req, struct conn_accept *ret)
{
    (void)ctx;
    ret->may_deflate = true;
    return notify_str_eq(req->path, NOTIFY_STR("/ws/forbidden")) ? 403 : 0;
}

static void on_unopened(void *ctx, void *arrival)
{
    (void)ctx;
    (void)arrival;
}

static void on_message(void *ctx, struct notify_str text)
{
    struct peer *peer = ctx;
    char command[256];

    peer->host->messages++;
    if (text.len < sizeof(command)) {
        memcpy(command, text.ptr, text.len);
        command[text.len] = '\0';
        if (run_command(peer, command))
            return;
    }
    (void)send_text(peer, text.ptr, text.len);
}

static void on_drained(void *ctx)
{
    struct peer *peer = ctx;

    peer->host->drained++;
    go_on_flooding(peer);
    if (!conn_is_busy(peer->conn))
        conn_pause_input(peer->conn, false);
}

static void on_turn_end(void *ctx)
{
    struct host *host = ctx;

    if (host->closed_in_turn > host->most_closed_in_turn)
        host->most_closed_in_turn = host->closed_in_turn;
    host->closed_in_turn = 0;
}

static void on_closed(void *ctx, int code)
{
    struct peer *peer = ctx;

    peer->host->closed++;
    if (peer->host->closed_in_turn++ == 0)
        loop_defer(peer->host->loop, on_turn_end, peer->host);
    peer->host->last_code = code;
    loop_timer_free(peer->timer);
    free(peer);
}

static const struct peer_handlers peer_handlers = {
    .on_message = on_message, .on_drained = on_drained, .on_closed = on_closed};

static void on_open(void *ctx, struct conn *conn, const struct http_request *req, void *arrival)
{
    struct host *host = ctx;
    struct peer *peer;

    (void)arrival;
    if (notify_str_eq(req->path, NOTIFY_STR("/ws/none")))
        return;
    peer = calloc(1, sizeof(*peer));
    if (peer == NULL)
        abort();
    peer->host = host;
    peer->conn = conn;
    peer->timer = loop_timer_new(host->loop, on_pause_over, peer);
    host->opened++;
    conn_set_peer(conn, &peer_handlers, peer);
}

/* Of AddressSanitizer, whose heap mallinfo2() does not see; absent in other builds. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t heap_bytes(void)
{
    struct mallinfo2 heap = mallinfo2();

    if (__sanitizer_get_current_allocated_bytes != NULL)
        return __sanitizer_get_current_allocated_bytes();
    return heap.uordblks + heap.hblkhd;
}

static size_t write_stats(struct host *host)
{
    return (size_t)snprintf(
        host->text, sizeof(host->text),
        "{\"open\":%zu,\"opened\":%ld,\"closed\":%ld,\"messages\":%ld,"
        "\"drained\":%ld,\"last_code\":%d,\"most_closed_in_turn\":%ld,\"heap\":%zu,"
        "\"control_floods\":%ld,\"gone\":%ld}",
        transport_count(host->transport), host->opened, host->closed, host->messages, host->drained,
        host->last_code, host->most_closed_in_turn, heap_bytes(),
        (long)counter_values[COUNTER_CONTROL_FLOODS], host->gone);
}

static size_t write_echo(struct host *host, const struct http_request *req)
{
    char arg[256];
    int len = http_request_arg(req, "a", arg, sizeof(arg));

    return (size_t)snprintf(host->text, sizeof(host->text), "%.*s\n%.*s\n%.*s\n%.*s\n%d %s\n",
                            (int)req->path.len, req->path.ptr, (int)req->query.len, req->query.ptr,
                            (int)req->origin.len, req->origin.ptr, (int)req->addr.len,
                            req->addr.ptr, len, len < 0 ? "" : arg);
}

static bool is_ws_path(struct notify_str path)
{
    return notify_str_eq(path, NOTIFY_STR("/ws")) ||
           (path.len > 4 && memcmp(path.ptr, "/ws/", 4) == 0);
}

static int on_head(void *ctx, const struct http_request *req, struct http_plan *ret)
{
    bool posts = notify_str_eq(req->path, NOTIFY_STR("/post"));

    (void)ctx;
    ret->readable = notify_str_eq(req->origin, NOTIFY_STR("http://friend"));
    if (is_ws_path(req->path)) {
        ret->carrier = HTTP_WEBSOCKET;
        return 0;
    }
    (void)snprintf(ret->allow, sizeof(ret->allow), "%s", posts ? "POST" : "GET, HEAD");
    ret->body_max = posts ? POST_MAX : 0;
    if (notify_str_eq(req->method, NOTIFY_STR("POST")) && posts)
        return 0;
    if (!notify_str_eq(req->method, NOTIFY_STR("GET")) &&
        !notify_str_eq(req->method, NOTIFY_STR("HEAD")))
        return 405;
    return posts ? 405 : 0;
}

static void on_late(void *ctx)
{
    struct late *late = ctx;
    struct http_response response = {
        .status = 200, .content_type = "text/plain", .body = "late", .len = 4};

    if (late->exchange != NULL)
        exchange_answer(late->exchange, &response);
    loop_timer_free(late->timer);
    free(late);
}

static void on_late_gone(void *ctx)
{
    struct late *late = ctx;

    late->exchange = NULL;
    late->host->gone++;
}

/* Answers a little later, as what asks Redis does. */
static void answer_late(struct host *host, struct exchange *exchange)
{
    struct late *late = calloc(1, sizeof(*late));

    if (late == NULL)
        abort();
    *late = (struct late){.host = host, .exchange = exchange};
    late->timer = loop_timer_new(host->loop, on_late, late);
    loop_timer_set(late->timer, 100);
    exchange_on_gone(exchange, on_late_gone, late);
}

static void on_request(void *ctx, struct exchange *exchange)
{
    struct host *host = ctx;
    const struct http_request *req = exchange_request(exchange);
    struct http_response response = {
        .status = 200, .content_type = "text/plain", .body = host->text};

    if (notify_str_eq(req->path, NOTIFY_STR("/hello"))) {
        response.body = "hello";
        response.len = 5;
        response.cache_control = "max-age=60";
    } else if (notify_str_eq(req->path, NOTIFY_STR("/big"))) {
        response.body = host->big;
        response.len = BIG_BYTES;
    } else if (notify_str_eq(req->path, NOTIFY_STR("/echo"))) {
        response.len = write_echo(host, req);
    } else if (notify_str_eq(req->path, NOTIFY_STR("/stats"))) {
        response.len = write_stats(host);
    } else if (notify_str_eq(req->path, NOTIFY_STR("/post"))) {
        response.body = req->body.ptr;
        response.len = req->body.len;
    } else if (notify_str_eq(req->path, NOTIFY_STR("/late"))) {
        answer_late(host, exchange);
        return;
    } else {
        exchange_refuse(exchange, 404, NULL);
        return;
    }
    exchange_answer(exchange, &response);
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

static unsigned long number_arg(int argc, char **argv, int at, unsigned long fallback)
{
    return argc > at ? strtoul(argv[at], NULL, 10) : fallback;
}

/* NAME=value words at the end are settings of the environment. */
static int take_environment(int argc, char **argv)
{
    while (argc > 2 && strchr(argv[argc - 1], '=') != NULL)
        if (putenv(argv[--argc]) != 0)
            abort();
    return argc;
}

int main(int argc, char **argv)
{
    int words = take_environment(argc, argv);
    struct peer_network trusted = {.bits = 0};
    struct host host = {.loop = loop_new(), .big = malloc(BIG_BYTES)};
    struct transport_config config = {
        .max_message_bytes = number_arg(words, argv, 2, 65536),
        .heartbeat_ms = number_arg(words, argv, 3, 30000),
        .idle_timeout_ms = number_arg(words, argv, 4, 300000),
        .max_control_frames = number_arg(words, argv, 5, 1000000),
        .max_sockets = 100000,
        .deflate = getenv("HOST_DEFLATE") != NULL,
        .tls = {.cert = getenv("HOST_CERT"), .key = getenv("HOST_KEY")},
        .forwarding = {.trust = {&trusted, 1}, .header = getenv("HOST_FORWARDED")},
        .ws = {on_upgrade, on_open, on_unopened},
        .http = {.on_head = on_head, .on_request = on_request},
        .ctx = &host,
    };
    struct bound *bound = NULL;
    struct listener *listener = NULL;
    int ret = 1;

    (void)peer_network_parse(NOTIFY_STR("127.0.0.0/8"), &trusted);
    log_setup(LOG_DEBUG, LOG_LOGFMT);
    if (words < 2 || host.loop == NULL || host.big == NULL)
        goto end;
    memset(host.big, 'b', BIG_BYTES);
    host.transport = transport_new(host.loop, &config);
    if (host.transport == NULL)
        goto end;
    bound = bound_new(argv[1], 1, NULL);
    if (bound == NULL)
        goto end;
    listener = listener_new(host.loop, bound, 0, on_accepted, host.transport);
    if (listener == NULL || loop_on_signal(host.loop, SIGTERM, on_stop, host.loop) != 0)
        goto end;
    printf("ready %s\n", bound_text(bound));
    (void)fflush(stdout); /* if nobody reads it, the tests will notice */
    ret = loop_run(host.loop) == 0 ? 0 : 1;

end:
    listener_free(listener);
    bound_free(bound);
    transport_free(host.transport);
    loop_free(host.loop);
    free(host.big);
    return ret;
}
