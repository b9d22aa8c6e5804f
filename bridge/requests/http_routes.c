#include "requests/http_routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "clients/arrival_request.h"
#include "clients/client.h"
#include "net/addresses.h"
#include "net/conn.h"
#include "net/http.h"
#include "requests/admin_calls.h"
#include "requests/catalogue_pages.h"
#include "requests/chat_stream.h"
#include "requests/demo_kill.h"
#include "requests/http_call.h"
#include "requests/http_pattern.h"
#include "requests/http_route.h"
#include "requests/metrics_page.h"
#include "requests/post_calls.h"
#include "requests/readiness.h"
#include "requests/responder_http.h"
#include "requests/rest_calls.h"
#include "requests/www_files.h"
#include "socketio/engineio.h"

enum {
    STATUS_NOT_FOUND = 404,
    STATUS_METHOD_NOT_ALLOWED = 405,
    STATUS_INTERNAL = 500,
    STATUS_NOT_IMPLEMENTED = 501,
    STATUS_UNAVAILABLE = 503,
};

/* Where it is served. */
enum audience {
    EVERYWHERE,
    IN_DEVELOPMENT,
    WITH_DOCS,
    FOR_METRICS, /* not to clients if there is a place of their own for those who want them */
    FOR_ADMIN,   /* where somebody may run the bridge; no part of the API, as is the next */
    FOR_DEMO,    /* in development, where nobody is asked who he is */
};

/* One method of one path; GET is HEAD, too. Of several patterns that fit the first counts. */
struct route {
    const char *method;
    struct notify_str path; /* or a pattern (http_pattern.h) */
    const char *below;      /* and what is below it, which is shown so; or NULL */
    enum audience audience;
    bool operators; /* where these connect as well */
    bool socketio;  /* whatever the method: its engine says what becomes of it */
    enum http_carrier carrier;
    size_t body_max;              /* bytes, of those that are no call */
    const char *file;             /* of www/; or */
    const struct http_call *call; /* of the API; or */
    void (*answer)(const struct http_state *state, struct exchange *exchange);
};

/* Takes text over; NULL: out of memory. */
static void answer_json(struct exchange *exchange, int status, char *text, size_t len)
{
    const struct http_response response = {.status = status, .body = text, .len = len};

    if (text == NULL)
        exchange_refuse(exchange, STATUS_INTERNAL, NULL);
    else
        exchange_answer(exchange, &response);
    free(text);
}

static void answer_healthz(const struct http_state *state, struct exchange *exchange)
{
    size_t len = 0;
    char *text = readiness_health_text(&len);

    (void)state; /* the process answers: that is all that is asked */
    answer_json(exchange, 200, text, len);
}

static void answer_readyz(const struct http_state *state, struct exchange *exchange)
{
    size_t len = 0;
    char *text = readiness_ready_text(state->ready, &len);

    answer_json(exchange, state->ready ? 200 : STATUS_UNAVAILABLE, text, len);
}

static void answer_metrics(const struct http_state *state, struct exchange *exchange)
{
    enum metrics_format format = metrics_format_for(exchange_request(exchange)->head);
    size_t len = 0;
    char *page = metrics_page(format, &len);
    const struct http_response response = {.status = 200,
                                           .content_type = metrics_content_type(format),
                                           .headers = "Vary: Accept\r\n",
                                           .body = page,
                                           .len = len};

    (void)state;
    if (page == NULL)
        exchange_refuse(exchange, STATUS_INTERNAL, NULL);
    else
        exchange_answer(exchange, &response);
    free(page);
}

/* A stream that cannot be had just now is told so in it, and ended: a browser comes back to that
 * only. */
static void answer_events(const struct http_state *state, struct exchange *exchange)
{
    struct conn *conn;

    if (notify_str_eq(exchange_request(exchange)->method, NOTIFY_STR("HEAD"))) {
        exchange_answer_events_head(exchange);
        return;
    }
    conn = exchange_open_events(exchange);
    if (conn != NULL && state->crowded)
        conn_limit_met(conn, COUNTER_SOCKETS_REFUSED);
    if (conn != NULL && state->full != NULL)
        conn_close(conn, CONN_CLOSE_TRY_AGAIN, state->full);
    else if (conn != NULL)
        arrival_open(state->clients, conn, exchange_request(exchange));
    exchange_forget(exchange);
}

