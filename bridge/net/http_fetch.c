#include "net/http_fetch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/tls_files.h"

#define MAX_HEADERS_BYTES 16384
#define HTTP_OK_STATUS 200
#define LATE_TEXT "no answer in time"

/* What an URL is made of; owned texts. */
struct address {
    bool tls;
    char *host; /* without brackets */
    char *target;
    uint16_t port;
};

struct http_fetcher {
    struct loop *loop; /* borrowed */
    struct address address;
    struct http_fetch_limits limits;
    SSL_CTX *tls;                         /* owned; NULL for http */
    struct evhttp_connection *connection; /* owned; while a fetch is under way */
    struct loop_timer *deadline;          /* owned */
    http_fetch_fn fn;                     /* set while a fetch is under way */
    void *ctx;
    const char *error; /* that evhttp has told of */
};

/* Addresses. */

static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
           strcmp(host, "::1") == 0;
}

static void address_release(struct address *address)
{
    free(address->host);
    free(address->target);
}

static int make_target(struct address *address, const struct evhttp_uri *uri)
{
    const char *path = evhttp_uri_get_path(uri), *query = evhttp_uri_get_query(uri);
    const char *mark = query == NULL ? "" : "?";

    if (path == NULL || path[0] == '\0')
        path = "/";
    return asprintf(&address->target, "%s%s%s", path, mark, query == NULL ? "" : query) < 0 ? -1
                                                                                            : 0;
}

static char *bare_host(const char *host)
{
    size_t len = strlen(host);

    return host[0] == '[' && len > 2 ? strndup(host + 1, len - 2) : strdup(host);
}

/* NULL, or what is wrong; *ret must then still be released. */
static const char *address_read(struct address *ret, const struct evhttp_uri *uri, bool open)
{
    const char *scheme = uri == NULL ? NULL : evhttp_uri_get_scheme(uri);
    const char *host = uri == NULL ? NULL : evhttp_uri_get_host(uri);
    int port = uri == NULL ? -1 : evhttp_uri_get_port(uri);

    if (scheme == NULL || host == NULL || host[0] == '\0' || evhttp_uri_get_userinfo(uri) != NULL ||
        port == 0 || port > UINT16_MAX)
        return "it must be https://host[:port]/path";
    ret->tls = strcmp(scheme, "https") == 0;
    ret->port = (uint16_t)(port > 0 ? port : ret->tls ? 443 : 80);
    ret->host = bare_host(host);
    if (ret->host == NULL || make_target(ret, uri) != 0) {
        ret->target = NULL;
        return "out of memory";
    }
    if (!ret->tls && (strcmp(scheme, "http") != 0 || (!open && !is_loopback(ret->host))))
        return "https is needed (http only from this machine)";
    return NULL;
}

static const char *address_parse(struct address *ret, const char *url, bool open)
{
    struct evhttp_uri *uri = evhttp_uri_parse(url);
    const char *why;

    *ret = (struct address){.host = NULL};
    why = address_read(ret, uri, open);
    if (uri != NULL)
        evhttp_uri_free(uri);
    return why;
}

static const char *check(const char *url, bool open)
{
    struct address address;
    const char *why = address_parse(&address, url, open);

    address_release(&address);
    return why;
}

const char *http_fetch_check(const char *url)
{
    return check(url, false);
}

const char *http_fetch_check_open(const char *url)
{
    return check(url, true);
}

/* The end of a fetch. */

/* evhttp does not like its connection freed within a callback of it. */
static void end(void *ctx)
{
    struct http_fetcher *fetcher = ctx;

    if (fetcher->connection != NULL)
        evhttp_connection_free(fetcher->connection);
    fetcher->connection = NULL;
}

static void finish(struct http_fetcher *fetcher, const struct http_fetch_result *result)
{
    http_fetch_fn fn = fetcher->fn;

    fetcher->fn = NULL;
    loop_timer_cancel(fetcher->deadline);
    loop_defer(fetcher->loop, end, fetcher);
    if (fn != NULL)
        fn(fetcher->ctx, result);
}

