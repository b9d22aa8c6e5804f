/* transport -- makes the libwebsockets context, hands it descriptors, and passes its callbacks to
 * transport_http and transport_ws. Nothing is decided here. */
#include "net/transport_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/heartbeat.h"
#include "base/log.h"
#include "base/loop.h"
#include "net/first_head.h"
#include "net/loop_lws.h"
#include "wire/http_head.h"

/* The wheel. The pings of a tick go out together, and their pongs come back together: with 10,000
 * connections, 30 s between pings and four ticks a second that was 1 ms at a time for which
 * everything else waited. Now it is a quarter of that. Still shorter ticks cost more wake-ups than
 * they gain: 4.4 ms of CPU time a second at 58 ms, 7.8 at 14, and 3.5 at 250. */
#define TICKS_PER_INTERVAL 512
#define TICK_MIN_MS 5
#define TICK_MAX_MS 250

/* What lws complains about can be caused by peers at will. */
#define LWS_LINES_PER_PERIOD 10
#define LWS_PERIOD_SECS 10

#define STATUS_HEADER_TOO_LARGE 431 /* RFC 6585; lws has no name for it */

static struct transport *transport_of(struct lws *wsi)
{
    return lws_context_user(lws_get_context(wsi));
}

void transport_kill(struct transport *transport, struct lws *wsi)
{
    lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
    loop_lws_kick(transport->glue);
}

bool transport_header_has(struct lws *wsi, enum lws_token_indexes header, const char *name)
{
    char value[256];
    char *save = NULL;

    if (lws_hdr_copy(wsi, value, sizeof(value), header) <= 0)
        return false;
    for (char *token = strtok_r(value, ", \t", &save); token != NULL;
         token = strtok_r(NULL, ", \t", &save)) {
        if (strcasecmp(token, name) == 0)
            return true;
    }
    return false;
}

static size_t encode_char(char *out, char c, bool name)
{
    static const char hex[] = "0123456789ABCDEF";
    unsigned char byte = (unsigned char)c;
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 (c != '\0' && strchr("-._~", c) != NULL) || (c == '=' && name);

    if (plain) {
        out[0] = c;
        return 1;
    }
    out[0] = '%';
    out[1] = hex[byte >> 4];
    out[2] = hex[byte & 15];
    return 3;
}

/* lws has decoded the query and cut it at '&'; here it is put together again, encoded so that it
 * means the same. The first '=' of each part is the separator. */
static size_t join_query(struct lws *wsi, char *out)
{
    char part[TRANSPORT_HEADER_BYTES];
    size_t len = 0;
    int n;

    for (int i = 0;
         (n = lws_hdr_copy_fragment(wsi, part, sizeof(part), WSI_TOKEN_HTTP_URI_ARGS, i)) >= 0;
         i++) {
        bool name = true;

        if (i > 0)
            out[len++] = '&';
        for (int k = 0; k < n; k++) {
            len += encode_char(out + len, part[k], name);
            name = name && part[k] != '=';
        }
    }
    return len;
}

static void read_address(struct lws *wsi, char out[INET6_ADDRSTRLEN])
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } addr = {.v6 = {0}};
    socklen_t len = sizeof(addr);

    memcpy(out, "", 1);
    if (getpeername(lws_get_socket_fd(wsi), &addr.any, &len) != 0)
        return; /* gone already */
    if (addr.any.sa_family == AF_UNIX)
        memcpy(out, "unix", 5);
    else if (addr.any.sa_family == AF_INET)
        (void)inet_ntop(AF_INET, &addr.v4.sin_addr, out, INET6_ADDRSTRLEN); /* there is room */
    else if (IN6_IS_ADDR_V4MAPPED(&addr.v6.sin6_addr))
        (void)inet_ntop(AF_INET, addr.v6.sin6_addr.s6_addr + 12, out, INET6_ADDRSTRLEN);
    else
        (void)inet_ntop(AF_INET6, &addr.v6.sin6_addr, out, INET6_ADDRSTRLEN);
}