#define TEST_PAGE "/test-ws"

static void answer_root(const struct http_state *state, struct exchange *exchange)
{
    const struct http_response response = {
        .status = 302, .content_type = "text/plain", .headers = "Location: " TEST_PAGE "\r\n"};

    (void)state;
    exchange_answer(exchange, &response);
}

static void answer_kill(const struct http_state *state, struct exchange *exchange)
{
    demo_kill(state->clients->senders.loop, exchange);
}

/* The catalogue. */

static void answer_catalogue(const struct http_state *state, struct exchange *exchange)
{
    catalogue_answer_events(state->pages, exchange);
}

static void answer_event(const struct http_state *state, struct exchange *exchange)
{
    catalogue_answer_event(state->pages, exchange);
}

static void answer_validation(const struct http_state *state, struct exchange *exchange)
{
    catalogue_answer_validation(state->pages, exchange);
}

/* Below the table, of which it tells. */
static bool route_at(const struct http_state *state, size_t i, struct http_route *ret);

static void answer_openapi(const struct http_state *state, struct exchange *exchange)
{
    catalogue_answer_openapi(state->pages, exchange, route_at, state);
}

static void answer_asyncapi(const struct http_state *state, struct exchange *exchange)
{
    catalogue_answer_asyncapi(state->pages, exchange);
}

#define PATH(text) .path = NOTIFY_STR_INIT(text)

static const struct route routes[] = {
    {"GET", PATH("/ws"), .below = "/{client_id}", .carrier = HTTP_WEBSOCKET},
    {"GET", PATH("/api/v1/notifications/stream"), .carrier = HTTP_EVENTS, .answer = answer_events},
    {"GET", PATH("/api/v1/ws"), .below = "/{session_id}", .carrier = HTTP_WEBSOCKET},
    {"GET", PATH("/socket.io/"), .socketio = true},
    {"POST", PATH("/socket.io/"), .socketio = true},
    {"GET", PATH("/socket.io"), .socketio = true},
    {"POST", PATH("/socket.io"), .socketio = true},
    {"GET", PATH("/"), .answer = answer_root, .audience = IN_DEVELOPMENT},
    {"GET", PATH("/healthz"), .answer = answer_healthz, .operators = true},
    {"GET", PATH("/readyz"), .answer = answer_readyz, .operators = true},
    {"GET", PATH("/metrics"), .answer = answer_metrics, .operators = true, .audience = FOR_METRICS},
    {"GET", PATH("/notify.js"), .file = "notify.js"},
    {"GET", PATH("/notify-inbox.js"), .file = "notify-inbox.js"},
    {"GET", PATH(TEST_PAGE), .file = "test-ws.html", .audience = IN_DEVELOPMENT},
    {"GET", PATH("/docs"), .file = "docs.html", .audience = WITH_DOCS},
    {"GET", PATH("/redoc"), .file = "docs.html", .audience = WITH_DOCS},
    {"GET", PATH("/events"), .answer = answer_catalogue},
    {"GET", PATH("/events/{name}"), .answer = answer_event},
    {"POST", PATH("/events/{name}/validate"), .answer = answer_validation, .audience = WITH_DOCS,
     .body_max = CATALOGUE_BODY_MAX},
    {"GET", PATH("/openapi.json"), .answer = answer_openapi},
    {"GET", PATH("/asyncapi.json"), .answer = answer_asyncapi},
    {"GET", PATH(DEMO_PATH), .file = "demo.html", .audience = FOR_DEMO},
    {"GET", PATH(DEMO_PATH "/page.js"), .file = "demo.js", .audience = FOR_DEMO},
    {"GET", PATH(DEMO_PATH "/page.css"), .file = "demo.css", .audience = FOR_DEMO},
    {"POST", PATH(DEMO_PATH "/kill"), .answer = answer_kill, .audience = FOR_DEMO, .body_max = 64},
    {"GET", PATH(ADMIN_PATH), .file = "admin.html", .audience = FOR_ADMIN},
    {"GET", PATH(ADMIN_PATH "/page.js"), .file = "admin.js", .audience = FOR_ADMIN},
    {"GET", PATH(ADMIN_PATH "/page.css"), .file = "admin.css", .audience = FOR_ADMIN},
    {"GET", PATH(ADMIN_PATH "/state"), .call = &admin_state_call, .audience = FOR_ADMIN},
    {"GET", PATH(ADMIN_PATH "/user"), .call = &admin_user_call, .audience = FOR_ADMIN},
    {"POST", PATH(ADMIN_PATH "/send"), .call = &admin_send_call, .audience = FOR_ADMIN},
    {"POST", PATH(ADMIN_PATH "/kick"), .call = &admin_kick_call, .audience = FOR_ADMIN},
    {"OPTIONS", PATH("*")},
    {"GET", PATH("/api/v1/notifications"), .call = &rest_list},
    {"POST", PATH("/api/v1/notifications"), .call = &post_notification_call},
    {"GET", PATH("/api/v1/notifications/unread/count"), .call = &rest_count},
    {"POST", PATH("/api/v1/notifications/read-all"), .call = &rest_read_all},
    {"GET", PATH("/api/v1/notifications/{id}"), .call = &rest_show},
    {"DELETE", PATH("/api/v1/notifications/{id}"), .call = &rest_delete},
    {"PATCH", PATH("/api/v1/notifications/{id}/read"), .call = &rest_read},
    {"POST", PATH("/api/notifications"), .call = &post_event_call},
    {"POST", PATH("/api/v1/chat/stream"), .call = &chat_stream_call},
    {"POST", PATH("/api/v1/requests"), .call = &rest_requests},
    {"GET", PATH("/api/v1/statistics"), .call = &rest_statistics},
    {"GET", PATH("/api/v1/sessions/{user_id}"), .call = &rest_sessions},
    {"POST", PATH("/api/v1/sessions/{user_id}/kick"), .call = &rest_kick},
};
#define ROUTES (sizeof(routes) / sizeof(routes[0]))

