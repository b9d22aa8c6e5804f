/* relay -- what a single message's way takes at the least; see relay.h. */
#include "relay.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bench.h"
#include "child.h"
#include "proc.h"

#define ANSWER_BYTES 24 /* an id as Redis answers it */
#define EVENTS_MAX 512
#define IN_BYTES 65536
#define LATE_MAX_NS (UINT64_C(10) * 1000000000)

struct message {
    uint32_t target, number;
};

/* What the children start with, and what they share. */
struct parts {
    uint32_t connections;
    int first_listener, second_listener, connection_listener;
    struct sockaddr_in first_address, second_address, connection_address;
    struct relay_load *load; /* shared */
    uint64_t *delays_ns;     /* shared; 0 until it has arrived */
};

struct relay {
    struct parts parts;
    uint64_t count_max, cpu_before_ns;
    struct child source, first, second;
};

static int watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        bench_die("relay: epoll_ctl: %s", strerror(errno));
    return fd;
}

/* Messages of one size out of a stream. */
struct inlet {
    size_t len;
    char bytes[IN_BYTES];
};

/* How many whole messages there are. The end of the stream is the end of the process: whoever runs
 * the source notices when the others have failed. */
static size_t fill(struct inlet *inlet, int fd, size_t size)
{
    ssize_t got = recv(fd, inlet->bytes + inlet->len, sizeof(inlet->bytes) - inlet->len, 0);

    if (got <= 0)
        _exit(1);
    inlet->len += (size_t)got;
    return inlet->len / size;
}

static void consume(struct inlet *inlet, size_t len)
{
    inlet->len -= len;
    memmove(inlet->bytes, inlet->bytes + len, inlet->len);
}

static void wait_readable(int epoll)
{
    struct epoll_event event;

    while (epoll_wait(epoll, &event, 1, -1) != 1)
        if (errno != EINTR)
            bench_die("relay: epoll_wait: %s", strerror(errno));
}

/* In place of Redis. */

static void run_first(void *ctx, int control)
{
    static struct inlet inlet;
    static char bytes[RELAY_MESSAGE_MAX];
    const struct parts *parts = ctx;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int second = child_connect(&parts->second_address);
    int source = watch(epoll, child_accept(parts->first_listener));

    child_ready(control);
    for (;;) {
        wait_readable(epoll);
        size_t size = parts->load->command_bytes;
        size_t count = fill(&inlet, source, size);
        for (size_t i = 0; i < count; i++) {
            memcpy(bytes, inlet.bytes + i * size, sizeof(struct message));
            child_write(second, bytes, parts->load->message_bytes);
            child_write(source, bytes, ANSWER_BYTES);
        }
        consume(&inlet, count * size);
    }
}

/* In place of the bridge. */

static void run_second(void *ctx, int control)
{
    static struct inlet inlet;
    const struct parts *parts = ctx;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int first = watch(epoll, child_accept(parts->second_listener));
    int *connections = bench_alloc(parts->connections * sizeof(int));

    for (uint32_t i = 0; i < parts->connections; i++)
        connections[i] = watch(epoll, child_accept(parts->connection_listener));
    child_ready(control);
    for (;;) {
        wait_readable(epoll);
        size_t size = parts->load->message_bytes;
        size_t count = fill(&inlet, first, size);
        for (size_t i = 0; i < count; i++) {
            struct message message;
            memcpy(&message, inlet.bytes + i * size, sizeof(message));
            child_write(connections[message.target], inlet.bytes + i * size, size);
        }
        consume(&inlet, count * size);
    }
}

/* The source. */

struct source {
    const struct parts *parts;
    int epoll, timer, first;
    uint64_t chance, started_ns, sent, arrived;
};

static uint64_t due_ns(const struct source *source, uint64_t number)
{
    return source->started_ns + number * source->parts->load->interval_ns;
}

static void on_tick(struct source *source)
{
    static char bytes[RELAY_MESSAGE_MAX];
    const struct relay_load *load = source->parts->load;
    uint64_t ticks;

    if (read(source->timer, &ticks, sizeof(ticks)) < 0 && errno != EAGAIN)
        bench_die("relay: timer: %s", strerror(errno));
    (void)recv(source->first, bytes, sizeof(bytes), MSG_DONTWAIT); /* answers, if there are any */
    while (source->sent < load->count && due_ns(source, source->sent) <= bench_now_ns()) {
        struct message message = {
            (uint32_t)(bench_random(&source->chance) % source->parts->connections),
            (uint32_t)source->sent++};
        memcpy(bytes, &message, sizeof(message));
        child_write(source->first, bytes, load->command_bytes);
    }
}

