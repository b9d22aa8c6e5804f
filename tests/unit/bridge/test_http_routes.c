/* What is answered on plain HTTP. */
#include <criterion/criterion.h>

#include "conn_testing.h"
#include "exchange_testing.h"
#include "link_testing.h"
#include "loop_testing.h"
#include "requests/http_call.h"
#include "requests/http_routes.h"
#include "socketio/engineio.h"
#include "requests/www_files.h"

/* Of Socket.IO, which is not there. */
int engineio_plan(struct engineio *engine, const struct http_request *req,
                  struct http_plan *ret_plan)
{
    (void)engine;
    (void)req;
    (void)ret_plan;
    return 501;
}

void engineio_request(struct engineio *engine, struct exchange *exchange)
{
    (void)engine;
    (void)exchange;
}

static struct exchange exchange;

/* The status of the answer; 101 for a WebSocket. */
static int ask_by(const char *method, const char *path, bool dev, bool ready)
{
    struct http_state state = {.dev = dev, .ready = ready};
    int status;

    exchange = (struct exchange){.req = {.method = notify_str_z(method),
                                         .path = notify_str_z(path),
                                         .query = NOTIFY_STR("a=b")}};
    status = http_route_plan(&state, &exchange.req, &exchange.plan);
    if (status != 0)
        return status;
    if (exchange.plan.carrier == HTTP_WEBSOCKET)
        return 101;
    http_route_answer(&state, &exchange);
    cr_assert_eq(exchange.answers, 1);
    return exchange.response.status;
}

/* As ask(), at that door, where those who watch have one of their own. */
static int ask_apart(const char *path, enum listen_door door)
{
    struct http_state state = {.dev = true,
                               .ready = true,
                               .door = door,
                               .admin = door == LISTEN_ADMIN,
                               .metrics_apart = true};
    int status;

    exchange = (struct exchange){
        .req = {.method = NOTIFY_STR("GET"), .path = notify_str_z(path), .door = door}};
    status = http_route_plan(&state, &exchange.req, &exchange.plan);
    if (status != 0 || exchange.plan.carrier == HTTP_WEBSOCKET)
        return status;
    http_route_answer(&state, &exchange);
    return exchange.response.status;
}

static int ask(const char *path, bool dev, bool ready)
{
    return ask_by("GET", path, dev, ready);
}

Test(http_routes, healthz_is_up_whatever_is_ready)
{
    cr_assert_eq(ask("/healthz", false, false), 200);
    cr_assert_null(exchange.response.content_type, "JSON");
    cr_assert_null(exchange.response.cache_control, "not to be stored");
    cr_assert_eq(exchange.response.len, strlen(exchange.body));
}

Test(http_routes, readyz_tells_whether_clients_can_be_served)
{
    cr_assert_eq(ask("/readyz", false, true), 200);
    cr_assert_eq(ask("/readyz", true, LISTEN_CLIENTS), 503);
}

Test(http_routes, operators_have_numbers_and_states_and_nothing_else)
{
    static const char *const others[] = {
        "/ws",     "/",           "/notify.js",           "/openapi.json",
        "/events", "/socket.io/", "/api/v1/notifications"};

    cr_assert_eq(ask_apart("/metrics", LISTEN_METRICS), 200);
    cr_assert_eq(ask_apart("/healthz", LISTEN_METRICS), 200);
    cr_assert_eq(ask_apart("/readyz", LISTEN_METRICS), 200);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        cr_assert_eq(ask_apart(others[i], LISTEN_METRICS), 404, "%s", others[i]);
}

Test(http_routes, the_page_for_who_runs_the_bridge_is_at_its_door_and_where_it_is_asked_for)
{
    struct http_state state = {.ready = true};
    struct http_request req = {.method = NOTIFY_STR("GET"), .path = NOTIFY_STR("/admin/state")};
    struct http_plan plan = {.body_max = 0};

    cr_assert_eq(ask_apart("/admin", LISTEN_ADMIN), 200);
    cr_assert_eq(ask_apart("/metrics", LISTEN_ADMIN), 200);
    cr_assert_eq(ask_apart("/notify.js", LISTEN_ADMIN), 404);
    cr_assert_eq(ask_apart("/admin", LISTEN_METRICS), 404);
    cr_assert_eq(ask_apart("/admin", LISTEN_CLIENTS), 404);
    cr_assert_eq(http_route_plan(&state, &req, &plan), 404);
    state.admin = true;
    cr_assert_eq(http_route_plan(&state, &req, &plan), 0);
    cr_assert(http_route_is_own(req.path) && !http_route_is_own(NOTIFY_STR("/metrics")));
}

Test(http_routes, clients_have_no_numbers_where_these_have_a_place_of_their_own)
{
    cr_assert_eq(ask_apart("/metrics", LISTEN_CLIENTS), 404);
    cr_assert_eq(ask_apart("/healthz", LISTEN_CLIENTS), 200);
    cr_assert_eq(ask_apart("/notify.js", LISTEN_CLIENTS), 200);
    cr_assert_eq(ask("/metrics", false, true), 200);
}

static bool has_file(const char *name, const struct http_response *as)
{
    for (size_t i = 0; i < www_file_count; i++)
        if (strcmp(www_files[i].name, name) == 0)
            return www_files[i].bytes == as->body && www_files[i].len == as->len &&
                   www_files[i].content_type == as->content_type && as->len > 0;
    return false;
}

