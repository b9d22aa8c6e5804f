/* porter -- accept and one write; see porter.h. */
#include "porter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "child.h"
#include "proc.h"

#define WAITING_MAX 256 /* connections that have not been written to; as many as in a swarm */
#define BYTES_MAX 65536

struct account {
    uint64_t cpu_ns;
    uint64_t wall_ns;
};

struct parts {
    uint32_t connections;
    int listener; /* the server's */
    struct sockaddr_in address;
};

struct porter {
    uint32_t connections;
    struct child server, client; /* orders (bytes; 0: end all) go down, accounts come up */
};

static void end_all(const int *sockets, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        (void)close(sockets[i]); /* nothing is lost */
}

static void answer(int control, uint64_t cpu_ns, uint64_t started_ns)
{
    struct account account = {proc_cpu_ns(getpid()) - cpu_ns, bench_now_ns() - started_ns};

    child_write(control, &account, sizeof(account));
}

/* Takes all who are there. */
static void let_in(const struct parts *parts, int *sockets, uint32_t *count, const char *bytes,
                   size_t len)
{
    int fd;

    while (*count < parts->connections &&
           (fd = accept4(parts->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        child_write(fd, bytes, len);
        sockets[(*count)++] = fd;
    }
    if (*count < parts->connections && errno != EAGAIN)
        bench_die("porter: accept: %s", strerror(errno));
}

static void run_server(void *ctx, int control)
{
    static char bytes[BYTES_MAX];
    const struct parts *parts = ctx;
    int *sockets = bench_alloc(parts->connections * sizeof(int));
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    uint64_t len;

    if (fcntl(parts->listener, F_SETFL, O_NONBLOCK) != 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, parts->listener, &event) != 0)
        bench_die("porter: %s", strerror(errno));
    child_ready(control);
    for (;;) {
        uint32_t count = 0;

        child_read(control, &len, sizeof(len));
        uint64_t cpu = proc_cpu_ns(getpid()), started = bench_now_ns();
        while (count < parts->connections)
            if (epoll_wait(epoll, &event, 1, -1) > 0)
                let_in(parts, sockets, &count, bytes, len);
        answer(control, cpu, started);
        child_read(control, &len, sizeof(len));
        end_all(sockets, count);
        answer(control, 0, 0);
    }
}

static void receive(int fd, size_t len)
{
    static char bytes[BYTES_MAX];

    if (recv(fd, bytes, len, MSG_WAITALL) != (ssize_t)len)
        bench_die("porter: not all that was written has come");
}

/* Ends without a trace in the kernel's tables, where it would stand for a minute. */
static int connect_one(const struct parts *parts)
{
    const struct linger at_once = {.l_onoff = 1};
    int fd = child_connect(&parts->address);

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)); /* or it stands there */
    return fd;
}

static void run_client(void *ctx, int control)
{
    const struct parts *parts = ctx;
    int *sockets = bench_alloc(parts->connections * sizeof(int));
    uint64_t len;

    child_ready(control);
    for (;;) {
        child_read(control, &len, sizeof(len));
        uint64_t cpu = proc_cpu_ns(getpid()), started = bench_now_ns();
        for (uint32_t i = 0; i < parts->connections; i++) {
            sockets[i] = connect_one(parts);
            if (i >= WAITING_MAX)
                receive(sockets[i - WAITING_MAX], len);
        }
        for (uint32_t i = parts->connections > WAITING_MAX ? parts->connections - WAITING_MAX : 0;
             i < parts->connections; i++)
            receive(sockets[i], len);
        answer(control, cpu, started);
        child_read(control, &len, sizeof(len));
        end_all(sockets, parts->connections);
        answer(control, 0, 0);
    }
}

struct porter *porter_new(uint32_t connections, int server_core, int client_core)
{
    struct porter *porter = bench_alloc(sizeof(*porter));
    struct parts parts = {.connections = connections};

    parts.listener = child_listen(&parts.address);
    porter->connections = connections;
    porter->server = child_start(server_core, run_server, &parts);
    porter->client = child_start(client_core, run_client, &parts);
    (void)close(parts.listener);
    child_await(&porter->server);
    child_await(&porter->client);
    return porter;
}

void porter_free(struct porter *porter)
{
    if (porter == NULL)
        return;
    child_stop(&porter->client);
    child_stop(&porter->server);
    free(porter);
}

static struct account tell(const struct child *child, uint64_t len)
{
    struct account account;

    child_write(child->control, &len, sizeof(len));
    child_read(child->control, &account, sizeof(account));
    return account;
}

struct porter_result porter_run(struct porter *porter, size_t bytes)
{
    double count = porter->connections;
    uint64_t len = bytes;
    struct account served, connected;

    if (bytes == 0 || bytes > BYTES_MAX)
        bench_die("porter: %zu bytes", bytes);
    child_write(porter->server.control, &len, sizeof(len));
    connected = tell(&porter->client, len);
    child_read(porter->server.control, &served, sizeof(served));
    (void)tell(&porter->client, 0);
    (void)tell(&porter->server, 0);
    return (struct porter_result){.server_ns = (double)served.cpu_ns / count,
                                  .client_ns = (double)connected.cpu_ns / count,
                                  .wall_ns = (double)connected.wall_ns / count};
}