int transport_read_request(struct transport *transport, struct lws *wsi)
{
    struct request_texts *texts = &transport->texts;
    char *path = NULL;
    int path_len = 0;
    int origin_len = lws_hdr_copy(wsi, texts->origin, sizeof(texts->origin), WSI_TOKEN_ORIGIN);

    if (lws_http_get_uri_and_method(wsi, &path, &path_len) < 0 || path == NULL)
        return HTTP_STATUS_BAD_REQUEST;
    if (origin_len < 0)
        return STATUS_HEADER_TOO_LARGE;
    read_address(wsi, texts->addr);
    texts->req = (struct conn_request){
        .path = notify_str_of(path, (size_t)path_len),
        .query = notify_str_of(texts->query, join_query(wsi, texts->query)),
        .origin = notify_str_of(texts->origin, (size_t)origin_len),
        .addr = notify_str_z(texts->addr),
    };
    return 0;
}

/* A request with a body has been answered already; the body is thrown away, and its end is the end
 * of the connection. */
static int on_body(enum lws_callback_reasons reason)
{
    return reason == LWS_CALLBACK_HTTP_BODY ? 0 : -1;
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t len)
{
    (void)user;
    (void)len;
    switch (reason) {
    case LWS_CALLBACK_HTTP:
        return transport_http_answer(transport_of(wsi), wsi, false);
    case LWS_CALLBACK_HTTP_BODY:
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        return on_body(reason);
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return transport_ws_confirm(transport_of(wsi), wsi, in);
    case LWS_CALLBACK_ESTABLISHED:
        return transport_ws_opened(transport_of(wsi), wsi);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return transport_ws_writable(transport_of(wsi), wsi);
    case LWS_CALLBACK_CLOSED:
        transport_ws_closed(transport_of(wsi), wsi);
        return 0;
    case LWS_CALLBACK_RECEIVE: /* frames sent before our answer to the handshake: RFC 6455, 4.1 */
    case LWS_CALLBACK_RECEIVE_PONG:
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
    case LWS_CALLBACK_RAW_ADOPT: /* what lws makes of CONNECT */
    case LWS_CALLBACK_RAW_RX:
        return -1;
    default:
        return 0;
    }
}

/* The name that a client may give as its sub-protocol. lws needs the table for life.
 * rx_buffer_size: lws reads no frames here, so it need not keep room for them.
 * tx_packet_size: or else lws cuts what it sends into pieces of rx_buffer_size. */
static const struct lws_protocols protocols[] = {
    {.name = "notify", .callback = on_lws, .rx_buffer_size = 16, .tx_packet_size = 1 << 20},
    LWS_PROTOCOL_LIST_TERM,
};

/* All zero: no pings and no timer of lws' own for each connection. */
static const lws_retry_bo_t no_validity_checks;

static void on_lws_log(int level, const char *line)
{
    static time_t period;
    static int lines;
    time_t now = time(NULL);
    const char *text = strstr(line, ": "); /* after lws' own time and level */
    size_t len;

    if (strstr(line, ": calling service") != NULL)
        return; /* what it says, as an error, of each connection that it gets with its head */

    text = text == NULL ? line : text + 2;
    len = strcspn(text, "\n");

    if (now - period >= LWS_PERIOD_SECS) {
        period = now;
        lines = 0;
    }
    if (lines++ < LWS_LINES_PER_PERIOD)
        log_write(level == LLL_ERR ? LOG_WARN : LOG_DEBUG, "lws", "text", log_bytes(text, len),
                  (const char *)NULL);
}

/* Above ten million lws thinks the limit a mistake and allows itself 2560 descriptors. */
static void clamp_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= TRANSPORT_MAX_DESCRIPTORS)
        return;
    limit.rlim_cur = TRANSPORT_MAX_DESCRIPTORS;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warn("descriptor_limit", "error", strerror(errno));
}

