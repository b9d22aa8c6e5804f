/* swarm -- very many clients on one epoll; see swarm.h. */
#include "swarm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <zlib.h>

#include "bench.h"

#define OPENING_MAX 256 /* connections being opened at a time; far below the listen backlog */
#define EVENTS_MAX 512
#define IN_BYTES ((size_t)1 << 20) /* one read, and the largest frame */
#define PATH_MAX_BYTES 512
#define WATCHED UINT32_MAX

/* The key and the answer to it that RFC 6455, section 1.3 uses as its example. */
#define HANDSHAKE_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define HANDSHAKE_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

#define UPGRADE                                                                                    \
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"                   \
    "Sec-WebSocket-Key: " HANDSHAKE_KEY "\r\n"

#define EXTENSIONS "Sec-WebSocket-Extensions: "
#define OFFER EXTENSIONS "permessage-deflate\r\n"
#define COMPRESSED 0x40 /* RSV1 */

enum member_state {
    MEMBER_CLOSED,
    MEMBER_CONNECTING, /* connect() is under way */
    MEMBER_UPGRADING,  /* the request has been sent */
    MEMBER_OPEN,
};

struct member {
    int fd;
    enum member_state state;
    uint32_t rest_len;
    char *rest; /* owned: the beginning of a frame of which the end has not come; NULL for none */
};

struct swarm {
    struct swarm_handlers handlers;
    struct sockaddr_in address;
    int epoll;
    uint32_t count;
    uint32_t next;    /* the first that swarm_connect() has not begun with yet */
    uint32_t opening; /* connecting or upgrading */
    uint32_t open;
    uint64_t received;
    void (*watch_fn)(void *ctx);
    void *watch_ctx;
    char *in;               /* owned, IN_BYTES */
    char *text;             /* owned, IN_BYTES: what was inflated last */
    z_stream inflater;      /* of all: nothing is kept from one message to the next */
    struct member *members; /* owned, count of them */
};

enum opcode {
    OPCODE_TEXT = 1,
    OPCODE_CLOSE = 8,
    OPCODE_PING = 9,
    OPCODE_PONG = 10,
};

struct frame {
    bool is_final, is_deflated;
    unsigned opcode;
    const char *payload; /* borrowed */
    size_t len;
};

/* Reads the unmasked frame at bytes. Returns its length with the header; 0 if it is not complete.
 * A length that can never fit gives SIZE_MAX. */
static size_t frame_read(const char *bytes, size_t len, struct frame *ret_frame)
{
    const uint8_t *head = (const uint8_t *)bytes;
    size_t header = 2, extended = 0;
    uint64_t payload = 0;

    if (len < header)
        return 0;
    if ((head[1] & 0x80) != 0)
        return SIZE_MAX; /* a server must not mask */
    payload = head[1] & 0x7f;
    if (payload >= 126)
        extended = payload == 126 ? 2 : 8;
    if (len < header + extended)
        return 0;
    if (extended > 0)
        payload = 0;
    for (size_t i = 0; i < extended; i++)
        payload = payload << 8 | head[header + i];
    header += extended;
    if (payload > IN_BYTES - header)
        return SIZE_MAX;
    if (len < header + payload)
        return 0;
    *ret_frame = (struct frame){(head[0] & 0x80) != 0, (head[0] & COMPRESSED) != 0, head[0] & 0x0f,
                                bytes + header, payload};
    return header + payload;
}

