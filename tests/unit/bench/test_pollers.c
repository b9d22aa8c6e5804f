/* Clients that poll, before a server that says what it is told to. */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pollers.h"

#define PATIENCE_TURNS 6000 /* of 10 ms */

struct stage {
    int listener;
    struct pollers *pollers;
    char heard[1024]; /* packets, each with a blank behind it */
};

static void query_of(void *ctx, uint32_t client, char *out, size_t cap)
{
    (void)ctx;
    (void)snprintf(out, cap, "user=u%u", client);
}

static void on_packet(void *ctx, uint32_t client, const char *packet, size_t len)
{
    struct stage *stage = ctx;
    size_t at = strlen(stage->heard);

    (void)client;
    (void)snprintf(stage->heard + at, sizeof(stage->heard) - at, "%.*s ", (int)len, packet);
}

/* One poller before a port of ours. */
static void stage_open(struct stage *stage)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *stage = (struct stage){.listener = socket(AF_INET, SOCK_STREAM, 0)};
    cr_assert_eq(bind(stage->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(listen(stage->listener, 8), 0);
    cr_assert_eq(getsockname(stage->listener, (struct sockaddr *)&address, &len), 0);
    stage->pollers = pollers_new(ntohs(address.sin_port), 1,
                                 (struct pollers_handlers){query_of, on_packet, stage});
    pollers_connect(stage->pollers);
}

static void stage_close(struct stage *stage)
{
    pollers_free(stage->pollers);
    (void)close(stage->listener);
}

static void wait_readable(struct stage *stage, int fd)
{
    for (int turn = 0; turn < PATIENCE_TURNS; turn++) {
        struct pollfd one = {.fd = fd, .events = POLLIN};
        if (poll(&one, 1, 0) == 1)
            return;
        pollers_poll(stage->pollers, 10);
    }
    cr_assert_fail("nothing came");
}

static int stage_accept(struct stage *stage)
{
    wait_readable(stage, stage->listener);
    return accept(stage->listener, NULL, NULL);
}

/* The next request on fd is this method's and ends with this. */
static void expect_request(struct stage *stage, int fd, const char *method, const char *end)
{
    char text[2048];

    wait_readable(stage, fd);
    ssize_t got = recv(fd, text, sizeof(text) - 1, 0);
    cr_assert_gt(got, (ssize_t)strlen(end));
    text[got] = '\0';
    cr_assert_eq(strncmp(text, method, strlen(method)), 0, "%s", text);
    cr_assert_str_eq(text + got - strlen(end), end);
}

static void say(int fd, const char *body)
{
    char text[1024];
    int len = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\ncontent-length: %zu\r\n\r\n%s",
                       strlen(body), body);

    cr_assert_eq(send(fd, text, (size_t)len, 0), (ssize_t)len);
}

/* A session is there, and its first poll on its way. Returns the connection that asks. */
static int open_session(struct stage *stage)
{
    int fd = stage_accept(stage);

    expect_request(stage, fd, "GET /socket.io/?EIO=4&transport=polling&user=u0 ", "\r\n\r\n");
    say(fd, "0{\"sid\":\"abc\"}");
    expect_request(stage, fd, "GET /socket.io/?EIO=4&transport=polling&user=u0&sid=abc ",
                   "\r\n\r\n");
    cr_assert_eq(pollers_open_count(stage->pollers), 1);
    return fd;
}

Test(pollers, asks_again_whenever_it_was_answered)
{
    struct stage stage;

    stage_open(&stage);
    int get = open_session(&stage);
    say(get, "2\x1e"
             "6");
    expect_request(&stage, get, "GET ", "\r\n\r\n");
    cr_assert_str_eq(stage.heard, "0{\"sid\":\"abc\"} 2 6 ");
    cr_assert_eq(pollers_answered(stage.pollers), 1);
    (void)close(get);
    stage_close(&stage);
}

Test(pollers, waits_for_the_rest_of_an_answer)
{
    struct stage stage;

    stage_open(&stage);
    int get = open_session(&stage);
    static const char start[] = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n42";
    cr_assert_eq(send(get, start, sizeof(start) - 1, 0), (ssize_t)sizeof(start) - 1);
    pollers_poll(stage.pollers, 100);
    cr_assert_eq(pollers_answered(stage.pollers), 0);
    cr_assert_eq(send(get, "[]", 2, 0), 2);
    expect_request(&stage, get, "GET ", "\r\n\r\n");
    cr_assert_str_eq(stage.heard, "0{\"sid\":\"abc\"} 42[] ");
    (void)close(get);
    stage_close(&stage);
}

Test(pollers, posts_together_what_came_during_a_post)
{
    struct stage stage;

    stage_open(&stage);
    int get = open_session(&stage);
    pollers_say(stage.pollers, 0, "40", 2);
    int post = stage_accept(&stage);
    expect_request(&stage, post, "POST ", "\r\n\r\n40");
    pollers_say(stage.pollers, 0, "3", 1);
    pollers_say(stage.pollers, 0, "42[\"a\"]", 7);
    say(post, "ok");
    expect_request(&stage, post, "POST ",
                   "\r\n\r\n3\x1e"
                   "42[\"a\"]");
    (void)close(get);
    (void)close(post);
    stage_close(&stage);
}

Test(pollers, opens_a_connection_again_that_ended_while_nothing_was_asked_on_it)
{
    struct stage stage;

    stage_open(&stage);
    int get = open_session(&stage);
    pollers_say(stage.pollers, 0, "40", 2);
    int post = stage_accept(&stage);
    expect_request(&stage, post, "POST ", "\r\n\r\n40");
    say(post, "ok");
    (void)close(post);
    pollers_poll(stage.pollers, 100);
    pollers_poll(stage.pollers, 100);
    pollers_say(stage.pollers, 0, "3", 1);
    post = stage_accept(&stage);
    expect_request(&stage, post, "POST ", "\r\n\r\n3");
    (void)close(get);
    (void)close(post);
    stage_close(&stage);
}

Test(pollers, gives_up_when_a_session_is_let_go_of, .exit_code = 1)
{
    struct stage stage;

    stage_open(&stage);
    int get = open_session(&stage);
    static const char gone[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    cr_assert_eq(send(get, gone, sizeof(gone) - 1, 0), (ssize_t)sizeof(gone) - 1);
    wait_readable(&stage, get);
}
