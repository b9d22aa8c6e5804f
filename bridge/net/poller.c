#include "net/poller.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/loop.h"

struct poller {
    struct loop *loop; /* borrowed */
    int fd;
    struct event *event; /* owned: the set itself */
    poller_fn fn;
    int at, len; /* of batch, while it is gone through */
    struct epoll_event batch[POLLER_AT_ONCE];
};

/* 0 or -errno. To be told of less needs no memory. */
static int tell_kernel(const struct poller *poller, struct polled *polled, unsigned wishes)
{
    struct epoll_event event = {.events = (wishes & POLLER_INPUT ? EPOLLIN : 0U) |
                                          (wishes & POLLER_OUTPUT ? EPOLLOUT : 0U),
                                .data.ptr = polled};
    int op = polled->told == 0 ? EPOLL_CTL_ADD : wishes == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;

    if (epoll_ctl(poller->fd, op, polled->fd, &event) != 0 && op != EPOLL_CTL_DEL)
        return -errno;
    polled->told = (uint8_t)wishes;
    return 0;
}

/* Unless it was forgotten, or has changed its mind, since the kernel said so. */
static void call(struct poller *poller, const struct epoll_event *event, enum poller_wish wish)
{
    static const uint32_t signs[] = {[POLLER_INPUT] = EPOLLIN | EPOLLHUP | EPOLLERR,
                                     [POLLER_OUTPUT] = EPOLLOUT | EPOLLHUP | EPOLLERR};
    static const char *const places[] = {[POLLER_INPUT] = "input", [POLLER_OUTPUT] = "output"};
    struct polled *polled = event->data.ptr;

    if (polled == NULL || !(event->events & signs[wish]) || !(polled->wishes & wish))
        return;
    loop_work(poller->loop, LOOP_CLIENTS, places[wish]);
    poller->fn(polled, wish);
}

/* It would be said again and again. */
static void forgo(const struct poller *poller, struct polled *polled)
{
    if (polled != NULL && polled->told != polled->wishes)
        (void)tell_kernel(poller, polled, polled->wishes);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct poller *poller = arg;

    (void)what;
    poller->len = epoll_wait(fd, poller->batch, POLLER_AT_ONCE, 0);
    for (poller->at = 0; poller->at < poller->len; poller->at++) {
        forgo(poller, poller->batch[poller->at].data.ptr);
        call(poller, &poller->batch[poller->at], POLLER_OUTPUT);
        call(poller, &poller->batch[poller->at], POLLER_INPUT);
    }
    poller->len = 0;
}

struct poller *poller_new(struct loop *loop, poller_fn fn)
{
    struct poller *poller = calloc(1, sizeof(*poller));

    if (poller == NULL)
        return NULL;
    poller->loop = loop;
    poller->fn = fn;
    poller->fd = epoll_create1(EPOLL_CLOEXEC);
    if (poller->fd >= 0)
        poller->event =
            event_new(loop_base(loop), poller->fd, EV_READ | EV_PERSIST, on_ready, poller);
    if (poller->event != NULL && event_add(poller->event, NULL) == 0)
        return poller;
    poller_free(poller);
    return NULL;
}

void poller_free(struct poller *poller)
{
    if (poller == NULL)
        return;
    if (poller->event != NULL)
        event_free(poller->event);
    if (poller->fd >= 0)
        (void)close(poller->fd); /* nothing was written to it */
    free(poller);
}

/* It is not called any more in this turn. */
static void forget(struct poller *poller, const struct polled *polled)
{
    for (int i = poller->at; i < poller->len; i++)
        if (poller->batch[i].data.ptr == polled)
            poller->batch[i].data.ptr = NULL;
}

/* What it does not want any more may stand with the kernel until there is some; but there is always
 * room to write. */
static bool must_tell(const struct polled *polled, unsigned wishes)
{
    unsigned too_much = polled->told & ~wishes;

    return (wishes & ~(unsigned)polled->told) != 0 || (too_much & POLLER_OUTPUT) != 0;
}

int poller_wish(struct poller *poller, struct polled *polled, unsigned wishes)
{
    int ret = must_tell(polled, wishes) ? tell_kernel(poller, polled, wishes) : 0;

    if (ret == 0)
        polled->wishes = (uint8_t)wishes;
    return ret;
}

/* A socket leaves a set with its last descriptor (epoll(7)), and a child that has not come to its
 * exec() yet has one, too. */
void poller_close(struct poller *poller, struct polled *polled)
{
    forget(poller, polled);
    if (polled->told != 0)
        (void)tell_kernel(poller, polled, 0);
    (void)close(polled->fd); /* what was written is the kernel's */
    *polled = (struct polled){.fd = -1};
}