static void send_frame(struct swarm *swarm, uint32_t client, enum opcode opcode, const char *text,
                       size_t len)
{
    /* The mask may be any: zeros leave the payload as it is, and no proxy is to be protected here.
     */
    uint8_t header[14] = {(uint8_t)(0x80 | opcode)};
    size_t header_len = 2;

    if (len < 126) {
        header[1] = (uint8_t)(0x80 | len);
    } else if (len <= UINT16_MAX) {
        header[1] = 0x80 | 126;
        header[2] = (uint8_t)(len >> 8);
        header[3] = (uint8_t)len;
        header_len = 4;
    } else {
        bench_die("client %u: a message of %zu bytes is too long to be sent", client, len);
    }
    header_len += 4;

    struct iovec parts[2] = {{header, header_len}, {(void *)(uintptr_t)text, len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    /* What a client sends is small and its socket is empty: it is taken whole or something is
     * wrong. */
    if (sendmsg(swarm->members[client].fd, &message, MSG_NOSIGNAL) != (ssize_t)(header_len + len))
        bench_die("client %u: cannot send: %s", client, strerror(errno));
}

/* Writes what is at in to the end of the room that is left. */
static bool inflate_more(z_stream *z, const void *in, size_t len)
{
    z->next_in = (z_const Bytef *)(uintptr_t)in;
    z->avail_in = (uInt)len;
    return inflate(z, Z_SYNC_FLUSH) == Z_OK && z->avail_in == 0 && z->avail_out > 0;
}

static void inflate_frame(struct swarm *swarm, uint32_t client, struct frame *frame)
{
    z_stream *z = &swarm->inflater;

    z->next_out = (Bytef *)swarm->text;
    z->avail_out = IN_BYTES;
    if (inflateReset(z) != Z_OK || !inflate_more(z, frame->payload, frame->len) ||
        !inflate_more(z, "\0\0\xff\xff", 4))
        bench_die("client %u: what is compressed cannot be read", client);
    frame->payload = swarm->text;
    frame->len = IN_BYTES - z->avail_out;
}

static void handle_frame(struct swarm *swarm, uint32_t client, struct frame *frame)
{
    if (frame->is_deflated)
        inflate_frame(swarm, client, frame);
    if (frame->opcode == OPCODE_TEXT && frame->is_final) {
        swarm->handlers.on_text(swarm->handlers.ctx, client, frame->payload, frame->len);
    } else if (frame->opcode == OPCODE_PING) {
        send_frame(swarm, client, OPCODE_PONG, frame->payload, frame->len);
        if (swarm->handlers.on_ping != NULL)
            swarm->handlers.on_ping(swarm->handlers.ctx);
    } else if (frame->opcode == OPCODE_CLOSE) {
        const uint8_t *body = (const uint8_t *)frame->payload;
        bench_die("client %u was closed with code %d: %.*s", client,
                  frame->len < 2 ? 1005 : body[0] << 8 | body[1],
                  frame->len < 2 ? 0 : (int)frame->len - 2, frame->payload + 2);
    } else if (frame->opcode != OPCODE_PONG) {
        bench_die("client %u: unexpected frame, opcode %u", client, frame->opcode);
    }
}

/* The chunk at bytes (RFC 9112, 7.1), whose content is *ret: its length with all around it, 0 if it
 * is not complete, SIZE_MAX if it is none or the last. */
static size_t chunk_read(const char *bytes, size_t len, struct frame *ret)
{
    const char *end = memmem(bytes, len < 16 ? len : 16, "\r\n", 2);
    char *stop;

    if (end == NULL)
        return len < 16 ? 0 : SIZE_MAX;
    size_t size = strtoul(bytes, &stop, 16), head = (size_t)(end - bytes) + 2;
    if (stop != end || size == 0 || size > IN_BYTES - 32)
        return SIZE_MAX;
    if (len < head + size + 2)
        return 0;
    *ret = (struct frame){true, false, OPCODE_TEXT, bytes + head, size};
    return head + size + 2;
}

/* The data of the events of a chunk, which holds whole blocks; each has one line of it. */
static void handle_blocks(struct swarm *swarm, uint32_t client, const struct frame *chunk)
{
    static const char data[] = "data: ";
    const char *at = chunk->payload, *end = at + chunk->len;

    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (line_end == NULL)
            bench_die("client %u: a block is cut", client);
        size_t len = (size_t)(line_end - at);
        if (len >= sizeof(data) - 1 && memcmp(at, data, sizeof(data) - 1) == 0)
            swarm->handlers.on_text(swarm->handlers.ctx, client, at + sizeof(data) - 1,
                                    len - (sizeof(data) - 1));
        at = line_end + 1;
    }
}

/* Takes one frame or chunk; its length, 0: it is not complete. */
static size_t take_one(struct swarm *swarm, uint32_t client, const char *bytes, size_t len)
{
    bool is_events = swarm->handlers.carrier == SWARM_EVENTS;
    struct frame frame;
    size_t taken = is_events ? chunk_read(bytes, len, &frame) : frame_read(bytes, len, &frame);

    if (taken == SIZE_MAX)
        bench_die("client %u: not what a server may send", client);
    if (taken == 0)
        return 0;
    if (is_events)
        handle_blocks(swarm, client, &frame);
    else
        handle_frame(swarm, client, &frame);
    return taken;
}

/* What is said of each way to come, and what must be answered. */
static const struct {
    const char *lines, *status, *proof, *further_proof;
} carriers[] = {
    [SWARM_WEBSOCKET] = {UPGRADE, "HTTP/1.1 101 ", HANDSHAKE_ACCEPT, ""},
    [SWARM_DEFLATED] = {UPGRADE OFFER, "HTTP/1.1 101 ", HANDSHAKE_ACCEPT,
                        EXTENSIONS "permessage-deflate"},
    [SWARM_EVENTS] = {"", "HTTP/1.1 200 ", "chunked", ""},
};

static bool is_good_answer(const struct swarm *swarm, const char *bytes, size_t len)
{
    const char *status = carriers[swarm->handlers.carrier].status;
    const char *proof = carriers[swarm->handlers.carrier].proof;
    const char *further = carriers[swarm->handlers.carrier].further_proof;

    return len > strlen(status) && memcmp(bytes, status, strlen(status)) == 0 &&
           memmem(bytes, len, proof, strlen(proof)) != NULL &&
           memmem(bytes, len, further, strlen(further)) != NULL;
}

/* The upgrade's answer at bytes: its length, or 0 if it is not complete. */
static size_t handle_upgrade(struct swarm *swarm, uint32_t client, const char *bytes, size_t len)
{
    const char *end = memmem(bytes, len, "\r\n\r\n", 4);

    if (end == NULL)
        return 0;
    size_t answer = (size_t)(end - bytes) + 4;
    if (!is_good_answer(swarm, bytes, answer))
        bench_die("client %u was refused: %.*s", client, (int)answer, bytes);
    swarm->members[client].state = MEMBER_OPEN;
    swarm->opening--;
    swarm->open++;
    return answer;
}

/* Takes all that is complete in bytes; returns how much that was. */
static size_t handle_bytes(struct swarm *swarm, uint32_t client, const char *bytes, size_t len)
{
    size_t at = 0;

    if (swarm->members[client].state == MEMBER_UPGRADING) {
        at = handle_upgrade(swarm, client, bytes, len);
        if (at == 0)
            return 0;
    }
    for (;;) {
        size_t taken = take_one(swarm, client, bytes + at, len - at);
        if (taken == 0)
            return at;
        at += taken;
        /* The handler may have dropped the swarm. */
        if (swarm->members[client].state != MEMBER_OPEN)
            return len;
    }
}

static void keep_rest(struct member *member, const char *bytes, size_t len)
{
    free(member->rest);
    member->rest = NULL;
    member->rest_len = (uint32_t)len;
    if (len > 0) {
        member->rest = bench_alloc(len);
        memcpy(member->rest, bytes, len);
    }
}

static void on_readable(struct swarm *swarm, uint32_t client)
{
    struct member *member = &swarm->members[client];
    size_t len = member->rest_len;

    if (len > 0)
        memcpy(swarm->in, member->rest, len);
    ssize_t got = recv(member->fd, swarm->in + len, IN_BYTES - len, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0)
        bench_die("client %u lost its connection: %s", client,
                  got < 0 ? strerror(errno) : "end of stream");
    len += (size_t)got;
    swarm->received += (uint64_t)got;
    size_t taken = handle_bytes(swarm, client, swarm->in, len);
    if (taken < len || member->rest_len > 0)
        keep_rest(member, swarm->in + taken, len - taken);
}

static void epoll_change(struct swarm *swarm, int operation, int fd, uint32_t events,
                         uint32_t client)
{
    struct epoll_event event = {.events = events, .data.u32 = client};

    if (epoll_ctl(swarm->epoll, operation, fd, &event) != 0)
        bench_die("epoll_ctl: %s", strerror(errno));
}

static void connect_one(struct swarm *swarm, uint32_t client)
{
    struct member *member = &swarm->members[client];

    member->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (member->fd < 0)
        bench_die("client %u: socket: %s", client, strerror(errno));
    (void)setsockopt(member->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); /* only speed */
    if (connect(member->fd, (struct sockaddr *)&swarm->address, sizeof(swarm->address)) != 0 &&
        errno != EINPROGRESS)
        bench_die("client %u: connect: %s", client, strerror(errno));
    member->state = MEMBER_CONNECTING;
    swarm->opening++;
    epoll_change(swarm, EPOLL_CTL_ADD, member->fd, EPOLLOUT, client);
}

static void on_connected(struct swarm *swarm, uint32_t client)
{
    struct member *member = &swarm->members[client];
    char path[PATH_MAX_BYTES], request[PATH_MAX_BYTES + 256];
    int error = 0;
    socklen_t error_len = sizeof(error);

    if (getsockopt(member->fd, SOL_SOCKET, SO_ERROR, &error, &error_len) != 0 || error != 0)
        bench_die("client %u: connect: %s", client, strerror(error));
    swarm->handlers.path_of(swarm->handlers.ctx, client, path, sizeof(path));
    int len = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n",
                       path, carriers[swarm->handlers.carrier].lines);
    if (send(member->fd, request, (size_t)len, MSG_NOSIGNAL) != len)
        bench_die("client %u: cannot send its request: %s", client, strerror(errno));
    member->state = MEMBER_UPGRADING;
    epoll_change(swarm, EPOLL_CTL_MOD, member->fd, EPOLLIN, client);
}

