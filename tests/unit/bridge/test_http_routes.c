/* What is answered on plain HTTP. */
#include <criterion/criterion.h>

#include "requests/http_routes.h"
#include "net/transport.h"
#include "requests/www_files.h"

static struct http_response response;

static bool ask(const char *path, bool dev, bool ready)
{
    struct conn_request req = {.path = notify_str_z(path), .query = NOTIFY_STR("a=b")};
    struct http_state state = {.dev = dev, .ready = ready};

    response = (struct http_response){0};
    return http_route(&state, &req, &response);
}

Test(http_routes, healthz_is_up_whatever_is_ready)
{
    cr_assert(ask("/healthz", false, false));
    cr_assert_eq(response.status, 200);
    cr_assert_str_eq(response.content_type, "application/json");
    cr_assert_null(response.cache_control, "not to be stored");
    cr_assert_eq(response.len, strlen(response.body));
}

Test(http_routes, readyz_tells_whether_clients_can_be_served)
{
    cr_assert(ask("/readyz", false, true));
    cr_assert_eq(response.status, 200);
    cr_assert(ask("/readyz", true, false));
    cr_assert_eq(response.status, 503);
}

static bool has_file(const char *name, const struct http_response *as)
{
    for (size_t i = 0; i < www_file_count; i++)
        if (strcmp(www_files[i].name, name) == 0)
            return www_files[i].bytes == as->body && www_files[i].len == as->len &&
                   www_files[i].content_type == as->content_type && as->len > 0;
    return false;
}

Test(http_routes, the_client_library_is_always_there)
{
    cr_assert(ask("/notify.js", false, false));
    cr_assert_eq(response.status, 200);
    cr_assert(has_file("notify.js", &response));
    cr_assert_not_null(strstr(response.content_type, "javascript"));
    cr_assert_not_null(response.cache_control);
}

Test(http_routes, the_page_is_there_in_development_only)
{
    cr_assert_not(ask("/test-ws", false, true));
    cr_assert(ask("/test-ws", true, true));
    cr_assert(has_file("test-ws.html", &response));
    cr_assert_not_null(strstr(response.content_type, "html"));
}

Test(http_routes, the_root_leads_to_the_page_in_development_only)
{
    cr_assert_not(ask("/", false, true));
    cr_assert(ask("/", true, true));
    cr_assert_eq(response.status, 302);
    cr_assert_str_eq(response.location, "/test-ws");
    cr_assert_eq(response.len, 0);
}

Test(http_routes, there_is_nothing_anywhere_else)
{
    static const char *const nowhere[] = {"",          "//",          "/healthz/", "/HEALTHZ",
                                          "//healthz", "/healthzz",   "healthz",   "/health",
                                          "/ws",       "/notify.js/", "/www",      "/test-ws.html"};

    for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++)
        cr_assert_not(ask(nowhere[i], true, true), "%s", nowhere[i]);
}
