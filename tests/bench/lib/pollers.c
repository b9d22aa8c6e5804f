/* pollers -- very many clients that poll; see pollers.h. */
#include "pollers.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "message.h"
#include "packets.h"

#define OPENING_MAX 256 /* sessions being opened at a time */
#define EVENTS_MAX 512
#define IN_BYTES ((size_t)1 << 20) /* one read, and the longest answer */
#define REQUEST_BYTES 1024
#define SID_BYTES 128
#define DUE_BYTES 256 /* packets that wait to be posted */
#define WATCHED UINT32_MAX
#define POST_FLAG UINT32_C(0x80000000) /* in an event's number: the connection that says */

enum line_state {
    LINE_CLOSED,
    LINE_CONNECTING,
    LINE_IDLE,
    LINE_WAITING, /* for an answer */
};

/* A connection. */
struct line {
    int fd;
    enum line_state state;
    uint32_t rest_len;
    char *rest; /* owned: the beginning of an answer; NULL for none */
};

struct poller {
    struct line get, post;
    char sid[SID_BYTES]; /* empty: no session yet */
    uint32_t due_len;
    char due[DUE_BYTES];
};

struct pollers {
    struct pollers_handlers handlers;
    struct sockaddr_in address;
    int epoll;
    uint32_t count;
    uint32_t next; /* the first that has not been begun with */
    uint32_t open;
    uint64_t received, answered;
    void (*watch_fn)(void *ctx);
    void *watch_ctx;
    char *in;               /* owned, IN_BYTES */
    struct poller *pollers; /* owned, count of them */
};

struct answer {
    struct notify_str body;
    bool is_last; /* of its connection */
};

/* The answer at bytes: its length, 0 if it is not complete. One that is none ends the program. */
static size_t answer_read(const char *bytes, size_t len, struct answer *ret)
{
    static const char ok[] = "HTTP/1.1 200 ";
    const char *end = memmem(bytes, len, "\r\n\r\n", 4);

    if (end == NULL)
        return 0;
    size_t head_len = (size_t)(end - bytes) + 4;
    char head[REQUEST_BYTES];
    if (head_len >= sizeof(head) || memcmp(bytes, ok, sizeof(ok) - 1) != 0)
        bench_die("a poll was answered: %.*s", (int)len, bytes);
    memcpy(head, bytes, head_len);
    head[head_len] = '\0';
    const char *length = strcasestr(head, "\r\ncontent-length:");
    if (length == NULL)
        bench_die("an answer without a length: %s", head);
    size_t body_len = strtoul(strchr(length + 2, ':') + 1, NULL, 10);
    if (body_len > len - head_len)
        return 0;
    ret->body = notify_str_of(bytes + head_len, body_len);
    ret->is_last = strcasestr(head, "\r\nconnection: close") != NULL;
    return head_len + body_len;
}

static void epoll_change(struct pollers *pollers, int operation, int fd, uint32_t events,
                         uint32_t number)
{
    struct epoll_event event = {.events = events, .data.u32 = number};

    if (epoll_ctl(pollers->epoll, operation, fd, &event) != 0)
        bench_die("epoll_ctl: %s", strerror(errno));
}

static void line_close(struct line *line)
{
    if (line->state == LINE_CLOSED)
        return;
    (void)close(line->fd); /* also takes it out of the epoll */
    free(line->rest);
    *line = (struct line){.fd = -1, .state = LINE_CLOSED};
}

static void line_open(struct pollers *pollers, struct line *line, uint32_t number)
{
    line->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (line->fd < 0)
        bench_die("socket: %s", strerror(errno));
    (void)setsockopt(line->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); /* only speed */
    if (connect(line->fd, (struct sockaddr *)&pollers->address, sizeof(pollers->address)) != 0 &&
        errno != EINPROGRESS)
        bench_die("connect: %s", strerror(errno));
    line->state = LINE_CONNECTING;
    epoll_change(pollers, EPOLL_CTL_ADD, line->fd, EPOLLOUT, number);
}

