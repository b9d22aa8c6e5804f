#include "net/tls_carrier.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <libwebsockets.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/small.h"
#include "net/loop_lws.h"
#include "net/server_tls.h"

#define HANDSHAKE_SECS 5
#define KEPT_MAX_BYTES 16384 /* decrypted and not yet read; then libwebsockets reads no more */
#define READ_BYTES 16384
#define MAX_DESCRIPTORS 1048576 /* libwebsockets keeps 16 bytes for each one allowed */

/* What lws complains about can be caused by peers at will. */
#define LWS_LINES_PER_PERIOD 10
#define LWS_PERIOD_SECS 10

struct tls_carrier {
    struct loop *loop;           /* borrowed */
    struct loop_lws *glue;       /* owned */
    struct lws_context *context; /* owned */
    struct server_tls *tls;      /* owned: what handshakes begin with */
};

struct tls_stream {
    struct tls_carrier *carrier; /* borrowed */
    struct stream *stream;       /* borrowed: whose this is; NULL once freed */
    struct lws *wsi;             /* NULL once lws has closed it */
    char *kept;                  /* owned: decrypted, not yet read */
    size_t kept_len, kept_at;
    bool wanted, in_callback, telling, established;
};

static void tell_input(void *ctx)
{
    struct tls_stream *tls = ctx;

    tls->telling = false;
    if (tls->stream == NULL) {
        free(tls);
        return;
    }
    if (tls->wanted && (tls->kept != NULL || tls->wsi == NULL))
        tls->stream->handlers->on_input(tls->stream->owner);
}

/* In a turn of its own: what is kept is for whoever wants input again, not for the one who says so.
 */
static void tell_later(struct tls_stream *tls)
{
    if (tls->telling)
        return;
    tls->telling = true;
    loop_defer(tls->carrier->loop, tell_input, tls);
}

static void update_flow(struct tls_stream *tls)
{
    if (tls->wsi != NULL)
        (void)lws_rx_flow_control(tls->wsi,
                                  tls->wanted && tls->kept_len - tls->kept_at < KEPT_MAX_BYTES);
}

static void want_input(void *carried, bool wanted)
{
    struct tls_stream *tls = carried;

    tls->wanted = wanted;
    update_flow(tls);
    loop_lws_kick(tls->carrier->glue); /* it may hold bytes that it has decrypted already */
    if (wanted && (tls->kept != NULL || tls->wsi == NULL))
        tell_later(tls);
}

static ssize_t read_kept(void *carried, void *buf, size_t cap)
{
    struct tls_stream *tls = carried;
    size_t len = tls->kept_len - tls->kept_at;

    if (tls->kept == NULL)
        return tls->wsi == NULL ? -1 : 0;
    if (len > cap)
        len = cap;
    memcpy(buf, tls->kept + tls->kept_at, len);
    tls->kept_at += len;
    if (tls->kept_at == tls->kept_len) {
        free(tls->kept);
        tls->kept = NULL;
        tls->kept_len = tls->kept_at = 0;
    }
    update_flow(tls);
    if (tls->wanted && (tls->kept != NULL || tls->wsi == NULL))
        tell_later(tls);
    return (ssize_t)len;
}

static bool is_busy(const void *carried)
{
    const struct tls_stream *tls = carried;

    return tls->wsi != NULL && lws_partial_buffered(tls->wsi);
}

static enum stream_written write_bytes(void *carried, const void *bytes, size_t len)
{
    struct tls_stream *tls = carried;
    unsigned char *copy;
    int sent;

    /* lws may change what it is given, and others are sent the same bytes. */
    if (tls->wsi == NULL || (copy = malloc(LWS_PRE + len)) == NULL)
        return STREAM_DEAD;
    memcpy(copy + LWS_PRE, bytes, len);
    sent = lws_write(tls->wsi, copy + LWS_PRE, len, LWS_WRITE_RAW);
    free(copy);
    if (sent < 0)
        return STREAM_DEAD;
    if (!lws_partial_buffered(tls->wsi))
        return STREAM_SENT;
    (void)lws_callback_on_writable(tls->wsi); /* fails only for a dead connection */
    return STREAM_BUSY;
}