static void on_error(enum evhttp_request_error error, void *ctx)
{
    static const char *const texts[] = {
        [EVREQ_HTTP_TIMEOUT] = LATE_TEXT,
        [EVREQ_HTTP_EOF] = "the connection ended",
        [EVREQ_HTTP_INVALID_HEADER] = "the answer is no HTTP",
        [EVREQ_HTTP_BUFFER_ERROR] = "the connection failed",
        [EVREQ_HTTP_REQUEST_CANCEL] = "cancelled",
        [EVREQ_HTTP_DATA_TOO_LONG] = "the answer is too long",
    };
    struct http_fetcher *fetcher = ctx;

    fetcher->error = texts[error];
}

/* evhttp's own time begins anew with each byte. Not from within a callback of its connection, which
 * so ends at once; and whatever it says of that is said to nobody. */
static void on_deadline(void *ctx)
{
    struct http_fetcher *fetcher = ctx;
    const struct http_fetch_result result = {.error = LATE_TEXT, .max_age_s = UINT64_MAX};
    http_fetch_fn fn = fetcher->fn;

    fetcher->fn = NULL;
    end(fetcher);
    loop_undefer(fetcher->loop, end, fetcher);
    if (fn != NULL)
        fn(fetcher->ctx, &result);
}

/* max-age=N among the directives of Cache-Control (RFC 9111, 5.2.2.1). */
static uint64_t read_max_age(const char *value)
{
    const char *at = value == NULL ? NULL : strstr(value, "max-age=");
    uint64_t seconds = 0;

    if (at == NULL || at[8] < '0' || at[8] > '9')
        return UINT64_MAX;
    for (at += 8; *at >= '0' && *at <= '9' && seconds < UINT32_MAX; at++)
        seconds = seconds * 10 + (uint64_t)(*at - '0');
    return seconds;
}

/* A failure comes without a request, or with one whose code is 0. */
static void on_answer(struct evhttp_request *request, void *ctx)
{
    struct http_fetcher *fetcher = ctx;
    struct http_fetch_result result = {.error = fetcher->error, .max_age_s = UINT64_MAX};
    struct evbuffer *body;

    result.status = request == NULL ? 0 : evhttp_request_get_response_code(request);
    if (result.status == 0) {
        if (result.error == NULL)
            result.error = "no connection (refused, or its certificate is not trusted)";
    } else if (result.status != HTTP_OK_STATUS) {
        result.error = "the answer is not 200";
    } else {
        body = evhttp_request_get_input_buffer(request);
        result.body =
            notify_str_of((const char *)evbuffer_pullup(body, -1), evbuffer_get_length(body));
        result.max_age_s = read_max_age(
            evhttp_find_header(evhttp_request_get_input_headers(request), "Cache-Control"));
    }
    ERR_clear_error();
    finish(fetcher, &result);
}

/* The begin. */

/* The certificate must be good for the name that was configured. */
static struct bufferevent *make_stream(struct http_fetcher *fetcher)
{
    struct event_base *base = loop_base(fetcher->loop);
    const char *host = fetcher->address.host;
    struct bufferevent *stream;
    SSL *ssl;

    if (fetcher->tls == NULL)
        return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    ssl = SSL_new(fetcher->tls);
    if (ssl == NULL || !SSL_set1_host(ssl, host) || !SSL_set_tlsext_host_name(ssl, host)) {
        SSL_free(ssl);
        return NULL;
    }
    stream = bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_CONNECTING,
                                            BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    if (stream == NULL)
        SSL_free(ssl);
    return stream;
}

static struct evhttp_connection *make_connection(struct http_fetcher *fetcher)
{
    struct timeval timeout = {.tv_sec = fetcher->limits.timeout_ms / 1000,
                              .tv_usec = fetcher->limits.timeout_ms % 1000 * 1000};
    /* Without it libevent would look names up with a call that blocks. */
    struct evdns_base *resolver = loop_resolver(fetcher->loop);
    struct bufferevent *stream = resolver == NULL ? NULL : make_stream(fetcher);
    struct evhttp_connection *connection;

