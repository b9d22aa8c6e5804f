/* transport_http -- ordinary HTTP: GET and HEAD, answered at once from memory.
 *
 * The HTTP parser of lws 4.3 lets through what a server must not: chunked bodies, several or
 * negative lengths, one request's bytes taken for another's body. So every request is checked here
 * before anything is done, and one that has a body is answered and its connection closed. */
#include "net/transport_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/log.h"
#include "base/loop.h"
#include "net/loop_lws.h"

#define MAX_HEAD_BYTES 1024
#define MAX_LENGTH_DIGITS 18

/* Statuses that this side gives by itself, and what the body then says. */
struct status_text {
    int status;
    const char *reason, *code, *message;
};

static const struct status_text statuses[] = {
    {200, "OK", "OK", ""},
    {204, "No Content", "OK", ""},
    {302, "Found", "OK", ""},
    {304, "Not Modified", "OK", ""},
    {400, "Bad Request", "BAD_REQUEST", "the request is malformed"},
    {401, "Unauthorized", "UNAUTHORIZED", "authentication is needed"},
    {403, "Forbidden", "FORBIDDEN", "this is not allowed"},
    {404, "Not Found", "NOT_FOUND", "there is nothing at this path"},
    {405, "Method Not Allowed", "METHOD_NOT_ALLOWED", "only GET and HEAD are served here"},
    {411, "Length Required", "LENGTH_REQUIRED", "a body needs a Content-Length"},
    {413, "Content Too Large", "BODY_NOT_ACCEPTED", "no body is accepted here"},
    {426, "Upgrade Required", "UPGRADE_REQUIRED",
     "this address is for WebSocket, version 13; a proxy in front must pass the upgrade on"},
    {429, "Too Many Requests", "RATE_LIMITED", "too many requests"},
    {431, "Request Header Fields Too Large", "HEADER_TOO_LARGE", "a header is too long"},
    {500, "Internal Server Error", "PROCESSING_ERROR", "the request could not be processed"},
    {501, "Not Implemented", "NOT_IMPLEMENTED", "transfer codings are not supported"},
    {503, "Service Unavailable", "UNAVAILABLE", "try again later"},
    {505, "HTTP Version Not Supported", "HTTP_VERSION", "HTTP/1.0 or HTTP/1.1 is needed"},
};

static const struct status_text *find_status(int status)
{
    static const struct status_text other = {0, "Error", "ERROR", "the request failed"};

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        if (statuses[i].status == status)
            return &statuses[i];
    }
    return &other;
}

/* How often a header occurs: 0, 1, or 2 for more. lws keeps each occurrence as a fragment. */
static int count_header(struct lws *wsi, enum lws_token_indexes header)
{
    char value[TRANSPORT_HEADER_BYTES];

    if (lws_hdr_copy_fragment(wsi, value, sizeof(value), header, 0) < 0)
        return 0;
    return lws_hdr_copy_fragment(wsi, value, sizeof(value), header, 1) < 0 ? 1 : 2;
}

/* What lws took for the name of an unknown header tells of blanks before the colon, of folded lines
 * and of lines without a colon: all ways to smuggle something past a proxy. */
static void check_name(const char *name, int len, void *ctx)
{
    bool *ok = ctx;

    for (int i = 0; i < len; i++) {
        if (name[i] <= ' ' || name[i] == 0x7F || (i < len - 1 && name[i] == ':'))
            *ok = false;
    }
}

/* -1: malformed. */
static int64_t read_length(struct lws *wsi)
{
    char value[MAX_LENGTH_DIGITS + 2];
    int len = lws_hdr_copy(wsi, value, sizeof(value), WSI_TOKEN_HTTP_CONTENT_LENGTH);
    int64_t number = 0;

    if (len <= 0 || len > MAX_LENGTH_DIGITS)
        return -1;
    for (int i = 0; i < len; i++) {
        if (value[i] < '0' || value[i] > '9')
            return -1;
        number = number * 10 + (value[i] - '0');
    }
    return number;
}