static void end_output(void *carried)
{
    struct tls_stream *tls = carried;

    if (tls->wsi != NULL && !is_busy(tls))
        (void)shutdown(lws_get_socket_fd(tls->wsi), SHUT_WR); /* fails only if it is gone */
}

static void release(void *carried)
{
    struct tls_stream *tls = carried;

    if (tls->wsi != NULL) {
        lws_set_opaque_user_data(tls->wsi, NULL);
        if (!tls->in_callback) { /* else the callback says that it is to be closed */
            lws_set_timeout(tls->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
            loop_lws_kick(tls->carrier->glue);
        }
    }
    free(tls->kept);
    tls->kept = NULL;
    tls->wsi = NULL;
    tls->stream = NULL;
    if (!tls->telling && !tls->in_callback)
        free(tls);
}

static int socket_of(const void *carried)
{
    const struct tls_stream *tls = carried;

    return tls->wsi == NULL ? -1 : lws_get_socket_fd(tls->wsi);
}

static const struct stream_kind kind = {want_input, read_kept, write_bytes, is_busy,
                                        end_output, socket_of, release};

/* What lws tells of. A stream may be freed within: then the callback's answer closes the wsi. */

static int leave_callback(struct tls_stream *tls)
{
    tls->in_callback = false;
    if (tls->stream != NULL)
        return 0;
    if (!tls->telling)
        free(tls);
    return -1;
}

static bool keep(struct tls_stream *tls, const char *bytes, size_t len)
{
    size_t left = tls->kept_len - tls->kept_at;
    char *kept;

    if (tls->kept_at > 0)
        memmove(tls->kept, tls->kept + tls->kept_at, left);
    tls->kept_at = 0;
    tls->kept_len = left;
    kept = realloc(tls->kept, left + len);
    if (kept == NULL)
        return false;
    memcpy(kept + left, bytes, len);
    tls->kept = kept;
    tls->kept_len = left + len;
    return true;
}

static int on_received(struct tls_stream *tls, const char *bytes, size_t len)
{
    if (!tls->established) /* lws would end the connection by the handshake's timer, done or not */
        lws_set_timeout(tls->wsi, NO_PENDING_TIMEOUT, 0);
    tls->established = true;
    if (len > 0 && !keep(tls, bytes, len))
        return -1;
    update_flow(tls);
    if (!tls->wanted)
        return 0;
    tls->in_callback = true;
    tls->stream->handlers->on_input(tls->stream->owner);
    return leave_callback(tls);
}

static int on_writable(struct tls_stream *tls)
{
    if (lws_partial_buffered(tls->wsi))
        return 0;
    if (tls->stream->ended_output)
        end_output(tls);
    tls->in_callback = true;
    tls->stream->handlers->on_drained(tls->stream->owner);
    return leave_callback(tls);
}

/* A handshake whose first flight is no good ends within adopt(), whose caller sees to the rest. */
static void on_closed(struct tls_stream *tls, struct lws *wsi)
{
    lws_set_opaque_user_data(wsi, NULL);
    if (tls->wsi == NULL)
        return;
    tls->wsi = NULL;
    tell_later(tls);
}

static void attach(struct tls_carrier *carrier, void *ssl_ctx)
{
    server_tls_attach(carrier->tls, ssl_ctx);
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t len)
{
    struct tls_stream *tls;

    switch (reason) {
    case LWS_CALLBACK_RAW_RX:
        tls = lws_get_opaque_user_data(wsi);
        return tls == NULL ? -1 : on_received(tls, in, len);
    case LWS_CALLBACK_RAW_WRITEABLE:
        tls = lws_get_opaque_user_data(wsi);
        return tls == NULL ? -1 : on_writable(tls);
    case LWS_CALLBACK_RAW_CLOSE:
        tls = lws_get_opaque_user_data(wsi);
        if (tls != NULL)
            on_closed(tls, wsi);
        return 0;
    case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS: /* here user is the SSL_CTX */
        attach(lws_context_user(lws_get_context(wsi)), user);
        return 0;
    default:
        return 0;
    }
}

/* tx_packet_size: or else lws cuts what it sends into pieces of rx_buffer_size. */
static const struct lws_protocols protocols[] = {
    {.name = "notify", .callback = on_lws, .rx_buffer_size = READ_BYTES, .tx_packet_size = 1 << 20},
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

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= MAX_DESCRIPTORS)
        return;
    limit.rlim_cur = MAX_DESCRIPTORS;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warn("descriptor_limit", "error", "it could not be lowered");
}