Test(http_routes, the_client_library_and_the_component_are_always_there)
{
    static const char *const paths[] = {"/notify.js", "/notify-inbox.js"};

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        cr_assert_eq(ask(paths[i], false, false), 200);
        cr_assert(has_file(paths[i] + 1, &exchange.response));
        cr_assert_not_null(strstr(exchange.response.content_type, "javascript"));
        cr_assert_not_null(exchange.response.cache_control);
        cr_assert_eq(ask_by("HEAD", paths[i], false, false), 200);
    }
}

Test(http_routes, the_page_is_there_in_development_only)
{
    cr_assert_eq(ask("/test-ws", false, true), 404);
    cr_assert_eq(ask("/test-ws", true, true), 200);
    cr_assert(has_file("test-ws.html", &exchange.response));
    cr_assert_not_null(strstr(exchange.response.content_type, "html"));
}

Test(http_routes, the_root_leads_to_the_page_in_development_only)
{
    cr_assert_eq(ask("/", false, true), 404);
    cr_assert_eq(ask("/", true, true), 302);
    cr_assert_str_eq(exchange.headers, "Location: /test-ws\r\n");
    cr_assert_eq(exchange.response.len, 0);
}

Test(http_routes, websockets_are_at_ws_and_below)
{
    cr_assert_eq(ask("/ws", false, false), 101);
    cr_assert_eq(ask("/ws/alice", false, false), 101);
    cr_assert_eq(ask("/ws/a/b", false, false),
                 101); /* what is wrong with it is told by those above */
    cr_assert_eq(ask("/wsx", false, false), 404);
}

Test(http_routes, there_is_nothing_anywhere_else)
{
    static const char *const nowhere[] = {
        "",        "//",      "/healthz/",   "/HEALTHZ", "//healthz",    "/healthzz",
        "healthz", "/health", "/notify.js/", "/www",     "/test-ws.html"};

    for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++)
        cr_assert_eq(ask(nowhere[i], true, true), 404, "%s", nowhere[i]);
}

/* What is planned for it: the name of the call, or NULL. */
static const char *call_of(const char *method, const char *path)
{
    const struct http_state state = {.ready = true};
    struct http_request req = {.method = notify_str_z(method), .path = notify_str_z(path)};
    const struct http_call *call;

    exchange = (struct exchange){.req = req};
    if (http_route_plan(&state, &req, &exchange.plan) != 0)
        return NULL;
    call = http_route_call(&exchange);
    return call == NULL ? "none" : call->type.name;
}

Test(http_routes, each_method_of_a_path_of_the_api_is_its_own_call)
{
    cr_assert_str_eq(call_of("GET", "/api/v1/sessions/alice"), "the sessions");
    cr_assert_str_eq(call_of("HEAD", "/api/v1/sessions/alice"), "the sessions");
    cr_assert_str_eq(call_of("POST", "/api/v1/sessions/alice/kick"), "kick");
    cr_assert_gt(exchange.plan.body_max, 0);
    cr_assert_null(call_of("POST", "/api/v1/sessions/alice"));
    cr_assert_str_eq(exchange.plan.allow, "GET, HEAD, OPTIONS");
    cr_assert_null(call_of("GET", "/api/v1/sessions/alice/kick"));
    cr_assert_str_eq(exchange.plan.allow, "POST, OPTIONS");
    cr_assert_null(call_of("GET", "/api/v1/sessions/"));
    cr_assert_null(call_of("GET", "/api/v1/sessions/alice/more"));
}

Test(http_routes, a_preflight_is_told_what_a_page_may_send_if_it_may)
{
    struct http_head head = {.field_count = 1};

    head.fields[0] =
        (struct http_field){NOTIFY_STR("Access-Control-Request-Method"), NOTIFY_STR("POST")};
    for (int may = 0; may < 2; may++) {
        const struct http_state state = {.ready = true};
        exchange = (struct exchange){.req = {.method = NOTIFY_STR("OPTIONS"),
                                             .path = NOTIFY_STR("/api/v1/requests"),
                                             .origin = NOTIFY_STR("https://app.example.com"),
                                             .head = &head}};
        cr_assert_eq(http_route_plan(&state, &exchange.req, &exchange.plan), 0);
        exchange.plan.readable = may;
        http_route_answer(&state, &exchange);
        cr_assert_eq(exchange.response.status, 204);
        cr_assert_not_null(strstr(exchange.headers, "Allow: POST, OPTIONS\r\n"));
        cr_assert_eq(strstr(exchange.headers, "Access-Control-Allow-Methods: POST, OPTIONS\r\n") !=
                         NULL,
                     may);
        cr_assert_eq(strstr(exchange.headers, "Authorization") != NULL, may);
    }
}

Test(http_routes, other_methods_are_told_which_there_are)
{
    cr_assert_eq(ask_by("POST", "/healthz", false, true), 405);
    cr_assert_str_eq(exchange.plan.allow, "GET, HEAD, OPTIONS");
    cr_assert_eq(ask_by("TRACE", "/healthz", false, true), 405);
    cr_assert_eq(ask_by("get", "/healthz", false, true), 501);
    cr_assert_eq(ask_by("BREW", "/healthz", false, true), 501);
    cr_assert_eq(ask_by("BREW", "/nothing", false, true), 404,
                 "unknown path before unknown method");
    cr_assert_eq(ask_by("POST", "/ws", false, true), 405);
    cr_assert_eq(ask_by("OPTIONS", "/healthz", false, true), 204);
    cr_assert_str_eq(exchange.headers, "Allow: GET, HEAD, OPTIONS\r\n");
    cr_assert_eq(ask_by("OPTIONS", "*", false, true), 204);
    cr_assert_eq(ask_by("GET", "*", false, true), 405);
}