static bool make_context(struct transport *transport)
{
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_SKIP_SERVER_CANONICAL_NAME,
        .user = transport,
        .gid = (gid_t)-1,
        .uid = (uid_t)-1,
        .alpn = "http/1.1",
        .retry_and_idle_policy = &no_validity_checks,
        .max_http_header_data = TRANSPORT_HEADER_BYTES,
        .pt_serv_buf_size = TRANSPORT_READ_BYTES,
        .timeout_secs = TRANSPORT_RESPONSE_SECS,
        .timeout_secs_ah_idle = TRANSPORT_HEADER_SECS,
        .keepalive_timeout = TRANSPORT_KEEPALIVE_SECS,
    };

    loop_lws_prepare(transport->glue, &info);
    lws_set_log_level(LLL_ERR | LLL_WARN, on_lws_log);
    clamp_descriptor_limit();
    transport->context = lws_create_context(&info);
    if (transport->context == NULL)
        return false;
    transport->vhost = lws_get_vhost_by_name(transport->context, "default");
    return transport->vhost != NULL;
}

static uint64_t tick_for(const struct transport_config *config)
{
    uint64_t shortest = config->heartbeat_ms;
    uint64_t tick;

    if (shortest == 0 || (config->idle_timeout_ms > 0 && config->idle_timeout_ms < shortest))
        shortest = config->idle_timeout_ms;
    if (shortest == 0)
        return TICK_MAX_MS;
    tick = shortest / TICKS_PER_INTERVAL;
    return tick < TICK_MIN_MS ? TICK_MIN_MS : tick > TICK_MAX_MS ? TICK_MAX_MS : tick;
}

/* lws is given fd, and reads from it what is there. On failure it has closed fd. */
static void adopt(struct transport *transport, int fd)
{
    lws_sock_file_fd_type socket = {.sockfd = fd};

    if (lws_adopt_descriptor_vhost(transport->vhost,
                                   LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP | LWS_ADOPT_ALLOW_SSL, socket,
                                   NULL, NULL) == NULL)
        log_debug("adopt_failed", "fd", log_int(fd));
}

/* The head of a connection's first request is there. One that is written anew is taken off the
 * socket, and lws gets the new one, upon which its callbacks run within the call. */
static void on_head(void *ctx, int fd, struct notify_str head)
{
    static char out[3 * FIRST_HEAD_BYTES], old[FIRST_HEAD_BYTES]; /* for the length of the call */
    struct transport *transport = ctx;
    size_t len = http_head_carry(out, head);

    if (len == 0)
        adopt(transport, fd);
    else if (recv(fd, old, head.len, 0) != (ssize_t)head.len)
        (void)close(fd); /* broken meanwhile */
    else
        (void)lws_adopt_socket_vhost_readbuf(transport->vhost, fd, out, len);
    loop_lws_kick(transport->glue);
}

struct transport *transport_new(struct loop *loop, const struct transport_config *config)
{
    struct transport *transport = calloc(1, sizeof(*transport));

    if (transport == NULL)
        goto fail;
    transport->loop = loop;
    transport->config = *config;
    if (transport->config.max_message_bytes > INT32_MAX)
        transport->config.max_message_bytes = INT32_MAX;
    transport->heads =
        first_heads_new(loop, TRANSPORT_HEADER_SECS * UINT64_C(1000), on_head, transport);
    transport->glue = loop_lws_new(loop);
    transport->heartbeat = heartbeat_new(loop, tick_for(config), transport_ws_due);
    transport->ended_timer = loop_timer_new(loop, transport_ws_end_some, transport);
    TAILQ_INIT(&transport->ended);
    if (transport->heads == NULL || transport->glue == NULL || transport->heartbeat == NULL ||
        transport->ended_timer == NULL || !make_context(transport))
        goto fail;
    return transport;

fail:
    log_error("transport_failed", "error", "libwebsockets could not be started");
    transport_free(transport);
    return NULL;
}

void transport_adopt(struct transport *transport, int fd)
{
    first_heads_add(transport->heads, fd);
}

size_t transport_count(const struct transport *transport)
{
    return transport->count;
}

struct transport_stats transport_stats(const struct transport *transport)
{
    return transport->stats;
}

void transport_free(struct transport *transport)
{
    if (transport == NULL)
        return;
    if (transport->context != NULL)
        lws_context_destroy(transport->context);
    first_heads_free(transport->heads);
    loop_lws_free(transport->glue);
    heartbeat_free(transport->heartbeat);
    loop_timer_free(transport->ended_timer);
    free(transport);
}
