/* listener -- accepts connections.
 *
 * When the process or the system has no descriptor left, accepting rests for a while instead of
 * spinning on a backlog that stays readable. */
#include "net/listener.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/event.h>

#include "base/log.h"
#include "base/loop.h"
#include "net/bound.h"

#define ACCEPT_BUDGET 64 /* connections taken in one turn; the rest waits for the next */
#define REST_MS 200      /* without accepting, after running out of descriptors */
#define WARN_EVERY_MS 10000

struct listener {
    struct loop *loop;         /* borrowed, as is the next */
    const struct bound *bound; /* its sockets are watched */
    listener_fn fn;
    void *ctx;
    struct loop_timer *rest_timer; /* owned */
    uint64_t warned_ms;
    size_t count;
    struct event *sockets[]; /* owned, without their descriptors */
};

static void stop_accepting(struct listener *listener, int err)
{
    uint64_t now = loop_now_ms(listener->loop);

    if (listener->warned_ms == 0 || now - listener->warned_ms >= WARN_EVERY_MS) {
        listener->warned_ms = now;
        log_warn("accept_paused", "address", bound_text(listener->bound), "error", strerror(err));
    }
    for (size_t i = 0; i < listener->count; i++)
        (void)event_del(listener->sockets[i]); /* was assigned, so cannot fail */
    loop_timer_set(listener->rest_timer, REST_MS);
}

static void resume_accepting(void *ctx)
{
    struct listener *listener = ctx;

    for (size_t i = 0; i < listener->count; i++) {
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

/* The socket, or -1 with errno. */
static int accept_one(int socket, struct peer_address *ret_peer)
{
    union {
        struct sockaddr any;
        struct sockaddr_storage room;
    } addr = {.room = {.ss_family = AF_UNIX}};
    socklen_t len = sizeof(addr);
    int fd = accept4(socket, &addr.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    *ret_peer = peer_address_of(&addr.any);
    return fd;
}

static void on_acceptable(evutil_socket_t socket, short what, void *arg)
{
    struct listener *listener = arg;
    struct peer_address peer;

    (void)what;
    loop_work(listener->loop, LOOP_ACCEPT, bound_text(listener->bound));
    for (int i = 0; i < ACCEPT_BUDGET; i++) {
        int fd = accept_one(socket, &peer);

        if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (fd < 0 && is_passing(errno))
            continue;
        if (fd < 0) {
            stop_accepting(listener, errno);
            return;
        }
        listener->fn(listener->ctx, fd, &peer, bound_kind(listener->bound));
    }
}

/* 0 or -ENOMEM. */
static int watch(struct listener *listener, int fd)
{
    struct event *event =
        event_new(loop_base(listener->loop), fd, EV_READ | EV_PERSIST, on_acceptable, listener);

    if (event == NULL)
        return -ENOMEM;
    listener->sockets[listener->count++] = event;
    return event_add(event, NULL) == 0 ? 0 : -ENOMEM;
}

struct listener *listener_new(struct loop *loop, const struct bound *bound, unsigned process,
                              listener_fn fn, void *ctx)
{
    size_t len = bound_count(bound);
    struct listener *listener = calloc(1, sizeof(*listener) + len * sizeof(struct event *));

    if (listener == NULL)
        goto fail;
    listener->loop = loop;
    listener->bound = bound;
    listener->fn = fn;
    listener->ctx = ctx;
    listener->rest_timer = loop_timer_new(loop, resume_accepting, listener);
    if (listener->rest_timer == NULL)
        goto fail;
    for (size_t i = 0; i < len; i++)
        if (bound_is_for(bound, i, process) && watch(listener, bound_socket(bound, i)) != 0)
            goto fail;
    return listener;

fail:
    log_error("out_of_memory", "at", "listeners");
    listener_free(listener);
    return NULL;
}

void listener_free(struct listener *listener)
{
    if (listener == NULL)
        return;
    for (size_t i = 0; i < listener->count; i++)
        event_free(listener->sockets[i]);
    loop_timer_free(listener->rest_timer);
    free(listener);
}