static bool is_below(const struct route *route, struct notify_str path)
{
    return route->below != NULL && path.len > route->path.len &&
           memcmp(path.ptr, route->path.ptr, route->path.len) == 0 &&
           path.ptr[route->path.len] == '/';
}

static bool fits(const struct route *route, struct notify_str path)
{
    return http_pattern_fits(route->path, path, NULL, NULL) || is_below(route, path);
}

static bool is_served(const struct http_state *state, const struct route *route)
{
    if (route->socketio && state->engine == NULL)
        return false;
    if (route->audience == FOR_ADMIN)
        return state->admin;
    if (state->door != LISTEN_CLIENTS)
        return route->operators;
    if (route->audience == FOR_DEMO)
        return state->demo;
    if (route->audience == FOR_METRICS)
        return !state->metrics_apart;
    return route->audience == EVERYWHERE || state->dev ||
           (route->audience == WITH_DOCS && state->docs);
}

static bool is_of_api(const struct route *route)
{
    return route->audience != FOR_ADMIN && route->audience != FOR_DEMO;
}

static bool route_at(const struct http_state *state, size_t i, struct http_route *ret)
{
    for (size_t row = 0; row < ROUTES; row++) {
        const struct route *route = &routes[row];
        if (!is_served(state, route) || !is_of_api(route) || i-- > 0)
            continue;
        *ret = (struct http_route){.method = route->method,
                                   .path = route->path,
                                   .below = route->below,
                                   .carrier = route->carrier,
                                   .call = route->call};
        return true;
    }
    return false;
}

/* The first row of the path; those for its other methods have the same pattern. */
static const struct route *find_path(const struct http_state *state, struct notify_str path)
{
    for (size_t i = 0; i < ROUTES; i++)
        if (fits(&routes[i], path) && is_served(state, &routes[i]))
            return &routes[i];
    return NULL;
}

