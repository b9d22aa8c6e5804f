#include "net/first_bytes.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/log.h"
#include "base/loop.h"
#include "net/addresses.h"
#include "net/carrier.h"
#include "net/http_answer.h"
#include "net/http_conn.h"
#include "net/listener.h"
#include "net/stream.h"
#include "net/tls_carrier.h"

#define FIRST_BYTES_SECS 3
#define TLS_HANDSHAKE 0x16 /* RFC 8446, 5.1: the first byte of a ClientHello's record */

/* A connection whose first bytes are looked at, and left where they are, in the kernel. */
struct first_bytes {
    struct transport *transport; /* borrowed */
    struct peer_address peer;
    struct address *address; /* owned; NULL: not known yet, or handed on */
    int fd;                  /* owned; -1 once handed on */
    bool proxy, tls;
    enum listen_door door;
    uint64_t until_ms; /* loop clock: libevent's own time-out begins anew with each byte */
    TAILQ_ENTRY(first_bytes) link;
    struct event event;
};

static void release(struct first_bytes *first)
{
    TAILQ_REMOVE(&first->transport->first, first, link);
    first->transport->sockets--;
    first->transport->operators -= first->door != LISTEN_CLIENTS;
    address_release(first->address);
    (void)event_del(&first->event); /* was assigned, so cannot fail */
    if (first->fd >= 0)
        (void)close(first->fd); /* nothing is lost: it is refused */
    free(first);
}

/* What is there now; -1: the end, or a fault. */
static ssize_t peek(const struct first_bytes *first, uint8_t *buf, size_t cap)
{
    ssize_t n = recv(first->fd, buf, cap, MSG_PEEK);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    return n > 0 ? n : -1;
}

/* Has the peer sent all that it will? From then on the kernel wakes us again and again, however
 * little there is. */
static bool has_ended(const struct first_bytes *first)
{
    struct pollfd fd = {.fd = first->fd, .events = POLLRDHUP};

    return poll(&fd, 1, 0) > 0;
}

/* To be woken when there is more than what was seen already. */
static void await_more(const struct first_bytes *first, size_t have)
{
    int mark = (int)have + 1;

    (void)setsockopt(first->fd, SOL_SOCKET, SO_RCVLOWAT, &mark,
                     sizeof(mark)); /* or woken too often */
}

/* Someone speaks HTTP on a port for TLS. */
static void refuse_plain(const struct first_bytes *first)
{
    static const char body[] =
        "{\"error\":{\"code\":\"BAD_REQUEST\",\"message\":\"this port speaks "
        "TLS: https or wss is needed\",\"details\":null}}\n";
    const struct http_response response = {.status = 400, .body = body, .len = sizeof(body) - 1};
    char answer[HTTP_ANSWER_HEAD_MAX + sizeof(body)];
    int len = http_answer_head(answer, &response, &(struct http_reader){.credentials = false},
                               loop_wall_ms(first->transport->loop), true);

    memcpy(answer + len, body, sizeof(body) - 1);
    (void)send(first->fd, answer, (size_t)len + sizeof(body) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void hand_on(struct first_bytes *first)
{
    struct transport *transport = first->transport;
    struct stream *stream;

    await_more(first, 0);
    (void)event_del(&first->event);
    if (first->tls)
        stream = tls_stream_new(transport->tls, first->fd, NULL, NULL);
    else
        stream = stream_new(transport->poller, first->fd, NULL, NULL);
    first->fd = -1;
    http_conn_open(transport, stream, &first->peer, first->address, first->door);
    first->address = NULL;
    release(first);
}

/* True when what follows is the next thing to look at. */
static bool take_proxy_header(struct first_bytes *first)
{
    uint8_t bytes[PROXY_HEADER_MAX];
    bool ended = has_ended(first); /* before looking: then that is all */
    ssize_t have = peek(first, bytes, sizeof(bytes));
    int len = have <= 0 ? (int)have : proxy_header_read(bytes, (size_t)have, &first->peer);

    if (len == PROXY_MORE && !ended) {
        await_more(first, have > 0 ? (size_t)have : 0);
        return false;
    }
    if (len <= PROXY_MORE || recv(first->fd, bytes, (size_t)len, 0) != len) {
        if (have > 0) /* health checks connect and say nothing */
            log_debug("proxy_header_bad", "bytes", log_int(have));
        release(first);
        return false;
    }
    first->proxy = false;
    await_more(first, 0);
    first->address = transport_let_in(first->transport, &first->peer);
    if (first->address != NULL)
        return true;
    release(first);
    return false;
}

static void look_for_tls(struct first_bytes *first)
{
    uint8_t byte;
    ssize_t have = peek(first, &byte, 1);

    if (have == 0)
        return;
    if (have < 0 || byte != TLS_HANDSHAKE) {
        if (have > 0)
            refuse_plain(first);
        release(first);
        return;
    }
    hand_on(first);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct first_bytes *first = arg;

    (void)fd;
    loop_work(first->transport->loop, LOOP_ACCEPT, "first bytes");
    if ((what & EV_TIMEOUT) || loop_now_ms(first->transport->loop) >= first->until_ms) {
        release(first);
        return;
    }
    if (first->proxy && !take_proxy_header(first))
        return;
    if (first->tls)
        look_for_tls(first);
    else
        hand_on(first);
}

void first_bytes_open(struct transport *transport, int fd, const struct peer_address *peer,
                      const struct listen_kind *kind, struct address *address)
{
    const struct timeval deadline = {.tv_sec = FIRST_BYTES_SECS};
    struct first_bytes *first = calloc(1, sizeof(*first));

    if (first == NULL) {
        address_release(address);
        (void)close(fd);
        return;
    }
    *first = (struct first_bytes){.transport = transport,
                                  .peer = *peer,
                                  .address = address,
                                  .fd = fd,
                                  .proxy = kind->proxy,
                                  .tls = kind->tls,
                                  .door = kind->door,
                                  .until_ms = loop_now_ms(transport->loop) +
                                              FIRST_BYTES_SECS * UINT64_C(1000)};
    transport->sockets++;
    transport->operators += kind->door != LISTEN_CLIENTS;
    TAILQ_INSERT_TAIL(&transport->first, first, link);
    (void)event_assign(&first->event, loop_base(transport->loop), fd, EV_READ | EV_PERSIST,
                       on_event, first); /* fails only for arguments that are none */
    if (event_add(&first->event, &deadline) != 0)
        release(first);
}

void first_bytes_free(struct first_bytes *first)
{
    release(first);
}
