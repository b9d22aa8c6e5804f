/* listener -- accepts connections.
 *
 * One listener may have several sockets, as a host name may stand for several addresses. When the
 * process or the system has no descriptor left, accepting rests for a while instead of spinning on
 * a backlog that stays readable. */
#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/log.h"
#include "base/loop.h"

#define MAX_SOCKETS 8    /* addresses that one host name may stand for */
#define ACCEPT_BUDGET 64 /* connections taken in one turn; the rest waits for the next */
#define REST_MS 200      /* without accepting, after running out of descriptors */
#define WARN_EVERY_MS 10000
/* What the kernel may keep for a client that does not read, beyond what it has on the way to it,
 * and of what a client sends that is not read. Without these limits it is megabytes for each. */
#define UNSENT_BYTES 65536
#define UNREAD_BYTES 65536
#define ADDRESS_BYTES 320 /* longest host name, brackets, port */
#define HOST_BYTES (ADDRESS_BYTES - 16)
#define UNIX_PREFIX "unix:"

union tcp_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct listener {
    struct loop *loop; /* borrowed */
    listener_fn fn;
    void *ctx;
    struct event *sockets[MAX_SOCKETS]; /* owned, with their descriptors */
    int count;
    struct loop_timer *rest_timer; /* owned */
    uint64_t warned_ms;
    char *path; /* owned: of a unix socket */
    int port;
    struct listener_kind kind;
    char address[ADDRESS_BYTES];
};

static void stop_accepting(struct listener *listener, int err)
{
    uint64_t now = loop_now_ms(listener->loop);

    if (listener->warned_ms == 0 || now - listener->warned_ms >= WARN_EVERY_MS) {
        listener->warned_ms = now;
        log_warn("accept_paused", "address", listener->address, "error", strerror(err));
    }
    for (int i = 0; i < listener->count; i++)
        (void)event_del(listener->sockets[i]); /* was assigned, so cannot fail */
    loop_timer_set(listener->rest_timer, REST_MS);
}

static void resume_accepting(void *ctx)
{
    struct listener *listener = ctx;

    for (int i = 0; i < listener->count; i++) {
        if (event_add(listener->sockets[i], NULL) != 0)
            loop_timer_set(listener->rest_timer, REST_MS);
    }
}

/* Errors of the one connection that was next, not of the listening socket (see accept(2)). */
static bool is_passing(int err)
{
    static const int passing[] = {EINTR,     ECONNABORTED, EPERM,        EPROTO,      ENETDOWN,
                                  EHOSTDOWN, ENOPROTOOPT,  EHOSTUNREACH, ENETUNREACH, EOPNOTSUPP};

    for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
        if (passing[i] == err)
            return true;
    }
    return false;
}

static void on_acceptable(evutil_socket_t socket, short what, void *arg)
{
    struct listener *listener = arg;

    (void)what;
    for (int i = 0; i < ACCEPT_BUDGET; i++) {
        int fd = accept4(socket, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (fd < 0 && is_passing(errno))
            continue;
        if (fd < 0) {
            stop_accepting(listener, errno);
            return;
        }
        listener->fn(listener->ctx, fd, &listener->kind);
    }
}

/* Puts a bound socket on the loop; takes fd, also on failure. 0 or -errno. */
static int start_socket(struct listener *listener, int fd)
{
    struct event *event;
    int ret;

    if (listen(fd, SOMAXCONN) != 0) {
        ret = -errno;
        (void)close(fd); /* nothing was written to it */
        return ret;
    }
    event = event_new(loop_base(listener->loop), fd, EV_READ | EV_PERSIST, on_acceptable, listener);
    if (event == NULL || event_add(event, NULL) != 0) {
        if (event != NULL)
            event_free(event);
        (void)close(fd);
        return -ENOMEM;
    }
    listener->sockets[listener->count++] = event;
    return 0;
}

static int port_of(int fd)
{
    union tcp_address addr = {.v6 = {0}};
    socklen_t len = sizeof(addr);

    if (getsockname(fd, &addr.any, &len) != 0)
        return 0;
    return ntohs(addr.any.sa_family == AF_INET6 ? addr.v6.sin6_port : addr.v4.sin_port);
}

/* "::" takes IPv4 too, any other IPv6 address itself only, whatever the system's setting. */
static void set_v6_only(int fd, const union tcp_address *addr)
{
    int only = IN6_IS_ADDR_UNSPECIFIED(&addr->v6.sin6_addr) ? 0 : 1;

    (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)); /* bind() will tell */
}