static void line_send(struct line *line, const char *bytes, size_t len)
{
    /* What a client says is short and its socket empty: it is taken whole or something is wrong. */
    if (send(line->fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
        bench_die("cannot send a request: %s", strerror(errno));
    line->state = LINE_WAITING;
}

/* "GET /socket.io/?… HTTP/1.1" and what every request has, without the end of its head. */
static int write_head(struct pollers *pollers, uint32_t client, const char *method, char *out,
                      size_t cap)
{
    const char *sid = pollers->pollers[client].sid;
    char query[128];

    pollers->handlers.query_of(pollers->handlers.ctx, client, query, sizeof(query));
    return snprintf(out, cap,
                    "%s /socket.io/?EIO=4&transport=polling&%s%s%s HTTP/1.1\r\n"
                    "Host: 127.0.0.1\r\n",
                    method, query, *sid == '\0' ? "" : "&sid=", sid);
}

/* Asks, or first opens the connection for it. */
static void ask(struct pollers *pollers, uint32_t client)
{
    struct line *line = &pollers->pollers[client].get;
    char request[REQUEST_BYTES];

    if (line->state == LINE_CLOSED) {
        line_open(pollers, line, client);
        return;
    }
    int len = write_head(pollers, client, "GET", request, sizeof(request));
    len += snprintf(request + len, sizeof(request) - (size_t)len, "\r\n");
    line_send(line, request, (size_t)len);
}

/* Posts what is due, if nothing is on its way. */
static void post(struct pollers *pollers, uint32_t client)
{
    struct poller *poller = &pollers->pollers[client];
    char request[REQUEST_BYTES];

    if (poller->due_len == 0)
        return;
    if (poller->post.state == LINE_CLOSED)
        line_open(pollers, &poller->post, client | POST_FLAG);
    if (poller->post.state != LINE_IDLE)
        return;
    int len = write_head(pollers, client, "POST", request, sizeof(request));
    len += snprintf(request + len, sizeof(request) - (size_t)len,
                    "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: %u\r\n\r\n%.*s",
                    poller->due_len, (int)poller->due_len, poller->due);
    poller->due_len = 0;
    line_send(&poller->post, request, (size_t)len);
}

void pollers_say(struct pollers *pollers, uint32_t client, const char *packet, size_t len)
{
    struct poller *poller = &pollers->pollers[client];

    if (poller->due_len + 1 + len > DUE_BYTES)
        bench_die("client %u: a POST takes too long for what is to be said", client);
    if (poller->due_len > 0)
        poller->due[poller->due_len++] = '\x1e';
    memcpy(poller->due + poller->due_len, packet, len);
    poller->due_len += (uint32_t)len;
    post(pollers, client);
}

static void take_sid(struct pollers *pollers, uint32_t client, struct notify_str open)
{
    struct poller *poller = &pollers->pollers[client];
    struct notify_str sid;

    if (!message_member(open, NOTIFY_STR("\"sid\":\""), &sid) || sid.len >= SID_BYTES)
        bench_die("client %u was given no session: %.*s", client, (int)open.len, open.ptr);
    memcpy(poller->sid, sid.ptr, sid.len);
    poller->sid[sid.len] = '\0';
    pollers->open++;
}

/* What a poll was answered. The next one is on its way before anything of it is looked at. */
static void on_polled(struct pollers *pollers, uint32_t client, struct notify_str body)
{
    struct poller *poller = &pollers->pollers[client];
    struct notify_str packet;

    if (body.len == 0)
        bench_die("client %u: a poll was answered with nothing", client);
    if (*poller->sid == '\0')
        take_sid(pollers, client, body);
    else
        pollers->answered++;
    ask(pollers, client);
    while (packet_next(&body, &packet))
        pollers->handlers.on_packet(pollers->handlers.ctx, client, packet.ptr, packet.len);
}

static void on_posted(struct pollers *pollers, uint32_t client, struct notify_str body)
{
    if (!notify_str_eq(body, NOTIFY_STR("ok")))
        bench_die("client %u: a POST was answered: %.*s", client, (int)body.len, body.ptr);
    post(pollers, client);
}

static void keep_rest(struct line *line, const char *bytes, size_t len)
{
    free(line->rest);
    line->rest = NULL;
    line->rest_len = (uint32_t)len;
    if (len > 0) {
        line->rest = bench_alloc(len);
        memcpy(line->rest, bytes, len);
    }
}

/* Reads what is there behind the rest: its length with that, 0 for nothing (yet, or any more). */
static size_t line_read(struct pollers *pollers, struct line *line)
{
    size_t len = line->rest_len;

    if (len > 0)
        memcpy(pollers->in, line->rest, len);
    ssize_t got = recv(line->fd, pollers->in + len, IN_BYTES - len, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (got <= 0 && line->state == LINE_WAITING)
        bench_die("a connection ended before its answer: %s",
                  got < 0 ? strerror(errno) : "end of stream");
    if (got <= 0) {
        line_close(line);
        return 0;
    }
    pollers->received += (uint64_t)got;
    return len + (size_t)got;
}

static void on_readable(struct pollers *pollers, uint32_t client, bool is_post)
{
    struct poller *poller = &pollers->pollers[client];
    struct line *line = is_post ? &poller->post : &poller->get;
    struct answer answer;
    size_t len = line_read(pollers, line);

    if (len == 0)
        return;
    size_t taken = answer_read(pollers->in, len, &answer);
    if (taken == 0) {
        keep_rest(line, pollers->in, len);
        return;
    }
    if (taken < len || line->state != LINE_WAITING)
        bench_die("client %u: more was answered than asked", client);
    keep_rest(line, NULL, 0);
    line->state = LINE_IDLE;
    if (answer.is_last)
        line_close(line);
    (is_post ? on_posted : on_polled)(pollers, client, answer.body);
}

static void on_connected(struct pollers *pollers, uint32_t client, bool is_post)
{
    struct poller *poller = &pollers->pollers[client];
    struct line *line = is_post ? &poller->post : &poller->get;
    int error = 0;
    socklen_t error_len = sizeof(error);

    if (getsockopt(line->fd, SOL_SOCKET, SO_ERROR, &error, &error_len) != 0 || error != 0)
        bench_die("client %u: connect: %s", client, strerror(error));
    epoll_change(pollers, EPOLL_CTL_MOD, line->fd, EPOLLIN, client | (is_post ? POST_FLAG : 0));
    line->state = LINE_IDLE;
    (is_post ? post : ask)(pollers, client);
}

static void handle_event(struct pollers *pollers, uint32_t number)
{
    if (number == WATCHED) {
        pollers->watch_fn(pollers->watch_ctx);
        return;
    }
    bool is_post = (number & POST_FLAG) != 0;
    uint32_t client = number & ~POST_FLAG;
    struct poller *poller = &pollers->pollers[client];
    enum line_state state = is_post ? poller->post.state : poller->get.state;
    if (state == LINE_CONNECTING)
        on_connected(pollers, client, is_post);
    else if (state != LINE_CLOSED)
        on_readable(pollers, client, is_post);
}

static void poller_close(struct poller *poller)
{
    line_close(&poller->get);
    line_close(&poller->post);
    *poller->sid = '\0';
    poller->due_len = 0;
}

struct pollers *pollers_new(int port, uint32_t clients, struct pollers_handlers handlers)
{
    struct pollers *pollers = bench_alloc(sizeof(*pollers));

    *pollers = (struct pollers){
        .handlers = handlers,
        .address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)},
        .epoll = epoll_create1(EPOLL_CLOEXEC),
        .count = clients,
        .next = clients,
        .in = bench_alloc(IN_BYTES),
        .pollers = bench_alloc(clients * sizeof(struct poller)),
    };
    pollers->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (pollers->epoll < 0)
        bench_die("epoll_create1: %s", strerror(errno));
    for (uint32_t i = 0; i < clients; i++)
        pollers->pollers[i] = (struct poller){.get = {.fd = -1}, .post = {.fd = -1}};
    return pollers;
}

void pollers_free(struct pollers *pollers)
{
    if (pollers == NULL)
        return;
    pollers_drop(pollers);
    (void)close(pollers->epoll); /* nothing can be lost */
    free(pollers->pollers);
    free(pollers->in);
    free(pollers);
}

void pollers_connect(struct pollers *pollers)
{
    pollers->next = 0;
}

void pollers_drop(struct pollers *pollers)
{
    for (uint32_t i = 0; i < pollers->count; i++)
        poller_close(&pollers->pollers[i]);
    pollers->next = pollers->count;
    pollers->open = 0;
}

uint32_t pollers_open_count(const struct pollers *pollers)
{
    return pollers->open;
}

uint64_t pollers_received_bytes(const struct pollers *pollers)
{
    return pollers->received;
}

uint64_t pollers_answered(const struct pollers *pollers)
{
    return pollers->answered;
}

void pollers_watch(struct pollers *pollers, int fd, void (*fn)(void *ctx), void *ctx)
{
    pollers->watch_fn = fn;
    pollers->watch_ctx = ctx;
    epoll_change(pollers, EPOLL_CTL_ADD, fd, EPOLLIN, WATCHED);
}

void pollers_poll(struct pollers *pollers, int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];

    while (pollers->next < pollers->count && pollers->next - pollers->open < OPENING_MAX)
        ask(pollers, pollers->next++);
    int count = epoll_wait(pollers->epoll, events, EVENTS_MAX, timeout_ms);
    if (count < 0 && errno != EINTR)
        bench_die("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < count; i++)
        handle_event(pollers, events[i].data.u32);
}
