#include "net/bound.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "net/handed.h"
#include "net/socket_file.h"

#define MAX_ADDRESSES 8 /* that one host name may stand for */
#define BACKLOG 65535   /* who waits to be accepted: as many as the system allows (somaxconn) */
/* What the kernel may keep for a client that does not read, beyond what it has on the way to it,
 * and of what a client sends that is not read. Without these limits it is megabytes for each. */
#define UNSENT_BYTES 65536
#define UNREAD_BYTES 65536

union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un un;
    char bytes[sizeof(struct sockaddr_un) + 1]; /* a path may have no NUL */
};

struct bound {
    unsigned processes;
    unsigned addresses;              /* that the host stands for, or one path */
    unsigned counts[MAX_ADDRESSES];  /* sockets of each of them */
    struct socket_file file;         /* of a unix socket */
    char path[LISTEN_ADDRESS_BYTES]; /* of one that was taken over; "" */
    int port;
    struct listen_kind kind;
    char text[LISTEN_ADDRESS_BYTES], name[LISTEN_ADDRESS_BYTES];
    bool foreign; /* sockets that a service manager keeps open, too */
    size_t len;
    struct bound_socket {
        int fd; /* owned */
        unsigned address, nth;
    } sockets[];
};

/* Of family AF_UNSPEC if it has none. */
static union socket_address address_of(int fd)
{
    union socket_address addr = {.bytes = {0}};
    socklen_t len = sizeof(struct sockaddr_un);

    if (getsockname(fd, &addr.any, &len) != 0)
        addr.any.sa_family = AF_UNSPEC;
    return addr;
}

static int port_in(const union socket_address *addr)
{
    switch (addr->any.sa_family) {
    case AF_INET:
        return ntohs(addr->v4.sin_port);
    case AF_INET6:
        return ntohs(addr->v6.sin6_port);
    default:
        return 0;
    }
}

static int port_of(int fd)
{
    const union socket_address addr = address_of(fd);

    return port_in(&addr);
}

/* "::" takes IPv4 too, any other IPv6 address itself only, whatever the system's setting. */
static void set_v6_only(int fd, const union socket_address *addr)
{
    int only = IN6_IS_ADDR_UNSPECIFIED(&addr->v6.sin6_addr) ? 0 : 1;

    (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)); /* bind() will tell */
}

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

/* The kernel gives each connection to one of the sockets of a port, by a hash of both ends. */
static int share_port(int fd)
{
    int on = 1;

    return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
}

/* The bound socket, or -errno. */
static int bind_tcp(const struct bound *bound, const struct addrinfo *info, bool shared)
{
    union socket_address addr = {.bytes = {0}};
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int ret;

    if (fd < 0)
        return -errno;
    memcpy(&addr, info->ai_addr, info->ai_addrlen);
    if (info->ai_family == AF_INET6) {
        addr.v6.sin6_port = htons((uint16_t)bound->port);
        set_v6_only(fd, &addr);
    } else {
        addr.v4.sin_port = htons((uint16_t)bound->port);
    }
    if (set_options(fd) == 0 && (!shared || share_port(fd) == 0) &&
        bind(fd, &addr.any, info->ai_addrlen) == 0)
        return fd;
    ret = -errno;
    (void)close(fd); /* nothing was written to it, here and below */
    return ret;
}

static void keep(struct bound *bound, int fd, unsigned address)
{
    bound->sockets[bound->len++] =
        (struct bound_socket){.fd = fd, .address = address, .nth = bound->counts[address]++};
}

/* Takes fd, also on failure. 0 or -errno. */
static int add_socket(struct bound *bound, int fd)
{
    int ret = 0;

    if (fd < 0)
        return fd;
    if (listen(fd, BACKLOG) != 0) {
        ret = -errno;
        (void)close(fd);
    } else {
        keep(bound, fd, bound->addresses);
    }
    return ret;
}

/* A port that is shared could be shared with another program of the same user, too, which then had
 * half of our clients: so it is first had for ourselves. */
static int probe_tcp(struct bound *bound, const struct addrinfo *info)
{
    int fd = bind_tcp(bound, info, false);

    if (fd < 0)
        return fd;
    bound->port = port_of(fd);
    (void)close(fd);
    return 0;
}