struct swarm *swarm_new(int port, uint32_t clients, struct swarm_handlers handlers)
{
    struct swarm *swarm = bench_alloc(sizeof(*swarm));

    *swarm = (struct swarm){
        .handlers = handlers,
        .address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)},
        .epoll = epoll_create1(EPOLL_CLOEXEC),
        .count = clients,
        .next = clients,
        .in = bench_alloc(IN_BYTES),
        .text = bench_alloc(IN_BYTES),
        .members = bench_alloc(clients * sizeof(struct member)),
    };
    swarm->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (swarm->epoll < 0)
        bench_die("epoll_create1: %s", strerror(errno));
    if (inflateInit2(&swarm->inflater, -15) != Z_OK)
        bench_die("zlib cannot be had");
    for (uint32_t i = 0; i < clients; i++)
        swarm->members[i] = (struct member){.fd = -1, .state = MEMBER_CLOSED};
    return swarm;
}

void swarm_free(struct swarm *swarm)
{
    if (swarm == NULL)
        return;
    swarm_drop(swarm);
    (void)close(swarm->epoll); /* nothing can be lost */
    free(swarm->members);
    free(swarm->in);
    free(swarm->text);
    (void)inflateEnd(&swarm->inflater); /* it was made */
    free(swarm);
}

void swarm_connect(struct swarm *swarm)
{
    swarm->next = 0;
}