/* Binds one address of the host. With port 0, the second address gets the port of the first. */
/* Connections inherit them. They are hints, but for SO_REUSEADDR: without them we are slower, or
 * hold more. */
static int set_options(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {{SOL_SOCKET, SO_RCVBUF, UNREAD_BYTES},
                   {IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES},
                   {IPPROTO_TCP, TCP_NODELAY, 1}};
    int on = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
        return -1;
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                         sizeof(options[i].value));
    return 0;
}

static int open_tcp(struct listener *listener, const struct addrinfo *info)
{
    union tcp_address addr = {.v6 = {0}};
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int ret;

    if (fd < 0)
        return -errno;
    memcpy(&addr, info->ai_addr, info->ai_addrlen);
    if (info->ai_family == AF_INET6) {
        addr.v6.sin6_port = htons((uint16_t)listener->port);
        set_v6_only(fd, &addr);
    } else {
        addr.v4.sin_port = htons((uint16_t)listener->port);
    }
    if (set_options(fd) != 0 || bind(fd, &addr.any, info->ai_addrlen) != 0) {
        ret = -errno;
        (void)close(fd); /* nothing was written to it */
        return ret;
    }
    listener->port = port_of(fd);
    return start_socket(listener, fd);
}

static int open_each(struct listener *listener, const struct addrinfo *list)
{
    int ret = -EADDRNOTAVAIL;

    for (const struct addrinfo *i = list; i != NULL && listener->count < MAX_SOCKETS;
         i = i->ai_next) {
        ret = open_tcp(listener, i);
        /* A name such as localhost often has an IPv6 address on machines without IPv6. */
        if (ret != 0 && ret != -EAFNOSUPPORT && ret != -EADDRNOTAVAIL)
            return ret;
    }
    return listener->count > 0 ? 0 : ret;
}

/* Splits "host:port" and "[v6]:port"; host is "" for every address. */
static bool split_address(const char *address, char *host, size_t host_cap, int *ret_port)
{
    const char *colon = strrchr(address, ':');
    size_t len;
    char *end;
    long port;

    if (colon == NULL || colon[1] < '0' || colon[1] > '9')
        return false;
    port = strtol(colon + 1, &end, 10);
    if (*end != '\0' || port > UINT16_MAX)
        return false;
    len = (size_t)(colon - address);
    if (len >= 2 && address[0] == '[' && colon[-1] == ']') {
        address++;
        len -= 2;
    } else if (memchr(address, ':', len) != NULL) {
        return false; /* an IPv6 address without brackets */
    }
    if (len == 1 && address[0] == '*')
        len = 0;
    if (len >= host_cap)
        return false;
    memcpy(host, address, len);
    host[len] = '\0';
    *ret_port = (int)port;
    return true;
}

static int listen_tcp(struct listener *listener, const char *address, const char **ret_why)
{
    char host[HOST_BYTES];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list = NULL;
    int ret;

    (void)split_address(address, host, sizeof(host), &listener->port); /* listener_check() has */
    ret = getaddrinfo(host[0] == '\0' ? "::" : host, NULL, &hints, &list);
    if (ret != 0) {
        *ret_why = gai_strerror(ret);
        return -EINVAL;
    }
    ret = open_each(listener, list);
    freeaddrinfo(list);
    if (host[0] == '\0' && ret == -EAFNOSUPPORT) { /* no IPv6 here at all */
        if (getaddrinfo("0.0.0.0", NULL, &hints, &list) != 0)
            return ret;
        ret = open_each(listener, list);
        freeaddrinfo(list);
    }
    (void)snprintf(listener->address, sizeof(listener->address),
                   strchr(host, ':') != NULL ? "[%s]:%d" : "%s:%d", host[0] == '\0' ? "*" : host,
                   listener->port);
    return ret;
}