/* All sockets of one address of the host. With port 0, the second address gets the port of the
 * first. */
static int open_tcp(struct bound *bound, const struct addrinfo *info)
{
    bool shared = bound->processes > 1;
    int ret = shared ? probe_tcp(bound, info) : 0;

    for (unsigned i = 0; ret == 0 && i < bound->processes; i++) {
        ret = add_socket(bound, bind_tcp(bound, info, shared));
        if (ret == 0)
            bound->port = port_of(bound->sockets[bound->len - 1].fd);
    }
    bound->addresses += ret == 0;
    return ret;
}

static int open_each(struct bound *bound, const struct addrinfo *list)
{
    int ret = -EADDRNOTAVAIL;

    for (const struct addrinfo *i = list; i != NULL && bound->addresses < MAX_ADDRESSES;
         i = i->ai_next) {
        ret = open_tcp(bound, i);
        /* A name such as localhost often has an IPv6 address on machines without IPv6. */
        if (ret != 0 && ret != -EAFNOSUPPORT && ret != -EADDRNOTAVAIL)
            return ret;
    }
    return bound->addresses > 0 ? 0 : ret;
}

static void name_tcp(struct bound *bound, const char *host)
{
    (void)snprintf(bound->text, sizeof(bound->text),
                   strchr(host, ':') != NULL ? "[%s]:%d" : "%s:%d", host[0] == '\0' ? "*" : host,
                   bound->port);
}

static int listen_tcp(struct bound *bound, const char *address, const char **ret_why)
{
    char host[LISTEN_HOST_BYTES];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list = NULL;
    int ret;

    (void)listen_address_split(address, host, sizeof(host), &bound->port); /* was checked */
    ret = getaddrinfo(host[0] == '\0' ? "::" : host, NULL, &hints, &list);
    if (ret != 0) {
        *ret_why = gai_strerror(ret);
        return -EINVAL;
    }
    ret = open_each(bound, list);
    freeaddrinfo(list);
    if (host[0] == '\0' && ret == -EAFNOSUPPORT) { /* no IPv6 here at all */
        if (getaddrinfo("0.0.0.0", NULL, &hints, &list) != 0)
            return ret;
        ret = open_each(bound, list);
        freeaddrinfo(list);
    }
    name_tcp(bound, host);
    return ret;
}

static int listen_unix(struct bound *bound, const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd;
    int ret;

    memcpy(addr.sun_path, path, strlen(path));
    socket_file_remove_stale(path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
        ret = -errno;
        (void)close(fd);
        return ret;
    }
    ret = socket_file_own(&bound->file, path);
    if (ret != 0) {
        (void)close(fd);
        (void)unlink(path);
        return ret;
    }
    (void)snprintf(bound->text, sizeof(bound->text), LISTEN_UNIX_PREFIX "%s", path);
    ret = add_socket(bound, fd);
    bound->addresses += ret == 0;
    return ret;
}

/* What was handed over. */

/* Where an address is, as text and resolved. */
struct place {
    const char *path;      /* of a unix socket, or NULL */
    const char *host;      /* "": every address */
    struct addrinfo *list; /* owned */
};

static bool is_any(const union socket_address *addr)
{
    return addr->any.sa_family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(&addr->v6.sin6_addr)
                                           : addr->v4.sin_addr.s_addr == htonl(INADDR_ANY);
}

/* The same address of a host, or path. */
static bool is_same_place(const union socket_address *a, const union socket_address *b)
{
    if (a->any.sa_family != b->any.sa_family)
        return false;
    switch (a->any.sa_family) {
    case AF_INET:
        return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
    case AF_INET6:
        return IN6_ARE_ADDR_EQUAL(&a->v6.sin6_addr, &b->v6.sin6_addr) &&
               a->v6.sin6_scope_id == b->v6.sin6_scope_id;
    case AF_UNIX:
        return memcmp(a->un.sun_path, b->un.sun_path, sizeof(a->un.sun_path)) == 0;
    default:
        return false;
    }
}

