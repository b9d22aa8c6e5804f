/* floor -- the plain loop of send(); see floor.h. */
#include "floor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "proc.h"

#define BACKLOG 4096
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

struct floor {
    uint32_t connections;
    pid_t sender, receiver;
    int to_sender, to_receiver; /* orders go down, accounts come up */
};

/* What both children start with. */
struct child {
    uint32_t connections;
    int core;
    int control;  /* to the parent */
    int partner;  /* receiver to sender: one byte for each round that has arrived */
    int listener; /* the sender's */
    struct sockaddr_in address;
};

static void read_all(int fd, void *out, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t got = read(fd, (char *)out + at, len - at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            bench_die("floor: %s", got < 0 ? strerror(errno) : "a process has ended");
        at += (size_t)got;
    }
}

static void write_all(int fd, const void *bytes, size_t len)
{
    /* A few bytes into an empty socket pair: all or nothing. */
    if (send(fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
        bench_die("floor: %s", strerror(errno));
}

static void send_round(const int *sockets, uint32_t count, const char *bytes, size_t len)
{
    for (uint32_t i = 0; i < count; i++) {
        if (send(sockets[i], bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
            bench_die("floor: send: %s", strerror(errno));
    }
}

static _Noreturn void run_sender(const struct child *child)
{
    static char bytes[FRAME_BYTES_MAX];
    int *sockets = bench_alloc(child->connections * sizeof(int));
    struct floor_order order;
    char arrived;

    for (uint32_t i = 0; i < child->connections; i++) {
        sockets[i] = accept(child->listener, NULL, NULL);
        if (sockets[i] < 0)
            bench_die("floor: accept: %s", strerror(errno));
        (void)setsockopt(sockets[i], IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); /* speed */
    }
    write_all(child->control, "r", 1);
    for (;;) {
        read_all(child->control, &order, sizeof(order));
        uint64_t cpu = proc_cpu_ns(getpid()), wall = bench_now_ns();
        for (uint64_t round = 0; round < order.rounds; round++) {
            send_round(sockets, child->connections, bytes, order.bytes);
            read_all(child->partner, &arrived, 1);
        }
        struct floor_account account = {proc_cpu_ns(getpid()) - cpu, bench_now_ns() - wall};
        write_all(child->control, &account, sizeof(account));
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

static int connect_all(const struct child *child)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    for (uint32_t i = 0; i < child->connections; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (fd < 0 ||
            connect(fd, (const struct sockaddr *)&child->address, sizeof(child->address)) != 0 ||
            epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
            bench_die("floor: connect: %s", strerror(errno));
    }
    return epoll;
}

static _Noreturn void run_receiver(const struct child *child)
{
    struct floor_order order;
    int epoll = connect_all(child);

    write_all(child->control, "r", 1);
    for (;;) {
        read_all(child->control, &order, sizeof(order));
        uint64_t cpu = proc_cpu_ns(getpid()), wall = bench_now_ns();
        for (uint64_t round = 0; round < order.rounds; round++) {
            receive_round(epoll, order.bytes * child->connections);
            write_all(child->partner, "1", 1);
        }
        struct floor_account account = {proc_cpu_ns(getpid()) - cpu, bench_now_ns() - wall};
        write_all(child->control, &account, sizeof(account));
    }
}

/* Forks a child that runs fn for ever; returns its pid and the parent's end of its control. */
static pid_t child_start(struct child child, void (*fn)(const struct child *), int *ret_control)
{
    int pair[2];
    pid_t parent = getpid();

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        bench_die("socketpair: %s", strerror(errno));
    pid_t pid = fork();
    if (pid < 0)
        bench_die("fork: %s", strerror(errno));
    if (pid == 0) {
        /* With the parent gone there is nobody left to read the account. */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        (void)close(pair[0]);
        child.control = pair[1];
        proc_pin_self(child.core);
        fn(&child);
    }
    (void)close(pair[1]);
    *ret_control = pair[0];
    return pid;
}

static void listen_on_loopback(struct child *child)
{
    socklen_t len = sizeof(child->address);

    child->address.sin_family = AF_INET;
    child->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    child->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (child->listener < 0 ||
        bind(child->listener, (struct sockaddr *)&child->address, len) != 0 ||
        listen(child->listener, BACKLOG) != 0 ||
        getsockname(child->listener, (struct sockaddr *)&child->address, &len) != 0)
        bench_die("floor: listen: %s", strerror(errno));
}

struct floor *floor_new(uint32_t connections, int sender_core, int receiver_core)
{
    struct floor *floor = bench_alloc(sizeof(*floor));
    struct child child = {.connections = connections};
    int pair[2];
    char ready;

    listen_on_loopback(&child);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        bench_die("socketpair: %s", strerror(errno));
    *floor = (struct floor){.connections = connections};
    child.core = sender_core;
    child.partner = pair[0];
    floor->sender = child_start(child, run_sender, &floor->to_sender);
    child.core = receiver_core;
    child.partner = pair[1];
    floor->receiver = child_start(child, run_receiver, &floor->to_receiver);
    (void)close(pair[0]);
    (void)close(pair[1]);
    (void)close(child.listener);
    read_all(floor->to_sender, &ready, 1);
    read_all(floor->to_receiver, &ready, 1);
    return floor;
}

void floor_free(struct floor *floor)
{
    if (floor == NULL)
        return;
    (void)kill(floor->sender, SIGKILL);
    (void)kill(floor->receiver, SIGKILL);
    (void)waitpid(floor->sender, NULL, 0);
    (void)waitpid(floor->receiver, NULL, 0);
    (void)close(floor->to_sender);
    (void)close(floor->to_receiver);
    free(floor);
}

struct floor_result floor_run(struct floor *floor, size_t bytes, uint32_t rounds)
{
    struct floor_order order = {bytes, rounds};
    struct floor_account sent, received;
    double sends = (double)rounds * floor->connections;

    if (bytes == 0 || bytes > FRAME_BYTES_MAX)
        bench_die("floor: frames of %zu bytes", bytes);
    write_all(floor->to_receiver, &order, sizeof(order));
    write_all(floor->to_sender, &order, sizeof(order));
    read_all(floor->to_sender, &sent, sizeof(sent));
    read_all(floor->to_receiver, &received, sizeof(received));
    return (struct floor_result){(double)sent.cpu_ns / sends, (double)received.cpu_ns / sends,
                                 (double)sent.wall_ns / sends};
}