    if (stream == NULL)
        return NULL;
    connection = evhttp_connection_base_bufferevent_new(
        loop_base(fetcher->loop), resolver, stream, fetcher->address.host, fetcher->address.port);
    if (connection == NULL) {
        bufferevent_free(stream);
        return NULL;
    }
    evhttp_connection_set_timeout_tv(connection, &timeout);
    evhttp_connection_set_retries(connection, 0);
    evhttp_connection_set_max_body_size(connection, (ev_ssize_t)fetcher->limits.max_bytes);
    evhttp_connection_set_max_headers_size(connection, MAX_HEADERS_BYTES);
    return connection;
}

static void put_headers(struct http_fetcher *fetcher, struct evhttp_request *request)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    const struct address *address = &fetcher->address;
    bool v6 = strchr(address->host, ':') != NULL;
    char host[300];

    (void)snprintf(host, sizeof(host), v6 ? "[%.250s]:%u" : "%.250s:%u", address->host,
                   (unsigned)address->port);
    (void)evhttp_add_header(headers, "Host", host); /* without it the server answers 400 */
    (void)evhttp_add_header(headers, "Accept",
                            fetcher->limits.accept == NULL ? "application/json"
                                                           : fetcher->limits.accept);
    (void)evhttp_add_header(headers, "Connection", "close");
}

int http_fetcher_start(struct http_fetcher *fetcher, http_fetch_fn fn, void *ctx)
{
    struct evhttp_request *request;

    if (fetcher->connection != NULL)
        return -EBUSY;
    fetcher->error = NULL;
    fetcher->connection = make_connection(fetcher);
    request = fetcher->connection == NULL ? NULL : evhttp_request_new(on_answer, fetcher);
    if (request == NULL) {
        end(fetcher);
        return -ENOMEM;
    }
    evhttp_request_set_error_cb(request, on_error);
    put_headers(fetcher, request);
    fetcher->fn = fn;
    fetcher->ctx = ctx;
    /* A failure at once calls on_answer(), or returns -1; then evhttp has freed the request. */
    if (evhttp_make_request(fetcher->connection, request, EVHTTP_REQ_GET,
                            fetcher->address.target) != 0 &&
        fetcher->fn != NULL) {
        fetcher->fn = NULL;
        end(fetcher);
        return -ENOMEM;
    }
    if (fetcher->fn != NULL)
        loop_timer_set(fetcher->deadline, fetcher->limits.timeout_ms);
    return 0;
}

static SSL_CTX *make_tls(const char *ca)
{
    char why[TLS_WHY_MAX] = "out of memory";
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

    if (tls == NULL || tls_files_least(tls, TLS_1_2, why) != 0 ||
        tls_files_trust(tls, ca, why) != 0) {
        log_error("certificates_unusable", "reason", why);
        SSL_CTX_free(tls);
        return NULL;
    }
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    return tls;
}

struct http_fetcher *http_fetcher_new(struct loop *loop, const char *url, const char *ca_file,
                                      const struct http_fetch_limits *limits)
{
    struct http_fetcher *fetcher = calloc(1, sizeof(*fetcher));

    if (fetcher == NULL)
        return NULL;
    fetcher->loop = loop;
    fetcher->limits = *limits;
    fetcher->deadline = loop_timer_new(loop, on_deadline, fetcher);
    if (fetcher->deadline == NULL || address_parse(&fetcher->address, url, limits->open) != NULL)
        goto fail;
    if (!fetcher->address.tls)
        return fetcher;
    fetcher->tls = make_tls(ca_file);
    if (fetcher->tls != NULL)
        return fetcher;
fail:
    http_fetcher_free(fetcher);
    return NULL;
}

void http_fetcher_free(struct http_fetcher *fetcher)
{
    if (fetcher == NULL)
        return;
    fetcher->fn = NULL;
    end(fetcher);
    loop_undefer(fetcher->loop, end, fetcher);
    loop_timer_free(fetcher->deadline);
    SSL_CTX_free(fetcher->tls);
    address_release(&fetcher->address);
    free(fetcher);
}