static bool is_at(const union socket_address *addr, const struct place *place, int port)
{
    if (place->path != NULL)
        return addr->any.sa_family == AF_UNIX && strcmp(addr->un.sun_path, place->path) == 0;
    if (addr->any.sa_family == AF_UNIX || port == 0 || port_in(addr) != port)
        return false;
    if (place->host != NULL && place->host[0] == '\0')
        return is_any(addr);
    for (const struct addrinfo *i = place->list; i != NULL; i = i->ai_next)
        if (is_same_place(addr, (const union socket_address *)(const void *)i->ai_addr))
            return true;
    return false;
}

/* A bridge's unix socket whose path is gone nobody can reach: another one is made. */
static bool is_wanted(const struct bound *bound, const struct handed_socket *socket,
                      const struct place *place)
{
    const union socket_address addr = address_of(socket->fd);

    if (socket->taken ||
        (strcmp(bound->name, socket->name) != 0 && !is_at(&addr, place, bound->port)))
        return false;
    return socket->foreign || place->path == NULL || socket_file_is(place->path);
}

/* Which of our addresses this is; it may be a new one. */
static unsigned number_of(const struct bound *bound, int fd)
{
    const union socket_address addr = address_of(fd);

    for (size_t i = 0; i < bound->len; i++) {
        const union socket_address other = address_of(bound->sockets[i].fd);

        if (is_same_place(&addr, &other) && port_in(&addr) == port_in(&other))
            return bound->sockets[i].address;
    }
    return bound->addresses;
}

static int take(struct bound *bound, struct handed_socket *socket)
{
    unsigned address = number_of(bound, socket->fd);

    if (address == MAX_ADDRESSES)
        return -E2BIG;
    socket->taken = true;
    if (address == bound->addresses)
        bound->addresses++;
    keep(bound, socket->fd, address);
    (void)set_options(socket->fd); /* it listens already, so they are hints, all of them */
    bound->foreign |= socket->foreign;
    return 0;
}

static int find_place(struct bound *bound, const char *bare, char host[LISTEN_HOST_BYTES],
                      struct place *ret)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};

    if (strncmp(bare, LISTEN_SYSTEMD_PREFIX, strlen(LISTEN_SYSTEMD_PREFIX)) == 0)
        return 0;
    if (strncmp(bare, LISTEN_UNIX_PREFIX, strlen(LISTEN_UNIX_PREFIX)) == 0) {
        ret->path = bare + strlen(LISTEN_UNIX_PREFIX);
        return 0;
    }
    (void)listen_address_split(bare, host, LISTEN_HOST_BYTES, &bound->port); /* was checked */
    ret->host = host;
    return host[0] == '\0' ? 0 : getaddrinfo(host, NULL, &hints, &ret->list);
}

static void tell_if_shared(const struct bound *bound)
{
    for (unsigned i = 0; i < bound->addresses; i++)
        if (bound->counts[i] < bound->processes)
            log_warn("listener_shared", "address", bound->text, "sockets",
                     log_int(bound->counts[i]), "workers", log_int(bound->processes), "text",
                     "workers share it, so connections are not spread evenly");
}

/* How many there are, or -errno. */
static int take_handed(struct bound *bound, const char *bare, struct handed *handed)
{
    char host[LISTEN_HOST_BYTES];
    struct place place = {.path = NULL};
    int ret = 0;

    if (find_place(bound, bare, host, &place) != 0)
        return 0; /* what is wrong with it is told when it is to be had anew */
    for (size_t i = 0; ret == 0 && i < handed->len; i++)
        if (is_wanted(bound, &handed->at[i], &place))
            ret = take(bound, &handed->at[i]);
    if (place.list != NULL)
        freeaddrinfo(place.list);
    if (ret != 0 || bound->len == 0)
        return ret;
    if (bound->port == 0)
        bound->port = port_of(bound->sockets[0].fd);
    if (place.host != NULL)
        name_tcp(bound, host);
    else
        (void)snprintf(bound->text, sizeof(bound->text), "%s", bare);
    if (place.path != NULL && !bound->foreign)
        (void)snprintf(bound->path, sizeof(bound->path), "%s", place.path);
    tell_if_shared(bound);
    return (int)bound->len;
}

/* All of it. */

