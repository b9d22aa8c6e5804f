/* resp -- a blocking RESP2 connection; see resp.h. */
#include "resp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define IN_BYTES_FIRST 65536
#define NESTING_MAX 16
#define SETTLE_STEP_MS 100
#define SETTLE_STEPS 5
#define SETTLE_TRIES 100

void resp_text_append(struct resp_text *text, const char *bytes, size_t len)
{
    if (text->len + len > text->cap) {
        text->cap = (text->len + len) * 2;
        text->ptr = bench_realloc(text->ptr, text->cap);
    }
    memcpy(text->ptr + text->len, bytes, len);
    text->len += len;
}

static void text_append_header(struct resp_text *text, char type, size_t number)
{
    char header[32];
    int len = snprintf(header, sizeof(header), "%c%zu\r\n", type, number);

    resp_text_append(text, header, (size_t)len);
}

void resp_text_add(struct resp_text *text, const char *const *words)
{
    size_t count = 0;

    while (words[count] != NULL)
        count++;
    text_append_header(text, '*', count);
    for (size_t i = 0; i < count; i++) {
        text_append_header(text, '$', strlen(words[i]));
        resp_text_append(text, words[i], strlen(words[i]));
        resp_text_append(text, "\r\n", 2);
    }
}

void resp_text_clear(struct resp_text *text)
{
    text->len = 0;
}

void resp_text_release(struct resp_text *text)
{
    free(text->ptr);
    *text = (struct resp_text){NULL, 0, 0};
}

void resp_open(struct resp *resp, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *resp = (struct resp){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (resp->fd < 0 || connect(resp->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        bench_die("Redis on port %d: %s", port, strerror(errno));
    (void)setsockopt(resp->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); /* only speed */
    resp->cap = IN_BYTES_FIRST;
    resp->in = bench_alloc(resp->cap);
}

void resp_close(struct resp *resp)
{
    (void)close(resp->fd); /* nothing is waiting to be written */
    free(resp->in);
    *resp = (struct resp){.fd = -1};
}

void resp_send(struct resp *resp, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(resp->fd, bytes, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            bench_die("Redis: %s", strerror(errno));
        bytes += sent;
        len -= (size_t)sent;
    }
}

static void fill(struct resp *resp)
{
    if (resp->at > 0) {
        memmove(resp->in, resp->in + resp->at, resp->len - resp->at);
        resp->len -= resp->at;
        resp->at = 0;
    }
    if (resp->len == resp->cap) {
        resp->cap *= 2;
        resp->in = bench_realloc(resp->in, resp->cap);
    }
    ssize_t got = recv(resp->fd, resp->in + resp->len, resp->cap - resp->len, 0);
    if (got < 0 && errno == EINTR)
        return;
    if (got <= 0)
        bench_die("Redis closed the connection: %s", got < 0 ? strerror(errno) : "end of stream");
    resp->len += (size_t)got;
}

/* Length of the line at text with its CR LF; 0 if it is not complete. */
static size_t line_length(const char *text, size_t len)
{
    const char *end = len == 0 ? NULL : memchr(text, '\n', len);

    return end == NULL ? 0 : (size_t)(end - text) + 1;
}

/* Length of the reply at text; 0 if it is not complete. */
static size_t reply_length(const char *text, size_t len, int nesting)
{
    size_t at = line_length(text, len);

    if (at == 0 || nesting > NESTING_MAX)
        return 0;
    if (text[0] == '+' || text[0] == '-' || text[0] == ':')
        return at;
    if (text[0] != '$' && text[0] != '*')
        bench_die("not a RESP2 reply: %.*s", (int)at, text);
    long number = strtol(text + 1, NULL, 10);
    if (number < 0)
        return at;
    if (text[0] == '$')
        return at + (size_t)number + 2 <= len ? at + (size_t)number + 2 : 0;
    for (long i = 0; i < number; i++) {
        size_t part = reply_length(text + at, len - at, nesting + 1);
        if (part == 0)
            return 0;
        at += part;
    }
    return at;
}

bool resp_has_next(const struct resp *resp)
{
    return reply_length(resp->in + resp->at, resp->len - resp->at, 0) > 0;
}

struct notify_str resp_next(struct resp *resp)
{
    for (;;) {
        size_t len = reply_length(resp->in + resp->at, resp->len - resp->at, 0);
        if (len > 0) {
            resp->at += len;
            return notify_str_of(resp->in + resp->at - len, len);
        }
        fill(resp);
    }
}

static struct notify_str next_good(struct resp *resp)
{
    struct notify_str reply = resp_next(resp);

    if (reply.ptr[0] == '-')
        bench_die("Redis says: %.*s", (int)(reply.len - 2), reply.ptr);
    return reply;
}

void resp_expect(struct resp *resp, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)next_good(resp);
}

struct notify_str resp_reply_text(struct notify_str reply)
{
    size_t line = line_length(reply.ptr, reply.len);

    if (reply.ptr[0] == '+' || reply.ptr[0] == ':')
        return notify_str_of(reply.ptr + 1, line - 3);
    if (reply.ptr[0] == '$' && reply.len > line)
        return notify_str_of(reply.ptr + line, reply.len - line - 2);
    return reply;
}

struct notify_str resp_call(struct resp *resp, const char *const *words)
{
    struct resp_text text = {NULL, 0, 0};

    resp_text_add(&text, words);
    resp_send(resp, text.ptr, text.len);
    resp_text_release(&text);
    return resp_reply_text(next_good(resp));
}

uint64_t resp_info_number(struct resp *resp, const char *section, const char *name,
                          uint64_t missing)
{
    struct notify_str info = RESP_CALL(resp, "INFO", section);
    size_t name_len = strlen(name);

    while (info.len > 0) {
        size_t line = line_length(info.ptr, info.len);
        if (line == 0)
            line = info.len;
        if (line > name_len && strncasecmp(info.ptr, name, name_len) == 0)
            return strtoull(info.ptr + name_len, NULL, 10);
        info = notify_str_of(info.ptr + line, info.len - line);
    }
    return missing;
}

/* The buffers of connections come and go as the server pleases. */
static uint64_t data_memory(struct resp *resp)
{
    uint64_t clients = resp_info_number(resp, "memory", "mem_clients_normal:", 0);

    return resp_info_number(resp, "memory", "used_memory:", 0) - clients;
}

uint64_t resp_settled_memory(struct resp *resp)
{
    uint64_t before = data_memory(resp);
    int same = 0;

    for (int tries = 0; tries < SETTLE_TRIES; tries++) {
        (void)poll(NULL, 0, SETTLE_STEP_MS); /* no descriptor: only the time */
        uint64_t now = data_memory(resp);
        same = now == before ? same + 1 : 0;
        if (same == SETTLE_STEPS)
            return now;
        before = now;
    }
    bench_die("used_memory does not come to rest");
}
