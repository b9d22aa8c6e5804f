#include "net/first_head.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/log.h"
#include "base/loop.h"
#include "wire/http_head.h"

struct first_head {
    TAILQ_ENTRY(first_head) link; /* of all, in the order in which their time is up */
    struct first_heads *heads;
    struct event event;
    uint64_t due_ms;
    int fd;
};

struct first_heads {
    struct loop *loop; /* borrowed */
    uint64_t time_ms;
    first_head_fn fn;
    void *ctx;
    struct loop_timer *timer; /* owned; set while there are any */
    TAILQ_HEAD(first_head_list, first_head) all;
    char bytes[FIRST_HEAD_BYTES]; /* of the one that is looked at */
};

/* Takes it off the loop and frees it; returns the descriptor, which is the caller's now. */
static int forget(struct first_heads *heads, struct first_head *head)
{
    int fd = head->fd;

    TAILQ_REMOVE(&heads->all, head, link);
    (void)event_del(&head->event); /* was assigned, so cannot fail */
    free(head);
    return fd;
}

static void give_up(struct first_heads *heads, struct first_head *head)
{
    (void)close(forget(heads, head)); /* nothing was written to it */
}

/* Called when more has come, not as long as there is something. */
static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
    struct first_head *head = ctx;
    struct first_heads *heads = head->heads;
    ssize_t n = recv(fd, heads->bytes, sizeof(heads->bytes), MSG_PEEK);
    struct notify_str text;
    size_t end;

    (void)what;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        give_up(heads, head);
        return;
    }
    text = notify_str_of(heads->bytes, (size_t)n);
    end = http_head_end(text);
    if (end > 0 || text.len == sizeof(heads->bytes) || !http_head_begins(text))
        heads->fn(heads->ctx, forget(heads, head), notify_str_of(heads->bytes, end));
}

static void on_due(void *ctx)
{
    struct first_heads *heads = ctx;
    uint64_t now_ms = loop_now_ms(heads->loop);
    struct first_head *head = TAILQ_FIRST(&heads->all), *next;

    for (; head != NULL && head->due_ms <= now_ms; head = next) {
        next = TAILQ_NEXT(head, link);
        log_debug("head_too_slow", "fd", log_int(head->fd));
        give_up(heads, head);
    }
    if (head != NULL)
        loop_timer_set(heads->timer, head->due_ms - now_ms);
}

struct first_heads *first_heads_new(struct loop *loop, uint64_t time_ms, first_head_fn fn,
                                    void *ctx)
{
    struct first_heads *heads = calloc(1, sizeof(*heads));

    if (heads == NULL)
        return NULL;
    heads->loop = loop;
    heads->time_ms = time_ms;
    heads->fn = fn;
    heads->ctx = ctx;
    TAILQ_INIT(&heads->all);
    heads->timer = loop_timer_new(loop, on_due, heads);
    if (heads->timer == NULL) {
        free(heads);
        return NULL;
    }
    return heads;
}

void first_heads_free(struct first_heads *heads)
{
    if (heads == NULL)
        return;
    while (!TAILQ_EMPTY(&heads->all))
        give_up(heads, TAILQ_FIRST(&heads->all));
    loop_timer_free(heads->timer);
    free(heads);
}

void first_heads_add(struct first_heads *heads, int fd)
{
    struct first_head *head = calloc(1, sizeof(*head));

    if (head == NULL ||
        event_assign(&head->event, loop_base(heads->loop), fd, EV_READ | EV_ET | EV_PERSIST,
                     on_readable, head) != 0 ||
        event_add(&head->event, NULL) != 0) {
        log_error("out_of_memory", "at", "accept");
        free(head);
        (void)close(fd); /* nothing was written to it */
        return;
    }
    head->heads = heads;
    head->fd = fd;
    head->due_ms = loop_now_ms(heads->loop) + heads->time_ms;
    if (TAILQ_EMPTY(&heads->all))
        loop_timer_set(heads->timer, heads->time_ms);
    TAILQ_INSERT_TAIL(&heads->all, head, link);
}
