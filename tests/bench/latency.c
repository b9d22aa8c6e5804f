/* latency -- how long a NOTIFY.SEND takes to reach its user, and what it costs the bridge.
 *
 * A thousand SENDs a second go to users picked at random, all of them connected. The time counts
 * from the instant at which a SEND was due, not from when the generator got round to it, so a
 * generator or a server that falls behind shows up in the figures instead of hiding there. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bench.h"
#include "crowd.h"
#include "message.h"
#include "proc.h"
#include "stats.h"

#define SENDS_PER_SECOND 1000
#define NS_PER_SEND (UINT64_C(1000000000) / SENDS_PER_SECOND)
#define LATE_MAX_NS (UINT64_C(10) * 1000000000)

static const char description[] =
    "Sends -o notifications per round, 1000 a second, each to one of -n connected users.";

struct course {
    struct crowd *crowd; /* borrowed */
    uint32_t *targets;   /* owned, per SEND: the client that it goes to */
    uint64_t *delays_ns; /* owned, per SEND: 0 until it has arrived */
    uint64_t started_ns; /* when SEND 0 is due */
    uint64_t count, sent, arrived;
    uint64_t unanswered; /* replies of Redis that have not been taken yet */
    uint64_t chance;
    int timer;
};

static uint64_t due_ns(const struct course *course, uint64_t number)
{
    return course->started_ns + number * NS_PER_SEND;
}

static void add_send(struct course *course, struct resp_text *text)
{
    char key[32], title[32];
    uint32_t target = (uint32_t)(bench_random(&course->chance) % course->crowd->clients);

    (void)snprintf(key, sizeof(key), "inbox:u%u", target);
    (void)snprintf(title, sizeof(title), "%" PRIu64, course->sent);
    RESP_TEXT_ADD(text, "NOTIFY.SEND", key, title);
    course->targets[course->sent++] = target;
}

static void on_tick(void *ctx)
{
    struct course *course = ctx;
    struct resp_text text = {NULL, 0, 0};
    uint64_t ticks, before = course->sent;

    if (read(course->timer, &ticks, sizeof(ticks)) < 0 && errno != EAGAIN)
        bench_die("timer: %s", strerror(errno));
    /* Those of the last tick have long been answered. */
    resp_expect(&course->crowd->redis, course->unanswered);
    while (course->sent < course->count && due_ns(course, course->sent) <= bench_now_ns())
        add_send(course, &text);
    course->unanswered = course->sent - before;
    resp_send(&course->crowd->redis, text.ptr, text.len);
    resp_text_release(&text);
}

static void on_other(void *ctx, uint32_t client, struct notify_str text)
{
    struct course *course = ctx;
    struct notify_str id, title;
    char key[32];

    (void)snprintf(key, sizeof(key), "inbox:u%u", client);
    if (!message_entry_id(text, notify_str_z(key), &id) ||
        !message_member(text, NOTIFY_STR("\"title\":\""), &title))
        return;
    uint64_t number = strtoull(title.ptr, NULL, 10);
    if (number >= course->sent || course->targets[number] != client)
        bench_die("client %u got %.*s", client, (int)text.len, text.ptr);
    if (course->delays_ns[number] != 0)
        bench_die("client %u got SEND %" PRIu64 " twice", client, number);
    course->delays_ns[number] = bench_now_ns() - due_ns(course, number);
    course->arrived++;
}

static void timer_set(struct course *course, uint64_t interval_ns)
{
    struct timespec interval = {0, (long)interval_ns};
    struct itimerspec setting = {interval, interval};

    if (timerfd_settime(course->timer, 0, &setting, NULL) != 0)
        bench_die("timerfd_settime: %s", strerror(errno));
}

