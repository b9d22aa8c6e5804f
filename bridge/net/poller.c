#include "net/poller.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/loop.h"

struct poller {
    int fd;
    struct event *event; /* owned: the set itself */
    poller_fn fn;
    int at, len; /* of batch, while it is gone through */
    struct epoll_event batch[POLLER_AT_ONCE];
};

/* Unless it was forgotten, or has changed its mind, since the kernel said so. */
static void call(struct poller *poller, const struct epoll_event *event, enum poller_wish wish)
{
    static const uint32_t signs[] = {[POLLER_INPUT] = EPOLLIN | EPOLLHUP | EPOLLERR,
                                     [POLLER_OUTPUT] = EPOLLOUT | EPOLLHUP | EPOLLERR};
    struct polled *polled = event->data.ptr;

    if (polled != NULL && (event->events & signs[wish]) && (polled->wishes & wish))
        poller->fn(polled, wish);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct poller *poller = arg;

    (void)what;
    poller->len = epoll_wait(fd, poller->batch, POLLER_AT_ONCE, 0);
    for (poller->at = 0; poller->at < poller->len; poller->at++) {
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

int poller_wish(struct poller *poller, struct polled *polled, unsigned wishes)
{
    struct epoll_event event = {.events = (wishes & POLLER_INPUT ? EPOLLIN : 0U) |
                                          (wishes & POLLER_OUTPUT ? EPOLLOUT : 0U),
                                .data.ptr = polled};
    int op = polled->wishes == 0 ? EPOLL_CTL_ADD : wishes == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;

    if (wishes == polled->wishes)
        return 0;
    if (epoll_ctl(poller->fd, op, polled->fd, &event) != 0 && op != EPOLL_CTL_DEL)
        return -errno;
    if (wishes == 0)
        forget(poller, polled);
    polled->wishes = (uint8_t)wishes;
    return 0;
}