/* A literal address of the loopback? */
static bool is_loopback_text(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool listener_is_local(const char *address)
{
    char bare[HOST_BYTES], host[HOST_BYTES];
    int port;

    if (strncmp(address, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
        return true;
    (void)snprintf(bare, sizeof(bare), "%.*s", (int)strcspn(address, ","), address);
    return split_address(bare, host, sizeof(host), &port) &&
           (strcmp(host, "localhost") == 0 || is_loopback_text(host));
}

/* A socket file that nobody answers at is left over from a process that was killed. */
static void remove_stale_socket(const struct sockaddr_un *addr)
{
    struct stat st;
    int fd;

    if (lstat(addr->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) != 0 && errno == ECONNREFUSED)
        (void)unlink(addr->sun_path); /* if it fails, bind() will tell */
    (void)close(fd);
}

static int listen_unix(struct listener *listener, const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd;
    int ret;

    memcpy(addr.sun_path, path, strlen(path));
    remove_stale_socket(&addr);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
        ret = -errno;
        (void)close(fd);
        return ret;
    }
    listener->path = strdup(path);
    if (listener->path == NULL) {
        (void)close(fd);
        (void)unlink(path);
        return -ENOMEM;
    }
    (void)snprintf(listener->address, sizeof(listener->address), "unix:%s", path);
    return start_socket(listener, fd);
}

bool listener_kind_of(const char *address, struct listener_kind *ret)
{
    const char *at = address + strcspn(address, ",");

    *ret = (struct listener_kind){.tls = false};
    while (*at == ',') {
        size_t len = strcspn(++at, ",");
        if (len == 3 && memcmp(at, "tls", 3) == 0)
            ret->tls = true;
        else if (len == 5 && memcmp(at, "proxy", 5) == 0)
            ret->proxy = true;
        else
            return false;
        at += len;
    }
    return true;
}

/* For an address without the words behind it. */
static const char *check_bare(const char *address)
{
    char host[HOST_BYTES];
    int port;

    if (strncmp(address, UNIX_PREFIX, strlen(UNIX_PREFIX)) != 0)
        return split_address(address, host, sizeof(host), &port)
                   ? NULL
                   : "not of the form host:port, [address]:port or unix:/path";
    address += strlen(UNIX_PREFIX);
    return address[0] == '/' && strlen(address) < sizeof(((struct sockaddr_un *)NULL)->sun_path)
               ? NULL
               : "the path of a unix socket must be absolute and shorter than 108 bytes";
}

const char *listener_check(const char *address)
{
    size_t len = strcspn(address, ",");
    struct listener_kind kind;
    char bare[ADDRESS_BYTES];

    if (!listener_kind_of(address, &kind))
        return "behind the address only ,tls and ,proxy may stand";
    if (len >= sizeof(bare))
        return "is too long";
    memcpy(bare, address, len);
    bare[len] = '\0';
    return check_bare(bare);
}

struct listener *listener_new(struct loop *loop, const char *address, listener_fn fn, void *ctx)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    const char *why = NULL;
    char *bare = NULL;
    int ret = -ENOMEM;

    if (listener == NULL)
        goto fail;
    listener->loop = loop;
    listener->fn = fn;
    listener->ctx = ctx;
    listener->rest_timer = loop_timer_new(loop, resume_accepting, listener);
    if (listener->rest_timer == NULL)
        goto fail;
    if ((why = listener_check(address)) != NULL)
        goto fail;
    (void)listener_kind_of(address, &listener->kind); /* looked at, too */
    bare = strndup(address, strcspn(address, ","));
    if (bare == NULL)
        goto fail;
    if (strncmp(bare, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
        ret = listen_unix(listener, bare + strlen(UNIX_PREFIX));
    else
        ret = listen_tcp(listener, bare, &why);
    if (ret != 0)
        goto fail;
    free(bare);
    return listener;

fail:
    free(bare);
    log_error("listen_failed", "address", address, "error", why != NULL ? why : strerror(-ret));
    listener_free(listener);
    return NULL;
}

void listener_free(struct listener *listener)
{
    if (listener == NULL)
        return;
    for (int i = 0; i < listener->count; i++) {
        evutil_socket_t fd = event_get_fd(listener->sockets[i]);

        event_free(listener->sockets[i]);
        (void)close(fd); /* nothing was written to it */
    }
    if (listener->path != NULL)
        (void)unlink(listener->path);
    loop_timer_free(listener->rest_timer);
    free(listener->path);
    free(listener);
}

static bool is_loopback(int fd)
{
    union tcp_address addr = {.v6 = {0}};
    socklen_t len = sizeof(addr);

    if (getsockname(fd, &addr.any, &len) != 0)
        return false;
    if (addr.any.sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&addr.v6.sin6_addr);
    return ntohl(addr.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

enum listener_reach listener_reach(const struct listener *listener)
{
    if (listener->path != NULL)
        return LISTENER_UNIX;
    for (int i = 0; i < listener->count; i++)
        if (!is_loopback(event_get_fd(listener->sockets[i])))
            return LISTENER_NETWORK;
    return LISTENER_LOOPBACK;
}

const char *listener_address(const struct listener *listener)
{
    return listener->address;
}