static int check_body(struct lws *wsi, int method)
{
    int count = count_header(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH);
    int64_t length = count == 0 ? 0 : read_length(wsi);
    bool wants_body =
        method == LWSHUMETH_POST || method == LWSHUMETH_PUT || method == LWSHUMETH_PATCH;

    if (count_header(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0)
        return HTTP_STATUS_NOT_IMPLEMENTED;
    if (count > 1 || length < 0)
        return HTTP_STATUS_BAD_REQUEST;
    if (wants_body && count == 0)
        return HTTP_STATUS_LENGTH_REQUIRED;
    if (method != LWSHUMETH_GET && method != LWSHUMETH_HEAD)
        return HTTP_STATUS_METHOD_NOT_ALLOWED;
    return length > 0 ? HTTP_STATUS_REQ_ENTITY_TOO_LARGE : 0;
}

/* 0 for HTTP/1.0, 1 for HTTP/1.1, -1 for anything else. */
static int minor_version(struct lws *wsi)
{
    char value[16];

    if (lws_hdr_copy(wsi, value, sizeof(value), WSI_TOKEN_HTTP) != 8)
        return -1;
    return strcmp(value, "HTTP/1.1") == 0 ? 1 : strcmp(value, "HTTP/1.0") == 0 ? 0 : -1;
}

int transport_http_check(struct lws *wsi)
{
    char *uri = NULL;
    int uri_len = 0;
    int method = lws_http_get_uri_and_method(wsi, &uri, &uri_len);
    int version = minor_version(wsi);
    int hosts = count_header(wsi, WSI_TOKEN_HOST);
    bool names_ok = true;

    if (method < 0 || uri == NULL || uri_len < 1 || uri[0] != '/')
        return HTTP_STATUS_BAD_REQUEST;
    if (version < 0)
        return HTTP_STATUS_HTTP_VERSION_NOT_SUPPORTED;
    lws_hdr_custom_name_foreach(wsi, check_name, &names_ok);
    if (!names_ok || hosts > 1 || (hosts == 0 && version == 1))
        return HTTP_STATUS_BAD_REQUEST;
    return check_body(wsi, method);
}

/* What lws will do with the connection after the answer, by the same rules. */
static bool is_last_request(struct lws *wsi)
{
    if (minor_version(wsi) == 1)
        return transport_header_has(wsi, WSI_TOKEN_CONNECTION, "close");
    return !transport_header_has(wsi, WSI_TOKEN_CONNECTION, "keep-alive");
}

static void format_date(const struct transport *transport, char out[64])
{
    time_t now = (time_t)(loop_wall_ms(transport->loop) / 1000);
    struct tm utc;

    if (gmtime_r(&now, &utc) == NULL || strftime(out, 64, "%a, %d %b %Y %H:%M:%S GMT", &utc) == 0)
        memcpy(out, "Thu, 01 Jan 1970 00:00:00 GMT", 30);
}

/* Lines that a status needs; Connection is another matter. */
static const char *lines_of_status(int status)
{
    switch (status) {
    case HTTP_STATUS_METHOD_NOT_ALLOWED:
        return "Allow: GET, HEAD\r\n";
    case TRANSPORT_UPGRADE_REQUIRED:
        return "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    default:
        return "";
    }
}

static int format_head(const struct transport *transport, char *out,
                       const struct http_response *response, bool close)
{
    bool upgrade = response->status == TRANSPORT_UPGRADE_REQUIRED;
    char date[64];

    format_date(transport, date);
    return snprintf(
        out, MAX_HEAD_BYTES,
        "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
        "Cache-Control: %s\r\nConnection: %s%s\r\nX-Content-Type-Options: nosniff\r\n"
        "X-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n"
        "Content-Security-Policy: base-uri 'none'; object-src 'none'; "
        "frame-ancestors 'none'\r\n%s%s%s%s\r\n",
        response->status, find_status(response->status)->reason, date, response->content_type,
        response->len, response->cache_control == NULL ? "no-store" : response->cache_control,
        close ? "close" : "keep-alive", upgrade ? ", Upgrade" : "",
        lines_of_status(response->status), response->location == NULL ? "" : "Location: ",
        response->location == NULL ? "" : response->location,
        response->location == NULL ? "" : "\r\n");
}

/* Head and body in one write. 0, or -1 when the connection is dead. */
static int send_response(struct transport *transport, struct lws *wsi,
                         const struct http_response *response, bool with_body, bool close)
{
    size_t body_len = with_body ? response->len : 0;
    char *bytes = malloc(MAX_HEAD_BYTES + body_len);
    int head_len;
    int sent;

    if (bytes == NULL)
        return -1;
    head_len = format_head(transport, bytes, response, close);
    if (head_len < 0 || head_len >= MAX_HEAD_BYTES) { /* a content type as long as that is a bug */
        free(bytes);
        return -1;
    }
    if (body_len > 0)
        memcpy(bytes + head_len, response->body, body_len);
    sent = lws_write(wsi, (unsigned char *)bytes, (size_t)head_len + body_len, LWS_WRITE_HTTP);
    free(bytes);
    return sent < 0 ? -1 : 0;
}

/* Throws away what still comes from a peer that was refused, until it closes or lws' timeout. */
static void discard_input(void *ctx)
{
    struct lws *wsi = ctx;
    struct transport *transport = lws_context_user(lws_get_context(wsi));
    ssize_t n = recv(lws_get_socket_fd(wsi), transport->input, sizeof(transport->input), 0);

    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        return;
    loop_lws_want_input(transport->glue, wsi, false);
    transport_kill(transport, wsi);
}

/* Closing a socket while there is something to read in it makes the kernel send a reset, which can
 * overtake the answer. So our side is closed first, and the rest when the peer has closed its own.
 */
static void linger(struct transport *transport, struct lws *wsi)
{
    if (lws_partial_buffered(wsi))
        return;                                      /* lws ends it by its own timeout */
    (void)shutdown(lws_get_socket_fd(wsi), SHUT_WR); /* fails only if the peer is gone */
    loop_lws_take_input(transport->glue, wsi, discard_input, wsi);
    lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, TRANSPORT_LINGER_SECS);
    loop_lws_kick(transport->glue);
}

