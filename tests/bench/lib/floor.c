/* floor -- the plain loop of send(); see floor.h. */
#include "floor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "child.h"
#include "proc.h"

#define EVENTS_MAX 512
#define FRAME_BYTES_MAX 65536

struct floor_order {
    uint64_t bytes;
    uint64_t rounds;
};

struct floor_account {
    uint64_t cpu_ns;
    uint64_t wall_ns;
};

/* What both children start with. */
struct parts {
    uint32_t connections;
    int partner;  /* receiver to sender: one byte for each round that has arrived */
    int listener; /* the sender's */
    struct sockaddr_in address;
};

struct floor {
    uint32_t connections;
    struct child sender, receiver; /* orders go down, accounts come up */
};

static void send_round(const int *sockets, uint32_t count, const char *bytes, size_t len)
{
    for (uint32_t i = 0; i < count; i++)
        child_write(sockets[i], bytes, len);
}

static void run_sender(void *ctx, int control)
{
    static char bytes[FRAME_BYTES_MAX];
    const struct parts *parts = ctx;
    int *sockets = bench_alloc(parts->connections * sizeof(int));
    struct floor_order order;
    char arrived;

    for (uint32_t i = 0; i < parts->connections; i++)
        sockets[i] = child_accept(parts->listener);
    child_ready(control);
    for (;;) {
        child_read(control, &order, sizeof(order));
        uint64_t cpu = proc_cpu_ns(getpid()), wall = bench_now_ns();
        for (uint64_t round = 0; round < order.rounds; round++) {
            send_round(sockets, parts->connections, bytes, order.bytes);
            child_read(parts->partner, &arrived, 1);
        }
        struct floor_account account = {proc_cpu_ns(getpid()) - cpu, bench_now_ns() - wall};
        child_write(control, &account, sizeof(account));
    }
}

/* Receives until one round has arrived on all connections together. */
static void receive_round(int epoll, uint64_t expected)
{
    static char bytes[FRAME_BYTES_MAX];
    struct epoll_event events[EVENTS_MAX];

    while (expected > 0) {
        int count = epoll_wait(epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            ssize_t got = recv(events[i].data.fd, bytes, sizeof(bytes), 0);
            if (got <= 0 || (uint64_t)got > expected)
                bench_die("floor: more or less arrived than was sent");
            expected -= (uint64_t)got;
        }
    }
}

static int connect_all(const struct parts *parts)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    for (uint32_t i = 0; i < parts->connections; i++) {
        int fd = child_connect(&parts->address);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
            bench_die("floor: epoll_ctl: %s", strerror(errno));
    }
    return epoll;
}

static void run_receiver(void *ctx, int control)
{
    const struct parts *parts = ctx;
    struct floor_order order;
    int epoll = connect_all(parts);

    child_ready(control);
    for (;;) {
        child_read(control, &order, sizeof(order));
        uint64_t cpu = proc_cpu_ns(getpid()), wall = bench_now_ns();
        for (uint64_t round = 0; round < order.rounds; round++) {
            receive_round(epoll, order.bytes * parts->connections);
            child_write(parts->partner, "1", 1);
        }
        struct floor_account account = {proc_cpu_ns(getpid()) - cpu, bench_now_ns() - wall};
        child_write(control, &account, sizeof(account));
    }
}

struct floor *floor_new(uint32_t connections, int sender_core, int receiver_core)
{
    struct floor *floor = bench_alloc(sizeof(*floor));
    struct parts parts = {.connections = connections};
    int pair[2];

    parts.listener = child_listen(&parts.address);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        bench_die("socketpair: %s", strerror(errno));
    floor->connections = connections;
    parts.partner = pair[0];
    floor->sender = child_start(sender_core, run_sender, &parts);
    parts.partner = pair[1];
    floor->receiver = child_start(receiver_core, run_receiver, &parts);
    (void)close(pair[0]);
    (void)close(pair[1]);
    (void)close(parts.listener);
    child_await(&floor->sender);
    child_await(&floor->receiver);
    return floor;
}

void floor_free(struct floor *floor)
{
    if (floor == NULL)
        return;
    child_stop(&floor->sender);
    child_stop(&floor->receiver);
    free(floor);
}

struct floor_result floor_run(struct floor *floor, size_t bytes, uint32_t rounds)
{
    struct floor_order order = {bytes, rounds};
    struct floor_account sent, received;
    double sends = (double)rounds * floor->connections;

    if (bytes == 0 || bytes > FRAME_BYTES_MAX)
        bench_die("floor: frames of %zu bytes", bytes);
    child_write(floor->receiver.control, &order, sizeof(order));
    child_write(floor->sender.control, &order, sizeof(order));
    child_read(floor->sender.control, &sent, sizeof(sent));
    child_read(floor->receiver.control, &received, sizeof(received));
    return (struct floor_result){(double)sent.cpu_ns / sends, (double)received.cpu_ns / sends,
                                 (double)sent.wall_ns / sends};
}