void swarm_drop(struct swarm *swarm)
{
    for (uint32_t i = 0; i < swarm->count; i++) {
        struct member *member = &swarm->members[i];
        if (member->state == MEMBER_CLOSED)
            continue;
        (void)close(member->fd); /* also takes it out of the epoll */
        free(member->rest);
        *member = (struct member){.fd = -1, .state = MEMBER_CLOSED};
    }
    swarm->next = swarm->count;
    swarm->open = 0;
    swarm->opening = 0;
}

uint32_t swarm_open_count(const struct swarm *swarm)
{
    return swarm->open;
}

uint64_t swarm_received_bytes(const struct swarm *swarm)
{
    return swarm->received;
}

void swarm_send(struct swarm *swarm, uint32_t client, const char *text, size_t len)
{
    send_frame(swarm, client, OPCODE_TEXT, text, len);
}

void swarm_watch(struct swarm *swarm, int fd, void (*fn)(void *ctx), void *ctx)
{
    swarm->watch_fn = fn;
    swarm->watch_ctx = ctx;
    epoll_change(swarm, EPOLL_CTL_ADD, fd, EPOLLIN, WATCHED);
}

static void connect_some(struct swarm *swarm)
{
    while (swarm->next < swarm->count && swarm->opening < OPENING_MAX) {
        if (swarm->members[swarm->next].state == MEMBER_CLOSED)
            connect_one(swarm, swarm->next);
        swarm->next++;
    }
}

void swarm_poll(struct swarm *swarm, int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];

    connect_some(swarm);
    int count = epoll_wait(swarm->epoll, events, EVENTS_MAX, timeout_ms);
    if (count < 0 && errno != EINTR)
        bench_die("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        uint32_t client = events[i].data.u32;
        if (client == WATCHED)
            swarm->watch_fn(swarm->watch_ctx);
        else if (swarm->members[client].state == MEMBER_CONNECTING)
            on_connected(swarm, client);
        else if (swarm->members[client].state != MEMBER_CLOSED)
            on_readable(swarm, client);
    }
}
