#include "net/handed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const variables[] = {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES",
                                        HANDED_PIPE_VARIABLE};

/* Digits and nothing else, up to max. */
static bool read_number(const char *text, long max, long *ret)
{
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *ret = strtol(text, &end, 10);
    return errno == 0 && *end == '\0' && *ret <= max;
}

static int fail(char error[HANDED_ERROR_MAX], const char *what)
{
    (void)snprintf(error, HANDED_ERROR_MAX, "%s", what);
    return -EINVAL;
}

static int option_of(int fd, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

/* What is wrong with it, or NULL. */
static const char *check_socket(int fd)
{
    int family = option_of(fd, SO_DOMAIN);

    if (fcntl(fd, F_GETFD) < 0)
        return "is not open";
    if (family < 0)
        return "is no socket";
    if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
        return "is neither of TCP nor a unix socket";
    if (option_of(fd, SO_TYPE) != SOCK_STREAM)
        return "is no stream socket";
    if (option_of(fd, SO_ACCEPTCONN) != 1)
        return "does not listen (is it a connection, of Accept=yes?)";
    return NULL;
}

/* Nobody that we start is to have it by chance, and accept() must never wait. */
static bool tame(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
           fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

static int take_sockets(struct handed *handed, char error[HANDED_ERROR_MAX])
{
    for (size_t i = 0; i < handed->len; i++) {
        struct handed_socket *socket = &handed->at[i];
        const char *why = check_socket(socket->fd);

        if (why == NULL && !tame(socket->fd))
            why = "cannot be used";
        if (why == NULL)
            continue;
        (void)snprintf(error, HANDED_ERROR_MAX, "descriptor %d of LISTEN_FDS %s", socket->fd, why);
        return -EINVAL;
    }
    return 0;
}

/* One name for each, or no names at all. */
static int take_names(struct handed *handed, const char *names, char error[HANDED_ERROR_MAX])
{
    char *name, *rest;
    size_t count = 0;

    if (names == NULL)
        return 0;
    rest = handed->names = strdup(names);
    if (rest == NULL)
        return -ENOMEM;
    while ((name = strsep(&rest, ":")) != NULL) {
        if (count < handed->len)
            handed->at[count].name = name;
        count++;
    }
    return count == handed->len
               ? 0
               : fail(error, "LISTEN_FDNAMES has not as many names as LISTEN_FDS says");
}

static int take_pipe(struct handed *handed, const char *text, char error[HANDED_ERROR_MAX])
{
    size_t len = text == NULL ? 0 : strcspn(text, ":");
    char digits[16];
    struct stat st;
    long fd;

    if (text == NULL)
        return 0;
    (void)snprintf(digits, sizeof(digits), "%.*s", (int)len, text);
    if (len >= sizeof(digits) || text[len] != ':' || !read_number(digits, HANDED_MAX * 2, &fd) ||
        strlen(text + len + 1) != handed->len || strspn(text + len + 1, "mb") != handed->len)
        return fail(error, HANDED_PIPE_VARIABLE " is none that a bridge has written");
    if (fstat((int)fd, &st) != 0 || !S_ISFIFO(st.st_mode) ||
        fcntl((int)fd, F_SETFD, FD_CLOEXEC) != 0)
        return fail(error, HANDED_PIPE_VARIABLE " names no pipe");
    handed->pipe = (int)fd;
    for (size_t i = 0; i < handed->len; i++)
        handed->at[i].foreign = text[len + 1 + i] == 'm';
    return 0;
}

static struct handed *new_handed(size_t count)
{
    struct handed *handed = calloc(1, sizeof(*handed) + count * sizeof(struct handed_socket));

    if (handed == NULL)
        return NULL;
    handed->pipe = -1;
    handed->len = count;
    for (size_t i = 0; i < count; i++)
        handed->at[i] =
            (struct handed_socket){.fd = HANDED_FIRST_FD + (int)i, .name = "", .foreign = true};
    return handed;
}

/* *ret is to be freed also on failure. */
static int read_all(struct handed **ret, char error[HANDED_ERROR_MAX])
{
    const char *pid_text = getenv("LISTEN_PID"), *count_text = getenv("LISTEN_FDS");
    long pid, count;
    int result;

    if (pid_text == NULL || count_text == NULL)
        return 0;
    if (!read_number(pid_text, INT32_MAX, &pid))
        return fail(error, "LISTEN_PID is no number of a process");
    if (pid != getpid())
        return 0; /* they are meant for somebody who has started us */
    if (!read_number(count_text, HANDED_MAX, &count))
        return fail(error, "LISTEN_FDS is no number up to 4096");
    *ret = count == 0 ? NULL : new_handed((size_t)count);
    if (*ret == NULL)
        return count == 0 ? 0 : -ENOMEM;
    result = take_sockets(*ret, error);
    if (result == 0)
        result = take_names(*ret, getenv("LISTEN_FDNAMES"), error);
    return result != 0 ? result : take_pipe(*ret, getenv(HANDED_PIPE_VARIABLE), error);
}

int handed_read(struct handed **ret, char error[HANDED_ERROR_MAX])
{
    int result;

    *ret = NULL;
    error[0] = '\0';
    result = read_all(ret, error);
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        (void)unsetenv(variables[i]); /* fails only for a name that is none */
    if (result == 0)
        return 0;
    if (result == -ENOMEM)
        (void)fail(error, "out of memory");
    handed_free(*ret);
    *ret = NULL;
    return result;
}

static void close_pipe(struct handed *handed)
{
    if (handed->pipe >= 0)
        (void)close(handed->pipe); /* nothing was written to it, or nobody minds */
    handed->pipe = -1;
}

void handed_free(struct handed *handed)
{
    if (handed == NULL)
        return;
    handed_close_left(handed);
    close_pipe(handed);
    free(handed->names);
    free(handed);
}

void handed_forget(struct handed *handed)
{
    if (handed != NULL)
        close_pipe(handed);
}

bool handed_is_takeover(const struct handed *handed)
{
    return handed != NULL && handed->pipe >= 0;
}

void handed_tell_ready(struct handed *handed)
{
    if (!handed_is_takeover(handed))
        return;
    (void)!write(handed->pipe, "!", 1); /* who would read it has died: then we are the bridge */
    close_pipe(handed);
}

const struct handed_socket *handed_left(const struct handed *handed)
{
    for (size_t i = 0; handed != NULL && i < handed->len; i++)
        if (!handed->at[i].taken)
            return &handed->at[i];
    return NULL;
}

void handed_close_left(struct handed *handed)
{
    for (size_t i = 0; i < handed->len; i++) {
        if (!handed->at[i].taken)
            (void)close(handed->at[i].fd); /* nothing was written to it */
        handed->at[i].taken = true;
    }
}

void handed_name(const char *address, char out[LISTEN_ADDRESS_BYTES])
{
    size_t prefix = strlen(LISTEN_SYSTEMD_PREFIX);

    if (strncmp(address, LISTEN_SYSTEMD_PREFIX, prefix) == 0)
        address += prefix;
    (void)snprintf(out, LISTEN_ADDRESS_BYTES, "%.*s", (int)strcspn(address, ","), address);
    for (char *at = out; *at != '\0'; at++)
        if (*at == ':')
            *at = '|';
}