static void run_round(struct course *course)
{
    memset(course->delays_ns, 0, course->count * sizeof(course->delays_ns[0]));
    course->sent = 0;
    course->arrived = 0;
    course->started_ns = bench_now_ns() + NS_PER_SEND;
    timer_set(course, NS_PER_SEND);
    while (course->arrived < course->count) {
        swarm_poll(course->crowd->swarm, 100);
        if (bench_now_ns() > due_ns(course, course->count) + LATE_MAX_NS)
            bench_die("%" PRIu64 " of %" PRIu64 " SENDs did not arrive",
                      course->sent - course->arrived, course->sent);
    }
    timer_set(course, 0);
    resp_expect(&course->crowd->redis, course->unanswered);
    course->unanswered = 0;
}

struct figures {
    struct stats p50, p99, p999, worst, bridge_ns, generator_ns;
};

static void measure_round(struct course *course, struct figures *figures)
{
    uint64_t bridge = proc_cpu_ns(course->crowd->bridge_pid), generator = proc_cpu_ns(getpid());

    run_round(course);
    bridge = proc_cpu_ns(course->crowd->bridge_pid) - bridge;
    generator = proc_cpu_ns(getpid()) - generator;
    stats_sort(course->delays_ns, course->count);
    stats_add(&figures->p50, (double)stats_percentile(course->delays_ns, course->count, 50));
    stats_add(&figures->p99, (double)stats_percentile(course->delays_ns, course->count, 99));
    stats_add(&figures->p999, (double)stats_percentile(course->delays_ns, course->count, 99.9));
    stats_add(&figures->worst, (double)course->delays_ns[course->count - 1]);
    stats_add(&figures->bridge_ns, (double)bridge / (double)course->count);
    stats_add(&figures->generator_ns, (double)generator / (double)course->count);
}

static void print_figures(const struct bench_options *options, const struct figures *figures)
{
    printf("latency: %d SENDs a second to users picked from %ld connected ones, %ld rounds of %ld; "
           "bridge on core %d, generator and Redis on core %d\n",
           SENDS_PER_SECOND, options->clients, options->rounds, options->operations,
           options->server_core, options->generator_core);
    printf("from due to received, ms: p50 %.3f, p99 %.3f, p99.9 %.3f, worst %.3f (medians of the "
           "rounds; p99 %.3f - %.3f)\n",
           stats_median(&figures->p50) / 1e6, stats_median(&figures->p99) / 1e6,
           stats_median(&figures->p999) / 1e6, stats_median(&figures->worst) / 1e6,
           stats_min(&figures->p99) / 1e6, stats_max(&figures->p99) / 1e6);
    printf("CPU us per delivery: bridge %.1f (%.1f - %.1f), generator %.1f\n",
           stats_median(&figures->bridge_ns) / 1000, stats_min(&figures->bridge_ns) / 1000,
           stats_max(&figures->bridge_ns) / 1000, stats_median(&figures->generator_ns) / 1000);
    printf("each SEND reached its user exactly once\n");
}

int main(int argc, char **argv)
{
    struct bench_options options = {.clients = 10000, .rounds = 3, .operations = 10000};
    struct figures figures = {.p50 = {.count = 0}};
    struct crowd crowd;

    bench_parse(&options, argc, argv, description);
    proc_pin_self(options.generator_core);
    crowd_init(&crowd, (uint32_t)options.clients, options.bridge_port, options.bridge_pid,
               options.redis_port);
    struct course course = {
        .crowd = &crowd,
        .targets = bench_alloc((size_t)options.operations * sizeof(uint32_t)),
        .delays_ns = bench_alloc((size_t)options.operations * sizeof(uint64_t)),
        .count = (uint64_t)options.operations,
        .timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC),
    };
    if (course.timer < 0)
        bench_die("timerfd_create: %s", strerror(errno));
    crowd.on_other = on_other;
    crowd.on_other_ctx = &course;
    swarm_watch(crowd.swarm, course.timer, on_tick, &course);
    (void)crowd_connect(&crowd);
    crowd_wait_following(&crowd);

    for (long round = 0; round < options.rounds; round++)
        measure_round(&course, &figures);
    print_figures(&options, &figures);

    (void)close(course.timer); /* nothing can be lost */
    free(course.targets);
    free(course.delays_ns);
    crowd_release(&crowd);
    return 0;
}