/* Without files: lws reads no certificate, but asks us to set one up (on_lws). */
static struct lws_context *make_context(struct tls_carrier *carrier)
{
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_SKIP_SERVER_CANONICAL_NAME |
                   LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX,
        .user = carrier,
        .gid = (gid_t)-1,
        .uid = (uid_t)-1,
        .alpn = "http/1.1",
        .retry_and_idle_policy = &no_validity_checks,
        .pt_serv_buf_size = READ_BYTES,
        .timeout_secs = HANDSHAKE_SECS,
    };

    loop_lws_prepare(carrier->glue, &info);
    lws_set_log_level(LLL_ERR | LLL_WARN, on_lws_log);
    clamp_descriptor_limit();
    return lws_create_context(&info);
}

struct tls_carrier *tls_carrier_new(struct loop *loop, const struct server_tls_config *config)
{
    struct tls_carrier *carrier = calloc(1, sizeof(*carrier));
    char why[TLS_WHY_MAX] = "out of memory";

    if (carrier == NULL)
        goto fail;
    carrier->loop = loop;
    carrier->tls = server_tls_new();
    carrier->glue = loop_lws_new(loop);
    if (carrier->glue == NULL || carrier->tls == NULL)
        goto fail;
    if (server_tls_read(carrier->tls, config, why) != 0)
        goto fail;
    (void)server_tls_take(carrier->tls); /* there is something */
    (void)snprintf(why, sizeof(why), "libwebsockets cannot be set up");
    carrier->context = make_context(carrier);
    if (carrier->context == NULL || lws_get_vhost_by_name(carrier->context, "default") == NULL)
        goto fail;
    return carrier;

fail:
    log_error("tls_failed", "reason", why);
    tls_carrier_free(carrier);
    return NULL;
}

void tls_carrier_free(struct tls_carrier *carrier)
{
    if (carrier == NULL)
        return;
    if (carrier->context != NULL)
        lws_context_destroy(carrier->context);
    server_tls_free(carrier->tls);
    loop_lws_free(carrier->glue);
    free(carrier);
}

int tls_carrier_read(struct tls_carrier *carrier, const struct server_tls_config *config)
{
    char why[TLS_WHY_MAX];

    if (server_tls_read(carrier->tls, config, why) != 0) {
        log_warn("certificate_unusable", "reason", why);
        return -EINVAL;
    }
    return 0;
}

void tls_carrier_take(struct tls_carrier *carrier)
{
    const char *cert = server_tls_take(carrier->tls);

    if (cert != NULL)
        log_info("certificate_read", "cert", cert);
}

static struct lws *adopt(struct tls_carrier *carrier, int fd, struct tls_stream *tls)
{
    const lws_adopt_desc_t desc = {
        .vh = lws_get_vhost_by_name(carrier->context, "default"),
        .type = LWS_ADOPT_SOCKET | LWS_ADOPT_ALLOW_SSL,
        .fd = {.sockfd = fd},
        .vh_prot_name = "notify",
        .opaque = tls,
    };
    struct lws *wsi = lws_adopt_descriptor_vhost_via_info(&desc); /* on failure it has closed fd */

    loop_lws_kick(carrier->glue);
    return wsi;
}

struct stream *tls_stream_new(struct tls_carrier *carrier, int fd,
                              const struct stream_handlers *handlers, void *owner)
{
    struct tls_stream *tls = calloc(1, sizeof(*tls));
    struct stream *stream = tls == NULL ? NULL : small_take(sizeof(*stream));

    if (stream == NULL) {
        free(tls);
        (void)close(fd); /* nothing was written to it */
        return NULL;
    }
    stream->socket.fd = -1;
    stream->handlers = handlers;
    stream->owner = owner;
    stream->kind = &kind;
    stream->carried = tls;
    tls->carrier = carrier;
    tls->stream = stream;
    tls->wsi = adopt(carrier, fd, tls);
    if (tls->wsi != NULL) {
        update_flow(tls);
        return stream;
    }
    free(tls);
    small_give(stream, sizeof(*stream));
    return NULL;
}
