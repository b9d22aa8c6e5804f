#include "requests/http_routes.h"

#include "net/transport.h"
#include "requests/www_files.h"

struct route {
    struct notify_str path;
    const char *file; /* of www/; or */
    void (*answer)(const struct http_state *state, struct http_response *ret);
    bool dev_only;
};

static void answer_text(struct http_response *ret, int status, const char *json)
{
    *ret = (struct http_response){
        .status = status, .content_type = "application/json", .body = json, .len = strlen(json)};
}

static void answer_healthz(const struct http_state *state, struct http_response *ret)
{
    (void)state; /* the process answers: that is all that is asked */
    answer_text(ret, 200, "{\"status\":\"up\"}\n");
}

static void answer_readyz(const struct http_state *state, struct http_response *ret)
{
    if (state->ready)
        answer_text(ret, 200, "{\"status\":\"ready\"}\n");
    else
        answer_text(ret, 503, "{\"status\":\"not ready\"}\n");
}

#define TEST_PAGE "/test-ws"

static void answer_root(const struct http_state *state, struct http_response *ret)
{
    (void)state;
    *ret = (struct http_response){
        .status = 302, .content_type = "text/plain", .body = "", .location = TEST_PAGE};
}

static const struct route routes[] = {
    {.path = {"/", 1}, .answer = answer_root, .dev_only = true},
    {.path = {"/healthz", 8}, .answer = answer_healthz},
    {.path = {"/readyz", 7}, .answer = answer_readyz},
    {.path = {"/notify.js", 10}, .file = "notify.js"},
    {.path = {TEST_PAGE, sizeof(TEST_PAGE) - 1}, .file = "test-ws.html", .dev_only = true},
};

static bool answer_file(const char *name, struct http_response *ret)
{
    for (size_t i = 0; i < www_file_count; i++) {
        const struct www_file *file = &www_files[i];
        if (strcmp(file->name, name) != 0)
            continue;
        *ret = (struct http_response){.status = 200,
                                      .content_type = file->content_type,
                                      .cache_control = "no-cache",
                                      .body = file->bytes,
                                      .len = file->len};
        return true;
    }
    return false;
}

bool http_route(const struct http_state *state, const struct conn_request *req,
                struct http_response *ret)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        const struct route *route = &routes[i];
        if (!notify_str_eq(route->path, req->path) || (route->dev_only && !state->dev))
            continue;
        if (route->file != NULL)
            return answer_file(route->file, ret);
        route->answer(state, ret);
        return true;
    }
    return false;
}
