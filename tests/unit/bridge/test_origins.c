/* Whose pages may connect, and by which names the bridge may be called. */
#include <criterion/criterion.h>

#include "identity/origins.h"

static const char *const nothing[] = {NULL};

struct row {
    const char *origin, *host;
    bool allowed;
};

static void check(const struct origins *origins, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(
            origins_allow(origins, notify_str_z(rows[i].origin), notify_str_z(rows[i].host)),
            rows[i].allowed, "%s at %s", rows[i].origin, rows[i].host);
}
#define CHECK(origins, rows) check(origins, rows, sizeof(rows) / sizeof((rows)[0]))

Test(origins, a_page_of_the_same_host_and_port_may_connect)
{
    static const struct row rows[] = {
        {"http://a.example", "a.example", true},
        {"http://a.example:80", "a.example", true},
        {"http://a.example", "a.example:80", true},
        {"https://a.example", "a.example", true},
        {"https://a.example", "a.example:443", true},
        {"http://A.Example:8080", "a.eXample:8080", true},
        {"http://[::1]:8080", "[::1]:8080", true},
        {"http://127.0.0.1:8080", "127.0.0.1:8080", true},
        {"", "a.example", true}, /* no browser */
        {"", "", true},
        {"http://a.example", "", false},
        {"http://a.example", "b.example", false},
        {"http://a.example", "a.example:8080", false},
        {"http://a.example:8080", "a.example", false},
        {"https://a.example", "a.example:80", false},
        {"http://a.example", "a.example:443", false},
        {"http://a.example.evil", "a.example", false},
        {"http://evil-a.example", "a.example", false},
        {"http://b.a.example", "a.example", false},
        {"http://localhost:8080", "127.0.0.1:8080", false},
        {"http://localhost:3000", "localhost:8080", false},
        {"chrome-extension://abc", "abc", false},
        {"ws://a.example", "a.example", false},
        {"null", "null", false},
        {"null", "", false},
        {"a.example", "a.example", false},
        {"//a.example", "a.example", false},
        {"http://", "", false},
        {"http://a.example/", "a.example/", false},
        {"http://u@a.example", "u@a.example", false},
        {"http://a.example:", "a.example:", false},
        {"http://a.example:8x", "a.example:8x", false},
        {"http://a.example, http://b.example", "a.example", false},
        {"http://a.example b", "a.example b", false},
        {"http://a.example\r\nX: y", "a.example", false},
        {"http://\xc3\xa4.example", "\xc3\xa4.example", false},
    };
    const struct origins origins = {.allowed = nothing, .host_names = nothing};

    CHECK(&origins, rows);
}

Test(origins, in_development_pages_of_this_machine_may_connect)
{
    static const struct row rows[] = {
        {"http://localhost", "a.example", true},
        {"http://localhost:3000", "127.0.0.1:8080", true},
        {"https://LOCALHOST:3000", "127.0.0.1:8080", true},
        {"http://127.0.0.1:5173", "localhost:8080", true},
        {"http://127.255.0.9", "localhost:8080", true},
        {"http://[::1]:5173", "localhost:8080", true},
        {"http://[::ffff:127.0.0.1]", "localhost:8080", true},
        {"http://app.localhost:5173", "localhost:8080", true},
        {"http://localhost.evil.example", "localhost:8080", false},
        {"http://evillocalhost", "localhost:8080", false},
        {"http://.localhost", "localhost:8080", false},
        {"http://127.0.0.1.evil.example", "localhost:8080", false},
        {"http://128.0.0.1", "localhost:8080", false},
        {"http://127.1", "localhost:8080", false},
        {"http://0.0.0.0:8080", "localhost:8080", false},
        {"http://192.168.0.1", "localhost:8080", false},
        {"http://[::2]", "localhost:8080", false},
        {"http://::1", "localhost:8080", false},
        {"null", "localhost:8080", false},
        {"file://localhost", "localhost:8080", false},
    };
    const struct origins origins = {
        .allowed = nothing, .host_names = nothing, .loopback_pages = true};

    CHECK(&origins, rows);
}