static int listen_anew(struct bound *bound, const char *bare, const char **ret_why)
{
    if (strncmp(bare, LISTEN_UNIX_PREFIX, strlen(LISTEN_UNIX_PREFIX)) == 0)
        return listen_unix(bound, bare + strlen(LISTEN_UNIX_PREFIX));
    if (strncmp(bare, LISTEN_SYSTEMD_PREFIX, strlen(LISTEN_SYSTEMD_PREFIX)) != 0)
        return listen_tcp(bound, bare, ret_why);
    *ret_why = "no socket of that name was handed over (LISTEN_FDNAMES)";
    return -ENOENT;
}

/* 0 or -errno, for which *ret_why may be set to a better text. */
static int open_all(struct bound *bound, const char *address, struct handed *handed,
                    const char **ret_why)
{
    char bare[LISTEN_ADDRESS_BYTES];
    int taken;

    *ret_why = listen_address_check(address);
    if (*ret_why != NULL)
        return -EINVAL;
    (void)listen_address_kind(address, &bound->kind); /* looked at, too */
    (void)snprintf(bare, sizeof(bare), "%.*s", (int)strcspn(address, ","), address);
    handed_name(address, bound->name);
    taken = handed == NULL ? 0 : take_handed(bound, bare, handed);
    if (taken != 0)
        return taken < 0 ? taken : 0;
    return listen_anew(bound, bare, ret_why);
}

struct bound *bound_new(const char *address, unsigned processes, struct handed *handed)
{
    size_t most = (size_t)MAX_ADDRESSES * processes + (handed == NULL ? 0 : handed->len);
    struct bound *bound = calloc(1, sizeof(*bound) + most * sizeof(struct bound_socket));
    const char *why = NULL;
    int ret = -ENOMEM;

    if (bound != NULL) {
        bound->processes = processes;
        ret = open_all(bound, address, handed, &why);
        if (ret == 0)
            return bound;
    }
    log_error("listen_failed", "address", address, "error", why != NULL ? why : strerror(-ret));
    bound_free(bound);
    return NULL;
}

void bound_disown(struct bound *bound)
{
    socket_file_disown(&bound->file);
    bound->path[0] = '\0';
}

void bound_own(struct bound *bound)
{
    if (bound->path[0] != '\0')
        (void)socket_file_own(&bound->file, bound->path); /* else the next one finds it stale */
    bound->path[0] = '\0';
}

void bound_close(struct bound *bound)
{
    while (bound->len > 0)
        (void)close(bound->sockets[--bound->len].fd);
    socket_file_remove(&bound->file);
}

void bound_free(struct bound *bound)
{
    if (bound == NULL)
        return;
    bound_close(bound);
    free(bound);
}

size_t bound_count(const struct bound *bound)
{
    return bound->len;
}

int bound_socket(const struct bound *bound, size_t i)
{
    return bound->sockets[i].fd;
}

bool bound_is_for(const struct bound *bound, size_t i, unsigned process)
{
    const struct bound_socket *socket = &bound->sockets[i];
    unsigned count = bound->counts[socket->address];

    return count >= bound->processes ? socket->nth % bound->processes == process
                                     : process % count == socket->nth;
}

static enum bound_reach reach_of(int fd)
{
    const union socket_address addr = address_of(fd);
    bool loopback = false;

    if (addr.any.sa_family == AF_UNIX)
        return BOUND_UNIX;
    if (addr.any.sa_family == AF_INET6)
        loopback = IN6_IS_ADDR_LOOPBACK(&addr.v6.sin6_addr);
    else if (addr.any.sa_family == AF_INET)
        loopback = ntohl(addr.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return loopback ? BOUND_LOOPBACK : BOUND_NETWORK;
}

/* From the farthest of them. */
enum bound_reach bound_reach(const struct bound *bound)
{
    enum bound_reach reach = BOUND_UNIX;

    for (size_t i = 0; i < bound->len; i++)
        if (reach_of(bound->sockets[i].fd) > reach)
            reach = reach_of(bound->sockets[i].fd);
    return reach;
}

const struct listen_kind *bound_kind(const struct bound *bound)
{
    return &bound->kind;
}

void bound_set_door(struct bound *bound, enum listen_door door)
{
    bound->kind.door = door;
}

const char *bound_text(const struct bound *bound)
{
    return bound->text;
}

const char *bound_name(const struct bound *bound)
{
    return bound->name;
}

bool bound_is_foreign(const struct bound *bound)
{
    return bound->foreign;
}
