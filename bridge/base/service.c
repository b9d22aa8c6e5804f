#include "base/service.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

#define PATIENCE_MS 100 /* with a manager that does not read */
#define TEXT_MAX 512

static struct {
    struct sockaddr_un addr;
    socklen_t len; /* 0: nobody is told */
    uint64_t beat_ms;
} manager;

/* Of TCP, of a virtual machine's host, or nonsense: then we say that nothing is told. */
static void find_socket(const char *name)
{
    size_t len = strlen(name);

    if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof(manager.addr.sun_path)) {
        log_warn("service_unknown", "socket", name, "text",
                 "NOTIFY_SOCKET is neither a path nor an abstract name: nobody is told");
        return;
    }
    manager.addr.sun_family = AF_UNIX;
    memcpy(manager.addr.sun_path, name, len);
    if (name[0] == '@')
        manager.addr.sun_path[0] = '\0';
    manager.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

static bool read_number(const char *text, uint64_t *ret)
{
    char *end;

    if (text == NULL || text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *ret = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}

static void find_beat(void)
{
    const char *pid_text = getenv("WATCHDOG_PID"), *text = getenv("WATCHDOG_USEC");
    uint64_t pid, usec;

    if (text == NULL ||
        (pid_text != NULL && (!read_number(pid_text, &pid) || pid != (uint64_t)getpid())))
        return;
    if (!read_number(text, &usec) || usec == 0) {
        log_warn("service_unknown", "watchdog", text, "text",
                 "WATCHDOG_USEC is no time: there is no beat");
        return;
    }
    manager.beat_ms = usec / 2000 > 0 ? usec / 2000 : 1;
}

void service_begin(void)
{
    const char *name = getenv("NOTIFY_SOCKET");

    if (name == NULL || name[0] == '\0')
        return;
    find_socket(name);
    if (manager.len > 0)
        find_beat();
}

void service_be_silent(void)
{
    manager.len = 0;
    manager.beat_ms = 0;
}

/* 0 or -errno. */
static int send_to_manager(const char *text)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct pollfd writable = {.fd = fd, .events = POLLOUT};
    ssize_t sent = -1;

    if (fd < 0)
        return -errno;
    for (int attempt = 0; sent < 0 && attempt < 2; attempt++) {
        sent = sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&manager.addr,
                      manager.len);
        if (sent < 0 && (errno != EAGAIN || poll(&writable, 1, PATIENCE_MS) < 0))
            break;
    }
    sent = sent < 0 ? -errno : 0;
    (void)close(fd);
    return (int)sent;
}

void service_tell(const char *text)
{
    int ret = manager.len > 0 ? send_to_manager(text) : 0;

    if (ret != 0)
        log_warn("service_not_told", "text", text, "error", strerror(-ret));
}

void service_tell_reloading(void)
{
    struct timespec now;
    char text[TEXT_MAX];

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
    (void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reloads",
                   (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
    service_tell(text);
}

void service_tell_main(int64_t pid, const char *text)
{
    char all[TEXT_MAX];

    (void)snprintf(all, sizeof(all), "MAINPID=%" PRId64 "\n%s", pid, text);
    service_tell(all);
}

uint64_t service_beat_every_ms(void)
{
    return manager.beat_ms;
}

void service_beat(void)
{
    service_tell("WATCHDOG=1");
}
