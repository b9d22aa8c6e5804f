#include "net/http_answer.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

struct status_text {
    int status;
    const char *reason, *code, *message;
};

static const struct status_text statuses[] = {
    {101, "Switching Protocols", "OK", ""},
    {200, "OK", "OK", ""},
    {201, "Created", "OK", ""},
    {202, "Accepted", "OK", ""},
    {204, "No Content", "OK", ""},
    {302, "Found", "OK", ""},
    {304, "Not Modified", "OK", ""},
    {307, "Temporary Redirect", "OK", ""},
    {400, "Bad Request", "BAD_REQUEST", "the request is malformed"},
    {401, "Unauthorized", "UNAUTHORIZED", "authentication is needed"},
    {403, "Forbidden", "FORBIDDEN", "this is not allowed"},
    {404, "Not Found", "NOT_FOUND", "there is nothing at this path"},
    {405, "Method Not Allowed", "METHOD_NOT_ALLOWED", "this method is not served here"},
    {408, "Request Timeout", "REQUEST_TIMEOUT", "the request did not come in time"},
    {409, "Conflict", "CONFLICT", "the same request is being processed"},
    {413, "Content Too Large", "BODY_TOO_LARGE", "the body is longer than what is accepted here"},
    {414, "URI Too Long", "URI_TOO_LONG", "the target is too long"},
    {415, "Unsupported Media Type", "UNSUPPORTED_MEDIA_TYPE", "application/json is needed"},
    {417, "Expectation Failed", "EXPECTATION_FAILED", "only 100-continue can be expected"},
    {422, "Unprocessable Content", "INVALID_FIELD", "a member of the request is not valid"},
    {426, "Upgrade Required", "UPGRADE_REQUIRED",
     "this is a WebSocket (a proxy in front must pass the upgrade on: HTTP/1.1, Upgrade, "
     "Connection)"},
    {429, "Too Many Requests", "RATE_LIMITED", "too many requests"},
    {431, "Request Header Fields Too Large", "HEADER_TOO_LARGE", "a header is too long"},
    {500, "Internal Server Error", "PROCESSING_ERROR", "the request could not be processed"},
    {501, "Not Implemented", "NOT_IMPLEMENTED", "this method or transfer coding is not supported"},
    {503, "Service Unavailable", "UNAVAILABLE", "try again later"},
    {505, "HTTP Version Not Supported", "HTTP_VERSION", "HTTP/1.0 or HTTP/1.1 is needed"},
};

static const struct status_text *find_status(int status)
{
    static const struct status_text other = {0, "Error", "ERROR", "the request failed"};

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
        if (statuses[i].status == status)
            return &statuses[i];
    return &other;
}

static void format_date(char out[64], uint64_t wall_ms)
{
    time_t now = (time_t)(wall_ms / 1000);
    struct tm utc;

    if (gmtime_r(&now, &utc) == NULL || strftime(out, 64, "%a, %d %b %Y %H:%M:%S GMT", &utc) == 0)
        memcpy(out, "Thu, 01 Jan 1970 00:00:00 GMT", 30);
}

/* What is said of a body; nothing where there cannot be one (RFC 9110, 8.6). */
static void format_content(char out[160], const struct http_response *response)
{
    const char *type = response->content_type == NULL ? "application/json" : response->content_type;
    char length[48] = "";

    if (response->extent == HTTP_SIZED)
        (void)snprintf(length, sizeof(length), "Content-Length: %zu\r\n", response->len);
    else if (response->extent == HTTP_IN_CHUNKS)
        (void)snprintf(length, sizeof(length), "Transfer-Encoding: chunked\r\n");
    out[0] = '\0';
    if (response->status != 204 && response->status != 304)
        (void)snprintf(out, 160, "Content-Type: %.100s\r\n%s", type, length);
}

#define READABLE                                                                                   \
    "Access-Control-Expose-Headers: ETag, Location, Retry-After, Idempotent-Replayed\r\n"

/* An answer differs by the Origin that asked, also where that had no effect this time. */
static bool format_reader(char out[HTTP_ANSWER_HEAD_MAX], const struct http_reader *reader)
{
    static const char vary[] = "Vary: Origin\r\n";
    int len = sizeof(vary) - 1;

    if (reader->origin.len == 0)
        memcpy(out, vary, sizeof(vary));
    else
        len = snprintf(out, HTTP_ANSWER_HEAD_MAX,
                       "%sAccess-Control-Allow-Origin: %.*s\r\n" READABLE "%s", vary,
                       (int)reader->origin.len, reader->origin.ptr,
                       reader->credentials ? "Access-Control-Allow-Credentials: true\r\n" : "");
    return len < HTTP_ANSWER_HEAD_MAX;
}

int http_answer_head(char out[HTTP_ANSWER_HEAD_MAX], const struct http_response *response,
                     const struct http_reader *reader, uint64_t wall_ms, bool close)
{
    char date[64], content[160], readers[HTTP_ANSWER_HEAD_MAX];
    int len;

    if (!format_reader(readers, reader))
        return -1;

    format_date(date, wall_ms);
    format_content(content, response);
    len = snprintf(out, HTTP_ANSWER_HEAD_MAX,
                   "HTTP/1.1 %d %s\r\nDate: %s\r\n%sCache-Control: %s\r\nConnection: %s%s\r\n"
                   "X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n"
                   "Referrer-Policy: no-referrer\r\n"
                   "Content-Security-Policy: base-uri 'none'; object-src 'none'; "
                   "frame-ancestors 'none'\r\n%s%s\r\n",
                   response->status, find_status(response->status)->reason, date, content,
                   response->cache_control == NULL ? "no-store" : response->cache_control,
                   close ? "close" : "keep-alive",
                   response->status == 426 ? ", Upgrade" : "", /* RFC 9110, 7.8 */
                   readers, response->headers == NULL ? "" : response->headers);
    return len < HTTP_ANSWER_HEAD_MAX ? len : -1;
}

const char *http_status_reason(int status)
{
    return find_status(status)->reason;
}

size_t http_answer_error(char out[HTTP_ERROR_MAX], int status, const char *why)
{
    const struct status_text *text = find_status(status);

    return (size_t)snprintf(out, HTTP_ERROR_MAX,
                            "{\"error\":{\"code\":\"%s\",\"message\":\"%s\",\"details\":null}}\n",
                            text->code, why == NULL ? text->message : why);
}
