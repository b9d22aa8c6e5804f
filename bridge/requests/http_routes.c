#include "requests/http_routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/http.h"
#include "requests/metrics_page.h"
#include "requests/www_files.h"

enum {
    STATUS_NOT_FOUND = 404,
    STATUS_METHOD_NOT_ALLOWED = 405,
    STATUS_INTERNAL = 500,
    STATUS_NOT_IMPLEMENTED = 501,
};

struct route {
    struct notify_str path;
    bool below; /* and what is below it */
    bool dev_only;
    enum http_carrier carrier;
    const char *allow; /* methods: what is answered to others, too */
    const char *file;  /* of www/; or */
    void (*answer)(const struct http_state *state, struct exchange *exchange);
};

static void answer_json(struct exchange *exchange, int status, const char *json)
{
    const struct http_response response = {.status = status, .body = json, .len = strlen(json)};

    exchange_answer(exchange, &response);
}

static void answer_healthz(const struct http_state *state, struct exchange *exchange)
{
    (void)state; /* the process answers: that is all that is asked */
    answer_json(exchange, 200, "{\"status\":\"up\"}\n");
}

static void answer_readyz(const struct http_state *state, struct exchange *exchange)
{
    if (state->ready)
        answer_json(exchange, 200, "{\"status\":\"ready\"}\n");
    else
        answer_json(exchange, 503, "{\"status\":\"not ready\"}\n");
}

static void answer_metrics(const struct http_state *state, struct exchange *exchange)
{
    size_t len = 0;
    char *page = metrics_page(&len);
    const struct http_response response = {
        .status = 200, .content_type = METRICS_CONTENT_TYPE, .body = page, .len = len};

    (void)state;
    if (page == NULL)
        exchange_refuse(exchange, STATUS_INTERNAL, NULL);
    else
        exchange_answer(exchange, &response);
    free(page);
}

#define TEST_PAGE "/test-ws"

static void answer_root(const struct http_state *state, struct exchange *exchange)
{
    const struct http_response response = {
        .status = 302, .content_type = "text/plain", .headers = "Location: " TEST_PAGE "\r\n"};

    (void)state;
    exchange_answer(exchange, &response);
}

#define GET "GET, HEAD, OPTIONS"

static const struct route routes[] = {
    {.path = NOTIFY_STR_INIT("/ws"),
     .below = true,
     .carrier = HTTP_WEBSOCKET,
     .allow = "GET, HEAD"},
    {.path = NOTIFY_STR_INIT("/"), .allow = GET, .answer = answer_root, .dev_only = true},
    {.path = NOTIFY_STR_INIT("/healthz"), .allow = GET, .answer = answer_healthz},
    {.path = NOTIFY_STR_INIT("/readyz"), .allow = GET, .answer = answer_readyz},
    {.path = NOTIFY_STR_INIT("/metrics"), .allow = GET, .answer = answer_metrics},
    {.path = NOTIFY_STR_INIT("/notify.js"), .allow = GET, .file = "notify.js"},
    {.path = NOTIFY_STR_INIT(TEST_PAGE), .allow = GET, .file = "test-ws.html", .dev_only = true},
    {.path = NOTIFY_STR_INIT("*"), .allow = "OPTIONS"},
};

static bool fits(const struct route *route, struct notify_str path)
{
    struct notify_str begin = notify_str_of(path.ptr, route->path.len);

    if (path.len < route->path.len || !notify_str_eq(begin, route->path))
        return false;
    return path.len == begin.len || (route->below && path.ptr[begin.len] == '/');
}

static const struct route *find_route(const struct http_state *state, struct notify_str path)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        if (fits(&routes[i], path) && (state->dev || !routes[i].dev_only))
            return &routes[i];
    return NULL;
}

/* Whether method is one of a list such as "GET, HEAD". */
static bool is_among(struct notify_str method, const char *list)
{
    for (const char *at = list; *at != '\0'; at += strspn(at, ", ")) {
        size_t len = strcspn(at, ",");
        if (notify_str_eq(method, notify_str_of(at, len)))
            return true;
        at += len;
    }
    return false;
}

int http_route_plan(const struct http_state *state, const struct http_request *req,
                    struct http_plan *ret_plan)
{
    const struct route *route = find_route(state, req->path);

    if (route == NULL)
        return STATUS_NOT_FOUND;
    ret_plan->carrier = route->carrier;
    ret_plan->ctx = (void *)route;
    if (is_among(req->method, route->allow))
        return 0;
    ret_plan->allow = route->allow;
    return is_among(req->method, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE")
               ? STATUS_METHOD_NOT_ALLOWED
               : STATUS_NOT_IMPLEMENTED;
}

static void answer_file(const char *name, struct exchange *exchange)
{
    for (size_t i = 0; i < www_file_count; i++) {
        const struct www_file *file = &www_files[i];
        const struct http_response response = {.status = 200,
                                               .content_type = file->content_type,
                                               .cache_control = "no-cache",
                                               .body = file->bytes,
                                               .len = file->len};

        if (strcmp(file->name, name) == 0) {
            exchange_answer(exchange, &response);
            return;
        }
    }
    exchange_refuse(exchange, STATUS_NOT_FOUND, NULL);
}

static void answer_options(const struct route *route, struct exchange *exchange)
{
    char allow[96];
    const struct http_response response = {.status = 204, .headers = allow};

    (void)snprintf(allow, sizeof(allow), "Allow: %s\r\n", route->allow);
    exchange_answer(exchange, &response);
}

void http_route_answer(const struct http_state *state, struct exchange *exchange)
{
    const struct route *route = exchange_plan_ctx(exchange);

    if (notify_str_eq(exchange_request(exchange)->method, NOTIFY_STR("OPTIONS")))
        answer_options(route, exchange);
    else if (route->file != NULL)
        answer_file(route->file, exchange);
    else
        route->answer(state, exchange);
}
