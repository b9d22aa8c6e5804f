/* resolver: whom it asks, by files that are not there, come and change. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <event2/dns.h>
#include <event2/util.h>

#include "base/loop.h"
#include "base/resolver.h"
#include "redis/redis_address.h"
#include "redis/redis_link.h"
#include "redis/redis_route.h"

static struct {
    char folder[32], config[64], hosts[64];
    struct loop *loop;
    struct resolver *resolver;
    char found[INET6_ADDRSTRLEN]; /* "": nothing */
    bool answered;
} world;

static void begin(void)
{
    const struct resolver_files files = {.config = world.config, .hosts = world.hosts};

    strcpy(world.folder, P_tmpdir "/test_resolver.XXXXXX");
    cr_assert_not_null(mkdtemp(world.folder));
    (void)snprintf(world.config, sizeof(world.config), "%s/resolv.conf", world.folder);
    (void)snprintf(world.hosts, sizeof(world.hosts), "%s/hosts", world.folder);
    world.loop = loop_new();
    world.resolver = resolver_new(loop_base(world.loop), &files);
    cr_assert_not_null(world.resolver);
}

static void end(void)
{
    resolver_free(world.resolver);
    loop_free(world.loop);
    (void)unlink(world.config);
    (void)unlink(world.hosts);
    cr_assert_eq(rmdir(world.folder), 0);
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    cr_assert_not_null(file);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
}

static void on_found(int result, struct evutil_addrinfo *found, void *ctx)
{
    (void)ctx;
    world.answered = true;
    world.found[0] = '\0';
    if (result == 0 && found != NULL)
        cr_assert_eq(getnameinfo(found->ai_addr, (socklen_t)found->ai_addrlen, world.found,
                                 sizeof(world.found), NULL, 0, NI_NUMERICHOST),
                     0);
    if (found != NULL)
        evutil_freeaddrinfo(found);
}

/* NULL: it has been answered. */
static struct evdns_getaddrinfo_request *ask(const char *name)
{
    const struct evutil_addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};

    world.answered = false;
    return evdns_getaddrinfo(resolver_ask(world.resolver), name, NULL, &hints, on_found, NULL);
}

Test(resolver, what_the_hosts_file_has_is_found_where_no_name_server_is_configured)
{
    begin();
    put(world.hosts, "192.0.2.7 redis-of-a-test\n");
    cr_expect_null(ask("redis-of-a-test"));
    cr_expect_str_eq(world.found, "192.0.2.7");
    end();
}

Test(resolver, a_hosts_file_that_has_changed_counts_from_the_next_lookup_on)
{
    begin();
    put(world.hosts, "192.0.2.7 redis-of-a-test\n");
    cr_expect_null(ask("redis-of-a-test"));
    put(world.hosts, "192.0.2.123 redis-of-a-test\n");
    cr_expect_null(ask("redis-of-a-test"));
    cr_expect_str_eq(world.found, "192.0.2.123");
    end();
}

static void on_stop(void *ctx)
{
    loop_stop(ctx);
}

static void run_one_turn(struct loop *loop)
{
    loop_defer(loop, on_stop, loop);
    cr_assert_eq(loop_run(loop), 0);
}

/* libevent goes back to what was cancelled in the next turn. */
static void cancel(struct evdns_getaddrinfo_request *request)
{
    evdns_getaddrinfo_cancel(request);
    run_one_turn(world.loop);
    cr_expect(world.answered);
}

/* A name server that says nothing: a port of this machine. */
static int open_server(char text[64])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    cr_assert_eq(bind(fd, (struct sockaddr *)&at, len), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    (void)snprintf(text, 64, "nameserver 127.0.0.1:%u\n", ntohs(at.sin_port));
    return fd;
}

static void wait_until_asked(int server)
{
    struct loop_reader *reader = loop_reader_new(world.loop, server, on_stop, world.loop);
    char query[512];
    ssize_t len;

    cr_assert_eq(loop_run(world.loop), 0);
    len = recv(server, query, sizeof(query), 0);
    /* Behind the head and a length; libevent mixes upper and lower case, against forgeries. */
    cr_assert_gt(len, 20);
    cr_expect_eq(strncasecmp(query + 13, "made-up", 7), 0);
    loop_reader_free(reader);
}

Test(resolver, a_name_server_that_is_configured_later_is_asked, .timeout = 30)
{
    char text[64];
    int server = open_server(text);
    struct evdns_getaddrinfo_request *request;

    begin();
    put(world.config, text);
    request = ask("made-up.example");
    cr_assert_not_null(request);
    wait_until_asked(server);
    cancel(request);
    end();
    (void)close(server);
}

/* Nobody answers the first, who is not there any more. */
Test(resolver, a_lookup_under_way_asks_the_name_server_that_is_configured_meanwhile, .timeout = 30)
{
    char text[64], first_text[64];
    int server = open_server(text), first = open_server(first_text);
    struct evdns_getaddrinfo_request *request;

    begin();
    put(world.config, first_text);
    request = ask("made-up.example");
    wait_until_asked(first);
    put(world.config, text);
    (void)resolver_ask(world.resolver);
    wait_until_asked(server);
    cancel(request);
    end();
    (void)close(server);
    (void)close(first);
}

static const struct redis_address *where(void *ctx)
{
    return ctx;
}

/* libevent itself is not instrumented: what it reads of memory that was given back is to be nothing
 * that it can use. */
const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
    return "max_free_fill_size=65536:free_fill_byte=65";
}

Test(resolver, a_redis_link_can_be_freed_while_its_name_is_looked_up)
{
    char host[] = "made-up.example";
    struct redis_address address = {.host = host, .port = 6379};
    const struct redis_route route = {.where = where, .ctx = &address};
    struct loop *loop = loop_new();
    struct redis_link *link = redis_link_new(loop, "test", &route);

    redis_link_start(link);
    redis_link_free(link);
    run_one_turn(loop);
    loop_free(loop);
}
