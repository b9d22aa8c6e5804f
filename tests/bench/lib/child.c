/* child -- processes of the measuring programs' own; see child.h. */
#include "child.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "proc.h"

#define BACKLOG 4096

void child_read(int fd, void *out, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t got = read(fd, (char *)out + at, len - at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            bench_die("child: %s", got < 0 ? strerror(errno) : "a process has ended");
        at += (size_t)got;
    }
}

void child_write(int fd, const void *bytes, size_t len)
{
    if (send(fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
        bench_die("child: send: %s", strerror(errno));
}

struct child child_start(int core, child_fn fn, void *ctx)
{
    int pair[2];
    pid_t parent = getpid();

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        bench_die("socketpair: %s", strerror(errno));
    pid_t pid = fork();
    if (pid < 0)
        bench_die("fork: %s", strerror(errno));
    if (pid == 0) {
        /* With the parent gone there is nobody left to work for. */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        (void)close(pair[0]);
        proc_pin_self(core);
        fn(ctx, pair[1]);
        _exit(1);
    }
    (void)close(pair[1]);
    return (struct child){pid, pair[0]};
}

void child_await(const struct child *child)
{
    char ready;

    child_read(child->control, &ready, 1);
}

void child_ready(int control)
{
    child_write(control, "r", 1);
}

void child_stop(const struct child *child)
{
    (void)kill(child->pid, SIGKILL);
    (void)waitpid(child->pid, NULL, 0);
    (void)close(child->control);
}

static int without_delay(int fd, const char *what)
{
    if (fd < 0)
        bench_die("child: %s: %s", what, strerror(errno));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); /* only speed */
    return fd;
}

int child_listen(struct sockaddr_in *ret_address)
{
    socklen_t len = sizeof(*ret_address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *ret_address = (struct sockaddr_in){.sin_family = AF_INET};
    ret_address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)ret_address, len) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)ret_address, &len) != 0)
        bench_die("child: listen: %s", strerror(errno));
    return fd;
}

int child_connect(const struct sockaddr_in *address)
{
    int fd = without_delay(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");

    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0)
        bench_die("child: connect: %s", strerror(errno));
    return fd;
}

int child_accept(int listener)
{
    return without_delay(accept4(listener, NULL, NULL, SOCK_CLOEXEC), "accept");
}