static void on_arrival(struct source *source, int fd)
{
    static char bytes[IN_BYTES];
    size_t size = source->parts->load->message_bytes;
    ssize_t got = recv(fd, bytes, sizeof(bytes), 0);

    if (got <= 0 || (size_t)got % size != 0)
        bench_die("relay: what arrived is not what was sent");
    for (size_t at = 0; at < (size_t)got; at += size) {
        struct message message;
        memcpy(&message, bytes + at, sizeof(message));
        uint64_t *delay = &source->parts->delays_ns[message.number];
        if (message.number >= source->sent || *delay != 0)
            bench_die("relay: message %u arrived twice", message.number);
        *delay = bench_now_ns() - due_ns(source, message.number);
        source->arrived++;
    }
}

static void timer_set(const struct source *source, uint64_t interval_ns)
{
    struct timespec interval = {(time_t)(interval_ns / 1000000000),
                                (long)(interval_ns % 1000000000)};
    struct itimerspec setting = {interval, interval};

    if (timerfd_settime(source->timer, 0, &setting, NULL) != 0)
        bench_die("relay: timerfd_settime: %s", strerror(errno));
}

static void send_all(struct source *source)
{
    const struct relay_load *load = source->parts->load;
    struct epoll_event events[EVENTS_MAX];

    source->sent = source->arrived = 0;
    source->started_ns = bench_now_ns() + load->interval_ns;
    timer_set(source, load->interval_ns);
    while (source->arrived < load->count) {
        int count = epoll_wait(source->epoll, events, EVENTS_MAX, 100);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == source->timer)
                on_tick(source);
            else
                on_arrival(source, events[i].data.fd);
        }
        if (bench_now_ns() > due_ns(source, load->count) + LATE_MAX_NS)
            bench_die("relay: a message did not arrive");
    }
    timer_set(source, 0);
}

static void run_source(void *ctx, int control)
{
    const struct parts *parts = ctx;
    struct source source = {.parts = parts, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    char order;

    source.first = child_connect(&parts->first_address);
    source.timer = watch(source.epoll, timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    for (uint32_t i = 0; i < parts->connections; i++)
        (void)watch(source.epoll,
                    child_connect(&parts->connection_address)); /* kept by the epoll */
    child_ready(control);
    for (;;) {
        child_read(control, &order, 1);
        send_all(&source);
        child_write(control, &source.started_ns, sizeof(source.started_ns));
    }
}

static void *share(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        bench_die("mmap: %s", strerror(errno));
    return memory;
}

struct relay *relay_new(uint32_t connections, uint64_t count_max, int server_core,
                        int generator_core)
{
    struct relay *relay = bench_alloc(sizeof(*relay));
    struct parts *parts = &relay->parts;

    *relay = (struct relay){.count_max = count_max, .parts.connections = connections};
    parts->load = share(sizeof(*parts->load));
    parts->delays_ns = share(count_max * sizeof(uint64_t));
    parts->first_listener = child_listen(&parts->first_address);
    parts->second_listener = child_listen(&parts->second_address);
    parts->connection_listener = child_listen(&parts->connection_address);
    relay->second = child_start(server_core, run_second, parts);
    relay->first = child_start(generator_core, run_first, parts);
    relay->source = child_start(generator_core, run_source, parts);
    (void)close(parts->first_listener);
    (void)close(parts->second_listener);
    (void)close(parts->connection_listener);
    child_await(&relay->second);
    child_await(&relay->first);
    child_await(&relay->source);
    return relay;
}

void relay_free(struct relay *relay)
{
    if (relay == NULL)
        return;
    child_stop(&relay->source);
    child_stop(&relay->first);
    child_stop(&relay->second);
    (void)munmap(relay->parts.load, sizeof(*relay->parts.load));
    (void)munmap(relay->parts.delays_ns, relay->count_max * sizeof(uint64_t));
    free(relay);
}

void relay_start(struct relay *relay, const struct relay_load *load)
{
    if (load->count > relay->count_max || load->command_bytes < RELAY_MESSAGE_MIN ||
        load->message_bytes < RELAY_MESSAGE_MIN || load->command_bytes > RELAY_MESSAGE_MAX ||
        load->message_bytes > RELAY_MESSAGE_MAX)
        bench_die("relay: a load it cannot carry");
    *relay->parts.load = *load;
    memset(relay->parts.delays_ns, 0, load->count * sizeof(uint64_t));
    relay->cpu_before_ns = proc_cpu_ns(relay->second.pid);
    child_write(relay->source.control, "r", 1);
}

bool relay_is_done(struct relay *relay, uint64_t *ret_delays_ns, struct relay_result *ret_result)
{
    struct pollfd source = {.fd = relay->source.control, .events = POLLIN};
    uint64_t started_ns;

    if (poll(&source, 1, 0) != 1)
        return false;
    child_read(relay->source.control, &started_ns, sizeof(started_ns));
    memcpy(ret_delays_ns, relay->parts.delays_ns, relay->parts.load->count * sizeof(uint64_t));
    *ret_result =
        (struct relay_result){started_ns, proc_cpu_ns(relay->second.pid) - relay->cpu_before_ns};
    return true;
}
