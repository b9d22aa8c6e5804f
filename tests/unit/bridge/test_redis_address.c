/* The URL of a Redis server. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "redis/redis_address.h"

static char *text(const char *literal)
{
    return (char *)literal; /* only compared with */
}

static void check(const char *url, struct redis_address expected)
{
    struct redis_address a = {0};
    const char *why = NULL;

    cr_assert_eq(redis_address_parse(&a, &why, url), 0, "%s: %s", url, why);
    cr_assert_null(why);
    cr_assert_eq(a.port, expected.port, "%s: port %d", url, a.port);
    cr_assert_eq(a.db, expected.db, "%s: db %d", url, a.db);
    cr_assert_eq(a.tls, expected.tls, "%s", url);
    cr_assert_str_eq(a.host == NULL ? "(none)" : a.host,
                     expected.host == NULL ? "(none)" : expected.host, "%s", url);
    cr_assert_str_eq(a.path == NULL ? "(none)" : a.path,
                     expected.path == NULL ? "(none)" : expected.path, "%s", url);
    cr_assert_str_eq(a.user == NULL ? "(none)" : a.user,
                     expected.user == NULL ? "(none)" : expected.user, "%s", url);
    cr_assert_str_eq(a.password == NULL ? "(none)" : a.password,
                     expected.password == NULL ? "(none)" : expected.password, "%s", url);
    redis_address_release(&a);
    cr_assert_null(a.host);
}

Test(redis_address, reads_hosts_ports_and_databases)
{
    check("redis://localhost", (struct redis_address){.host = text("localhost"), .port = 6379});
    check("redis://10.0.0.1:7000", (struct redis_address){.host = text("10.0.0.1"), .port = 7000});
    check("redis://h/", (struct redis_address){.host = text("h"), .port = 6379});
    check("redis://h:1/15", (struct redis_address){.host = text("h"), .port = 1, .db = 15});
    check("redis://[::1]", (struct redis_address){.host = text("::1"), .port = 6379});
    check("redis://[::1]:65535/2",
          (struct redis_address){.host = text("::1"), .port = 65535, .db = 2});
}

Test(redis_address, reads_that_tls_is_to_be_spoken)
{
    check("rediss://h:1/2",
          (struct redis_address){.host = text("h"), .port = 1, .db = 2, .tls = true});
    cr_assert(redis_address_is_tls("rediss://h") && !redis_address_is_tls("redis://h"));
}

Test(redis_address, reads_users_and_passwords_in_front_of_a_path)
{
    check("unix://u:p%40@/a@/b?db=1", (struct redis_address){.path = text("/a@/b"),
                                                             .port = 6379,
                                                             .db = 1,
                                                             .user = text("u"),
                                                             .password = text("p@")});
    check("unix:///a@/b", (struct redis_address){.path = text("/a@/b"), .port = 6379});
}

Test(redis_address, reads_users_and_passwords)
{
    check("redis://u:p@h",
          (struct redis_address){
              .host = text("h"), .port = 6379, .user = text("u"), .password = text("p")});
    check("redis://:p@h",
          (struct redis_address){.host = text("h"), .port = 6379, .password = text("p")});
    check("redis://p@h",
          (struct redis_address){.host = text("h"), .port = 6379, .password = text("p")});
    check("redis://u:a:b@c@h",
          (struct redis_address){
              .host = text("h"), .port = 6379, .user = text("u"), .password = text("a:b@c")});
    check("redis://%75%3a:%40%2F%25@h:5/1",
          (struct redis_address){
              .host = text("h"), .port = 5, .db = 1, .user = text("u:"), .password = text("@/%")});
}

Test(redis_address, reads_paths_of_sockets)
{
    check("unix:///run/redis.sock",
          (struct redis_address){.path = text("/run/redis.sock"), .port = 6379});
    check("unix:///run/a@b:c?db=3",
          (struct redis_address){.path = text("/run/a@b:c"), .port = 6379, .db = 3});
}

struct bad {
    const char *url;
    const char *why; /* part of the reason */
};

