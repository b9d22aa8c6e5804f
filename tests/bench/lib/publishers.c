/* publishers -- pipelining connections that never wait; see publishers.h. */
#include "publishers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "resp.h"

#define OUT_MAX_BYTES (256 * 1024) /* that wait on one connection */
#define IN_BYTES 65536
#define EVENTS_MAX 64

/* Targets in the order in which their commands went out: a ring that grows by doubling. */
struct waiting {
    uint32_t *targets; /* owned */
    size_t head, len, cap;
};

struct publisher {
    int fd;
    struct resp_text out; /* of which at bytes are gone */
    size_t at;
    bool awaits_room; /* the socket took no more */
    struct waiting waiting;
    char *in; /* owned, IN_BYTES */
    size_t in_len;
};

struct publishers {
    int epoll;
    uint32_t count;
    uint64_t waiting;
    publishers_fn fn;
    void *ctx;
    struct publisher *each; /* owned */
};

static void waiting_push(struct waiting *waiting, uint32_t target)
{
    if (waiting->len == waiting->cap) {
        size_t cap = waiting->cap == 0 ? 1024 : waiting->cap * 2;
        uint32_t *targets = bench_alloc(cap * sizeof(uint32_t));
        for (size_t i = 0; i < waiting->len; i++)
            targets[i] = waiting->targets[(waiting->head + i) % waiting->cap];
        free(waiting->targets);
        *waiting = (struct waiting){targets, 0, waiting->len, cap};
    }
    waiting->targets[(waiting->head + waiting->len++) % waiting->cap] = target;
}

static uint32_t waiting_pop(struct waiting *waiting)
{
    if (waiting->len == 0)
        bench_die("Redis answers what was not asked");
    uint32_t target = waiting->targets[waiting->head];
    waiting->head = (waiting->head + 1) % waiting->cap;
    waiting->len--;
    return target;
}

static void watch(struct publishers *publishers, uint32_t i, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u32 = i};

    if (epoll_ctl(publishers->epoll, operation, publishers->each[i].fd, &event) != 0)
        bench_die("publishers: epoll_ctl: %s", strerror(errno));
}

static void open_one(struct publishers *publishers, uint32_t i, int port)
{
    struct publisher *publisher = &publishers->each[i];
    struct resp resp;

    resp_open(&resp, port);
    publisher->fd = resp.fd;
    free(resp.in);
    if (fcntl(publisher->fd, F_SETFL, O_NONBLOCK) != 0)
        bench_die("publishers: fcntl: %s", strerror(errno));
    publisher->in = bench_alloc(IN_BYTES);
    watch(publishers, i, EPOLL_CTL_ADD, EPOLLIN);
}

struct publishers *publishers_new(int port, uint32_t count, publishers_fn fn, void *ctx)
{
    struct publishers *publishers = bench_alloc(sizeof(*publishers));

    *publishers = (struct publishers){
        .epoll = epoll_create1(EPOLL_CLOEXEC),
        .count = count,
        .fn = fn,
        .ctx = ctx,
        .each = bench_alloc(count * sizeof(struct publisher)),
    };
    memset(publishers->each, 0, count * sizeof(struct publisher));
    for (uint32_t i = 0; i < count; i++)
        open_one(publishers, i, port);
    return publishers;
}

void publishers_free(struct publishers *publishers)
{
    if (publishers == NULL)
        return;
    for (uint32_t i = 0; i < publishers->count; i++) {
        struct publisher *publisher = &publishers->each[i];
        (void)close(publisher->fd); /* nothing waits to be written */
        resp_text_release(&publisher->out);
        free(publisher->waiting.targets);
        free(publisher->in);
    }
    (void)close(publishers->epoll); /* nothing can be lost */
    free(publishers->each);
    free(publishers);
}

int publishers_fd(const struct publishers *publishers)
{
    return publishers->epoll;
}

uint64_t publishers_waiting(const struct publishers *publishers)
{
    return publishers->waiting;
}

/* One answer of "$15\r\n1795208400123-0\r\n": its length; 0: it is not complete. */
static size_t take_answer(struct publishers *publishers, struct publisher *publisher,
                          const char *at, size_t len)
{
    const char *line = memchr(at, '\n', len);

    if (line == NULL)
        return 0;
    if (at[0] != '$')
        bench_die("Redis says: %.*s", (int)(line - at), at);
    size_t id_len = strtoul(at + 1, NULL, 10), head = (size_t)(line - at) + 1;
    if (len < head + id_len + 2)
        return 0;
    publishers->waiting--;
    publishers->fn(publishers->ctx, waiting_pop(&publisher->waiting),
                   notify_str_of(at + head, id_len));
    return head + id_len + 2;
}

static void read_one(struct publishers *publishers, struct publisher *publisher)
{
    size_t at = 0, taken;
    ssize_t got =
        recv(publisher->fd, publisher->in + publisher->in_len, IN_BYTES - publisher->in_len, 0);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0)
        bench_die("a publisher lost its connection to Redis");
    publisher->in_len += (size_t)got;
    while ((taken =
                take_answer(publishers, publisher, publisher->in + at, publisher->in_len - at)) > 0)
        at += taken;
    publisher->in_len -= at;
    memmove(publisher->in, publisher->in + at, publisher->in_len);
}

static void write_one(struct publishers *publishers, uint32_t i)
{
    struct publisher *publisher = &publishers->each[i];
    size_t left = publisher->out.len - publisher->at;
    bool had_room = !publisher->awaits_room;

    if (left == 0)
        return;
    ssize_t sent =
        send(publisher->fd, publisher->out.ptr + publisher->at, left, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        bench_die("a publisher cannot write: %s", strerror(errno));
    publisher->at += sent > 0 ? (size_t)sent : 0;
    publisher->awaits_room = publisher->at < publisher->out.len;
    if (!publisher->awaits_room) {
        publisher->at = 0;
        resp_text_clear(&publisher->out);
    }
    if (had_room == publisher->awaits_room)
        watch(publishers, i, EPOLL_CTL_MOD, publisher->awaits_room ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void publishers_work(void *ctx)
{
    struct publishers *publishers = ctx;
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(publishers->epoll, events, EVENTS_MAX, 0);

    for (int i = 0; i < count; i++) {
        if ((events[i].events & EPOLLOUT) != 0)
            write_one(publishers, events[i].data.u32);
        if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0)
            read_one(publishers, &publishers->each[events[i].data.u32]);
    }
}

bool publishers_send(struct publishers *publishers, uint32_t target, const char *command,
                     size_t len)
{
    struct publisher *publisher = &publishers->each[target % publishers->count];

    if (publisher->out.len + len > OUT_MAX_BYTES)
        return false;
    resp_text_append(&publisher->out, command, len);
    waiting_push(&publisher->waiting, target);
    publishers->waiting++;
    return true;
}

void publishers_flush(struct publishers *publishers)
{
    for (uint32_t i = 0; i < publishers->count; i++)
        if (!publishers->each[i].awaits_room)
            write_one(publishers, i);
}