static bool is_head(struct lws *wsi)
{
    return lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI) > 0;
}

/* Sends the JSON answer of an error. 0 or -1 as send_response(). */
static int send_error(struct transport *transport, struct lws *wsi, int status, bool close)
{
    const struct status_text *text = find_status(status);
    struct http_response response = {.status = status, .content_type = "application/json"};
    char body[256];
    int len = snprintf(body, sizeof(body),
                       "{\"error\":{\"code\":\"%s\",\"message\":\"%s\",\"details\":null}}\n",
                       text->code, text->message);

    response.body = body;
    response.len = (size_t)len;
    return send_response(transport, wsi, &response, !is_head(wsi), close);
}

int transport_http_refuse(struct transport *transport, struct lws *wsi, int status)
{
    log_debug("http_refused", "status", log_int(status));
    return send_error(transport, wsi, status, true);
}

/* What could not be carried to lws stands in it as 0xff (http_head.h). */
static bool is_refused_path(struct notify_str path)
{
    return memchr(path.ptr, 0xff, path.len) != NULL;
}

/* 0, or the status to refuse the request with. */
static int check_request(struct transport *transport, struct lws *wsi)
{
    const struct conn_request *req = &transport->texts.req;
    int status = transport_http_check(wsi);

    if (status == 0)
        status = transport_read_request(transport, wsi);
    if (status != 0)
        return status;
    if (is_refused_path(req->path))
        return HTTP_STATUS_BAD_REQUEST;
    return transport_ws_is_path(transport, req->path) ? TRANSPORT_UPGRADE_REQUIRED : 0;
}

int transport_http_answer(struct transport *transport, struct lws *wsi, bool close)
{
    struct http_response response = {.status = 200, .content_type = "text/plain"};
    int status = check_request(transport, wsi);
    int sent;

    if (status != 0) {
        if (transport_http_refuse(transport, wsi, status) != 0 || close)
            return -1;
        linger(transport, wsi);
        return 0;
    }
    close = close || is_last_request(wsi);
    if (transport->config.http(transport->config.ctx, &transport->texts.req, &response))
        sent = send_response(transport, wsi, &response, !is_head(wsi), close);
    else
        sent = send_error(transport, wsi, HTTP_STATUS_NOT_FOUND, close);
    if (sent != 0 || close)
        return -1; /* lws sends what is buffered first */
    return lws_http_transaction_completed(wsi) ? -1 : 0;
}