Test(origins, what_is_configured_may_connect_too)
{
    static const char *const allowed[] = {"https://app.example.com", "http://b.example:8080",
                                          "capacitor://localhost", "null", NULL};
    static const struct row rows[] = {
        {"https://app.example.com", "notify.example.com", true},
        {"https://app.example.com:443", "notify.example.com", true},
        {"https://APP.example.com", "notify.example.com", true},
        {"http://b.example:8080", "x", true},
        {"capacitor://localhost", "x", true},
        {"null", "x", true},
        {"http://app.example.com", "x", false},
        {"https://app.example.com:8443", "x", false},
        {"https://app.example.com.evil", "x", false},
        {"http://b.example", "x", false},
        {"https://b.example:8080", "x", false},
        {"ionic://localhost", "x", false},
        {"NULL", "x", false},
        {"*", "x", false},
    };
    const struct origins origins = {.allowed = allowed, .host_names = nothing};

    CHECK(&origins, rows);
}

Test(origins, a_star_lets_all_in_but_repeats_nothing_that_ends_a_line)
{
    static const char *const allowed[] = {"*", NULL};
    static const struct row rows[] = {
        {"https://evil.example", "x", true},
        {"null", "x", true},
        {"anything", "", true},
        {"http://a\r\nSet-Cookie: b", "x", false},
        {"http://a b", "x", false},
        {"http://\xff", "x", false},
    };
    const struct origins origins = {.allowed = allowed, .host_names = nothing, .guard_host = true};

    CHECK(&origins, rows);
    cr_assert(origins_know_host(&origins, NOTIFY_STR("evil.example")));
}

struct host_row {
    const char *host;
    bool known;
};

Test(origins, what_is_reached_from_this_machine_alone_goes_by_its_names_alone)
{
    static const char *const names[] = {"notify.example.com", "bridge", NULL};
    static const struct host_row rows[] = {
        {"localhost", true},
        {"localhost:8080", true},
        {"127.0.0.1:8080", true},
        {"[::1]:8080", true},
        {"notify.example.com", true},
        {"Notify.Example.Com:443", true},
        {"bridge:8080", true},
        {"", true}, /* HTTP/1.0: no browser */
        {"evil.example", false},
        {"evil.example:8080", false},
        {"localhost.evil.example", false},
        {"127.0.0.1.evil.example:8080", false},
        {"notify.example.com.evil.example", false},
        {"xbridge", false},
        {"192.168.0.1:8080", false},
        {"0.0.0.0:8080", false},
        {"[::]:8080", false},
        {"::1", false},
        {"localhost:x", false},
        {"local host", false},
        {"localhost,evil.example", false},
    };
    const struct origins guarded = {
        .allowed = nothing, .host_names = names, .loopback_pages = true, .guard_host = true};
    const struct origins open = {.allowed = nothing, .host_names = names};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_assert_eq(origins_know_host(&guarded, notify_str_z(rows[i].host)), rows[i].known, "%s",
                     rows[i].host);
        cr_assert(origins_know_host(&open, notify_str_z(rows[i].host)), "%s", rows[i].host);
    }
}

Test(origins, what_is_configured_must_be_origins_and_names)
{
    static const char *const origins[] = {"*",
                                          "null",
                                          "https://a.example",
                                          "http://a:8080",
                                          "http://[::1]:80",
                                          "capacitor://localhost"};
    static const char *const no_origins[] = {"",
                                             "a.example",
                                             "https://",
                                             "https://a.example/",
                                             "https://a.example/x",
                                             "https://*.example.com",
                                             "https://a:",
                                             "https://a:b",
                                             "https://a b",
                                             "https://u@a",
                                             "**",
                                             "a:b"};
    static const char *const names[] = {"a", "notify.example.com", "10.0.0.7", "[fe80::1]",
                                        "my_bridge"};
    static const char *const no_names[] = {"",  "a:80", "http://a", "a/b",
                                           "*", "a b",  "::1",      "[::1]:80"};

    for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++)
        cr_assert(origin_is_valid(origins[i]), "%s", origins[i]);
    for (size_t i = 0; i < sizeof(no_origins) / sizeof(no_origins[0]); i++)
        cr_assert_not(origin_is_valid(no_origins[i]), "%s", no_origins[i]);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        cr_assert(host_name_is_valid(names[i]), "%s", names[i]);
    for (size_t i = 0; i < sizeof(no_names) / sizeof(no_names[0]); i++)
        cr_assert_not(host_name_is_valid(no_names[i]), "%s", no_names[i]);
}
