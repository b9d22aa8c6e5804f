#include "socketio/reply.h"

#include <string.h>

#include "net/http.h"
#include "socketio/session.h"

#define STATUS_UNAVAILABLE 503

static const struct error_text {
    int status;
    const char *message, *json;
} error_texts[] = {
    {400, "Transport unknown", "{\"code\":0,\"message\":\"Transport unknown\"}"},
    {400, "Session ID unknown", "{\"code\":1,\"message\":\"Session ID unknown\"}"},
    {400, "Bad handshake method", "{\"code\":2,\"message\":\"Bad handshake method\"}"},
    {400, "Bad request", "{\"code\":3,\"message\":\"Bad request\"}"},
    {403, "Forbidden", "{\"code\":4,\"message\":\"Forbidden\"}"},
    {400, "Unsupported protocol version",
     "{\"code\":5,\"message\":\"Unsupported protocol version\"}"},
    {503, "Unavailable", "{\"code\":3,\"message\":\"Unavailable\"}"},
};

const char *error_message(enum engineio_error error)
{
    return error_texts[error].message;
}

const char *error_json(enum engineio_error error)
{
    return error_texts[error].json;
}

enum engineio_error error_of_status(int status)
{
    return status == STATUS_UNAVAILABLE ? ERROR_AWAY : ERROR_FORBIDDEN;
}

void reply_refusal(const struct engineio *engine, struct exchange *exchange,
                   enum engineio_error error)
{
    const struct error_text *text = &error_texts[error];
    const struct http_response response = {.status = text->status,
                                           .content_type = "text/html",
                                           .headers = engine->config.headers,
                                           .body = text->message,
                                           .len = strlen(text->message)};

    exchange_answer(exchange, &response);
}

void reply_error(const struct engineio *engine, struct exchange *exchange,
                 enum engineio_error error)
{
    const struct error_text *text = &error_texts[error];
    const struct http_response response = {.status = text->status,
                                           .headers = engine->config.headers,
                                           .body = text->json,
                                           .len = strlen(text->json)};

    exchange_answer(exchange, &response);
}

void reply_packets(const struct engineio *engine, struct exchange *exchange,
                   struct notify_str packets)
{
    const struct http_response response = {.status = 200,
                                           .content_type = "text/plain; charset=UTF-8",
                                           .headers = engine->config.headers,
                                           .body = packets.ptr,
                                           .len = packets.len};

    exchange_answer(exchange, &response);
}

void reply_taken(const struct engineio *engine, struct exchange *exchange)
{
    const struct http_response response = {.status = 200,
                                           .content_type = "text/html",
                                           .headers = engine->config.headers,
                                           .body = "ok",
                                           .len = 2};

    exchange_answer(exchange, &response);
}
