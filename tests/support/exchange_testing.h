/* exchange_testing -- exchanges for unit tests, in place of those of http_conn.c: the answer is
 * kept for the test to look at. Header only; each test program is one translation unit. */
#ifndef EXCHANGE_TESTING_H
#define EXCHANGE_TESTING_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/http.h"

struct exchange {
    struct http_request req;
    struct http_plan plan;
    unsigned answers;
    struct http_response response; /* with copies of: */
    char headers[512];
    char body[4096];
    void (*on_gone)(void *ctx);
    void *ctx;
};

const struct http_request *exchange_request(const struct exchange *exchange)
{
    return &exchange->req;
}

const struct http_plan *exchange_plan(const struct exchange *exchange)
{
    return &exchange->plan;
}

void exchange_answer(struct exchange *exchange, const struct http_response *response)
{
    exchange->answers++;
    exchange->response = *response;
    (void)snprintf(exchange->headers, sizeof(exchange->headers), "%s",
                   response->headers == NULL ? "" : response->headers);
    (void)snprintf(exchange->body, sizeof(exchange->body), "%.*s", (int)response->len,
                   response->body == NULL ? "" : (const char *)response->body);
}

void exchange_refuse(struct exchange *exchange, int status, const char *headers)
{
    const struct http_response response = {.status = status, .headers = headers};

    exchange_answer(exchange, &response);
}

struct conn *exchange_open_events(struct exchange *exchange)
{
    exchange->answers++;
    exchange->response = (struct http_response){.status = 200, .content_type = "text/event-stream"};
    return NULL;
}

void exchange_forget(struct exchange *exchange)
{
    (void)exchange;
}

void exchange_upgrade(struct exchange *exchange)
{
    exchange->answers++;
    exchange->response = (struct http_response){.status = 101};
}

void exchange_answer_events_head(struct exchange *exchange)
{
    (void)exchange_open_events(exchange);
}

void exchange_on_gone(struct exchange *exchange, void (*fn)(void *ctx), void *ctx)
{
    exchange->on_gone = fn;
    exchange->ctx = ctx;
}

#endif