static const struct bad bad[] = {
    {"", "begins with"},
    {"localhost:6379", "begins with"},
    {"http://localhost", "begins with"},
    {"REDIS://localhost", "begins with"},
    {"redis:/localhost", "begins with"},
    {"redis://", "host is missing"},
    {"redis:///1", "host is missing"},
    {"redis://:6379", "host is missing"},
    {"redis://u:p@", "host is missing"},
    {"redis://u:p@:1", "host is missing"},
    {"redis://[]", "host is missing"},
    {"redis://[::1", "no ']'"},
    {"redis://[::1]x", "port"},
    {"redis://h:", "port"},
    {"redis://h:x", "port"},
    {"redis://h:-1", "port"},
    {"redis://h:65536", "port"},
    {"redis://h:0", "port"},
    {"rediss://", "host"},
    {"unix://u:p@h/sock", "absolute"},
    {"unix://u:%zz@/sock", "percent-encoded"},
    {"redis://h:6379x", "port"},
    {"redis://h:00006379000", "port"},
    {"redis://h/x", "database"},
    {"redis://h/-1", "database"},
    {"redis://h/1/2", "database"},
    {"redis://h/10000", "database"},
    {"redis://h/1?x=y", "database"},
    {"redis://%:p@h", "user"},
    {"redis://%zz:p@h", "user"},
    {"redis://u:%@h", "password"},
    {"redis://u:%4@h", "password"},
    {"redis://u:%00@h", "password"},
    {"redis://u:% 1@h", "password"},
    {"redis://u:%+1@h", "password"},
    {"redis://u:%-1@h", "password"},
    {"redis://u:%0x@h", "password"},
    {"unix://", "absolute"},
    {"unix://run/redis.sock", "absolute"},
    {"unix://?db=1", "absolute"},
    {"unix:///s?", "db="},
    {"unix:///s?db=", "db="},
    {"unix:///s?db=x", "db="},
    {"unix:///s?db=1&x=2", "db="},
    {"unix:///s?user=x", "db="},
};

Test(redis_address, says_what_is_wrong_and_leaves_the_rest_alone)
{
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct redis_address a = {.db = 77};
        const char *why = NULL;
        cr_assert_eq(redis_address_parse(&a, &why, bad[i].url), -EINVAL, "%s", bad[i].url);
        cr_assert(strstr(why, bad[i].why) != NULL, "%s: %s", bad[i].url, why);
        cr_assert_eq(a.db, 77);
        cr_assert_null(a.host);
    }
}

/* The addresses of a list, with "; " between them. */
static void check_list(const char *url, const char *expected)
{
    struct redis_addresses list;
    char all[1024] = "", one[REDIS_ADDRESS_TEXT_MAX];
    const char *why;

    cr_assert_eq(redis_addresses_parse(&list, &why, url, 26379), 0, "%s: %s", url, why);
    for (size_t i = 0; i < list.len; i++) {
        struct redis_address *a = &list.items[i];
        size_t len = strlen(all);
        (void)snprintf(all + len, sizeof(all) - len, "%s%s@%s/%d%s", a->user == NULL ? "" : a->user,
                       a->password == NULL ? "" : a->password, redis_address_text(a, one), a->db,
                       i + 1 < list.len ? "; " : "");
    }
    cr_assert_str_eq(all, expected);
    redis_addresses_release(&list);
}

Test(redis_address, reads_several_servers_each_with_what_stands_around_them)
{
    check_list("redis://a", "@a:26379/0");
    check_list("redis://u:p@a,b:1,[::1],[::2]:3/4",
               "up@a:26379/4; up@b:1/4; up@[::1]:26379/4; up@[::2]:3/4");
    check_list("rediss://:x,y@a,b/", "x,y@a:26379/0; x,y@b:26379/0");
    check_list("unix:///a,b", "@unix:/a,b/0");
    cr_assert_eq(redis_address_count("redis://u:,,@a,b/1"), 2);
    cr_assert_eq(redis_address_count("unix:///a,b"), 0);
}

Test(redis_address, says_what_is_wrong_with_one_of_several)
{
    cr_assert_not_null(strstr(redis_address_check("redis://a,b:0"), "port"));
    cr_assert_not_null(strstr(redis_address_check("redis://a,"), "host"));
    cr_assert_not_null(strstr(redis_address_check("redis://,a"), "host"));
    cr_assert_not_null(strstr(redis_address_check("redis://a,b/x"), "database"));
    cr_assert_not_null(strstr(redis_address_check("a,b"), "begins with"));
    cr_assert_not_null(strstr(
        redis_address_check("redis://1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"), "too many"));
}