static bool is_of_path(const struct route *route, const struct route *path)
{
    return notify_str_eq(route->path, path->path);
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

/* All of a path: "GET, HEAD, OPTIONS". */
static void list_methods(char out[HTTP_ALLOW_MAX], const struct route *path)
{
    size_t len = 0;

    for (size_t i = 0; i < ROUTES; i++)
        if (is_of_path(&routes[i], path))
            len += (size_t)snprintf(out + len, HTTP_ALLOW_MAX - len, "%s%s%s", len > 0 ? ", " : "",
                                    routes[i].method,
                                    strcmp(routes[i].method, "GET") == 0 ? ", HEAD" : "");
    if (path->carrier != HTTP_WEBSOCKET && strcmp(path->method, "OPTIONS") != 0)
        (void)snprintf(out + len, HTTP_ALLOW_MAX - len, ", OPTIONS"); /* there is room */
}

/* NULL: the path has no such method. */
static const struct route *find_method(const struct route *path, struct notify_str method)
{
    if (notify_str_eq(method, NOTIFY_STR("HEAD")))
        method = NOTIFY_STR("GET");
    for (size_t i = 0; i < ROUTES; i++)
        if (is_of_path(&routes[i], path) && notify_str_eq(method, notify_str_z(routes[i].method)))
            return &routes[i];
    return path->carrier != HTTP_WEBSOCKET && notify_str_eq(method, NOTIFY_STR("OPTIONS")) ? path
                                                                                           : NULL;
}

int http_route_plan(const struct http_state *state, const struct http_request *req,
                    struct http_plan *ret_plan)
{
    const struct route *path = find_path(state, req->path), *route;

    if (path == NULL)
        return STATUS_NOT_FOUND;
    if (path->socketio && !notify_str_eq(req->method, NOTIFY_STR("OPTIONS")))
        return engineio_plan(state->engine, req, ret_plan);
    route = find_method(path, req->method);
    ret_plan->carrier = path->carrier;
    ret_plan->ctx = (void *)route;
    if (route != NULL) {
        ret_plan->body_max = route->call == NULL ? route->body_max : route->call->body_max;
        return 0;
    }
    list_methods(ret_plan->allow, path);
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

/* A browser asks before it sends what no form could (Fetch, "CORS-preflight"); it brings no token
 * then. Whether its page may is said by the answer's head (net/http_answer.c). */
#define PREFLIGHT                                                                                  \
    "Access-Control-Allow-Methods: %s\r\n"                                                         \
    "Access-Control-Allow-Headers: Authorization, Content-Type, Idempotency-Key, If-None-Match, "  \
    "Last-Event-ID\r\n"                                                                            \
    "Access-Control-Max-Age: 7200\r\n"

static void answer_options(const struct route *route, struct exchange *exchange)
{
    const struct http_request *req = exchange_request(exchange);
    char methods[HTTP_ALLOW_MAX], headers[512];
    const struct http_response response = {.status = 204, .headers = headers};
    bool is_preflight = exchange_plan(exchange)->readable && req->origin.len > 0 &&
                        http_field(req->head, "Access-Control-Request-Method", NULL).ptr != NULL;

    list_methods(methods, route);
    if (is_preflight)
        (void)snprintf(headers, sizeof(headers), "Allow: %s\r\n" PREFLIGHT, methods, methods);
    else
        (void)snprintf(headers, sizeof(headers), "Allow: %s\r\n", methods);
    exchange_answer(exchange, &response);
}

const struct http_call *http_route_call(const struct exchange *exchange)
{
    return ((const struct route *)exchange_plan(exchange)->ctx)->call;
}

static void refuse_full(const struct http_state *state, struct exchange *exchange)
{
    if (state->crowded)
        address_limit_met(exchange_request(exchange)->address, COUNTER_SOCKETS_REFUSED);
    exchange_refuse(exchange, STATUS_UNAVAILABLE, "Retry-After: 5\r\n");
}

bool http_route_is_own(struct notify_str path)
{
    for (size_t i = 0; i < ROUTES; i++)
        if (!is_of_api(&routes[i]) && notify_str_eq(routes[i].path, path))
            return true;
    return false;
}

bool http_route_is_socketio(struct notify_str path)
{
    for (size_t i = 0; i < ROUTES; i++)
        if (routes[i].socketio && notify_str_eq(routes[i].path, path))
            return true;
    return false;
}

void http_route_answer(const struct http_state *state, struct exchange *exchange)
{
    const struct route *route = exchange_plan(exchange)->ctx; /* not of Socket.IO */

    if (notify_str_eq(exchange_request(exchange)->method, NOTIFY_STR("OPTIONS")))
        answer_options(route, exchange);
    else if (http_route_is_socketio(exchange_request(exchange)->path))
        engineio_request(state->engine, exchange);
    else if (route->file != NULL)
        answer_file(route->file, exchange);
    else if (route->call != NULL && route->call->streams && state->full != NULL)
        refuse_full(state, exchange);
    else if (route->call != NULL)
        responder_http_begin(state->clients, exchange, route->call);
    else
        route->answer(state, exchange);
}
