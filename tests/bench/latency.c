/* latency -- how long a NOTIFY.SEND takes to reach its user, and what it costs the bridge.
 *
 * A thousand SENDs a second go to users picked at random, all of them connected. The time counts
 * from the instant at which a SEND was due, not from when the generator got round to it, so a
 * generator or a server that falls behind shows up in the figures instead of hiding there.
 *
 * In turns with it the same is measured of a relay that only hands on as many bytes, at the same
 * pace, on the same cores, between as many connections: what is not in its figures is ours, what is
 * belongs to the machine. The bridge is idle meanwhile, so this is also when the cost of its idle
 * connections is taken. And a watcher tells when the whole machine stood still: percentiles stand
 * in the table with and without the SENDs that were on their way then. */
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
#include "pauses.h"
#include "proc.h"
#include "relay.h"
#include "stats.h"

#define SENDS_PER_SECOND 1000
#define NS_PER_SEND (UINT64_C(1000000000) / SENDS_PER_SECOND)
#define FRAME_HEADER_BYTES 4 /* of a frame longer than 125 bytes */
#define POLL_MS 50
#define LATE_MAX_NS (UINT64_C(10) * 1000000000)

static const char description[] =
    "Sends -o notifications per round, 1000 a second, each to one of -n connected users.";

struct course {
    struct crowd *crowd;   /* borrowed */
    struct pauses *pauses; /* borrowed; NULL: not permitted to watch */
    uint32_t *targets;     /* owned, per SEND: the client that it goes to */
    uint64_t *delays_ns;   /* owned, per SEND: 0 until it has arrived */
    uint64_t started_ns;   /* when SEND 0 is due */
    uint64_t count, sent, arrived;
    uint64_t unanswered;    /* replies of Redis that have not been taken yet */
    uint64_t command_bytes; /* of all SENDs */
    uint64_t text_bytes;    /* of all that arrived */
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
    course->command_bytes += text.len;
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
    course->text_bytes += text.len;
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
    course->command_bytes = 0;
    course->text_bytes = 0;
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

/* Percentiles of the delays, in ns, one per round. */
struct delays {
    struct stats p50, p99, p999, worst;
};

/* Of the bridge, or of the relay. */
struct figures {
    const char *name;
    struct delays all, running; /* running: without those that a pause of the machine touched */
    struct stats touched;       /* how many these are */
    struct stats paused_ns;     /* how long the pauses were */
    struct stats cpu_ns;        /* per delivery */
};

struct costs {
    struct stats idle_us;      /* bridge, CPU per second */
    struct stats alone_ns;     /* bridge, per delivery, without what it would have taken idle */
    struct stats generator_ns; /* per delivery */
};

static void add_delays(struct delays *delays, uint64_t *samples, size_t count)
{
    stats_sort(samples, count);
    stats_add(&delays->p50, (double)stats_percentile(samples, count, 50));
    stats_add(&delays->p99, (double)stats_percentile(samples, count, 99));
    stats_add(&delays->p999, (double)stats_percentile(samples, count, 99.9));
    stats_add(&delays->worst, (double)stats_percentile(samples, count, 100));
}

/* Moves the delays that no pause touched to the front: returns how many. */
static size_t select_running(struct course *course, uint64_t started_ns)
{
    size_t kept = 0;

    for (uint64_t i = 0; i < course->count; i++) {
        uint64_t delay = course->delays_ns[i], due = started_ns + i * NS_PER_SEND;
        if (pauses_touch(course->pauses, due, due + delay))
            continue;
        course->delays_ns[i] = course->delays_ns[kept];
        course->delays_ns[kept++] = delay;
    }
    return kept;
}

static void add_figures(struct figures *figures, struct course *course, uint64_t started_ns,
                        uint64_t cpu_ns)
{
    size_t running = select_running(course, started_ns);

    add_delays(&figures->running, course->delays_ns, running);
    add_delays(&figures->all, course->delays_ns, course->count);
    stats_add(&figures->touched, (double)(course->count - running));
    stats_add(&figures->paused_ns,
              (double)pauses_total_ns(course->pauses, started_ns, bench_now_ns()));
    stats_add(&figures->cpu_ns, (double)cpu_ns / (double)course->count);
}

static void measure_relay(struct course *course, struct relay *relay, struct figures *figures,
                          double *ret_idle_share)
{
    const struct relay_load load = {
        .count = course->count,
        .interval_ns = NS_PER_SEND,
        .command_bytes = course->command_bytes / course->count,
        .message_bytes = course->text_bytes / course->count + FRAME_HEADER_BYTES,
    };
    struct relay_result result;
    uint64_t started_ns = bench_now_ns(), idle_ns = proc_cpu_ns(course->crowd->bridge_pid);

    relay_start(relay, &load);
    while (!relay_is_done(relay, course->delays_ns, &result))
        swarm_poll(course->crowd->swarm, POLL_MS); /* pings are to be answered */
    idle_ns = proc_cpu_ns(course->crowd->bridge_pid) - idle_ns;
    *ret_idle_share = (double)idle_ns / (double)(bench_now_ns() - started_ns);
    add_figures(figures, course, result.started_ns, result.cpu_ns);
}

static void measure_round(struct course *course, struct relay *relay, struct figures *bridge,
                          struct figures *floor, struct costs *costs)
{
    uint64_t cpu_ns = proc_cpu_ns(course->crowd->bridge_pid), generator_ns = proc_cpu_ns(getpid());
    uint64_t started_ns = bench_now_ns();
    double took_ns, idle_share, count = (double)course->count;

    run_round(course);
    cpu_ns = proc_cpu_ns(course->crowd->bridge_pid) - cpu_ns;
    generator_ns = proc_cpu_ns(getpid()) - generator_ns;
    took_ns = (double)(bench_now_ns() - started_ns);
    add_figures(bridge, course, course->started_ns, cpu_ns);
    measure_relay(course, relay, floor, &idle_share);
    stats_add(&costs->idle_us, idle_share * 1e6);
    stats_add(&costs->alone_ns, ((double)cpu_ns - idle_share * took_ns) / count);
    stats_add(&costs->generator_ns, (double)generator_ns / count);
}

static void print_delays(const char *name, const char *which, const struct delays *delays)
{
    printf("%-7s %-12s %8.3f %8.3f %8.3f - %-8.3f %8.3f %8.3f\n", name, which,
           stats_median(&delays->p50) / 1e6, stats_median(&delays->p99) / 1e6,
           stats_min(&delays->p99) / 1e6, stats_max(&delays->p99) / 1e6,
           stats_median(&delays->p999) / 1e6, stats_median(&delays->worst) / 1e6);
}

static void print_pauses(const struct figures *figures)
{
    printf("the machine stood still for %.0f ms of a %s's round (%.0f - %.0f), which touched %.0f "
           "SENDs\n",
           stats_median(&figures->paused_ns) / 1e6, figures->name,
           stats_min(&figures->paused_ns) / 1e6, stats_max(&figures->paused_ns) / 1e6,
           stats_median(&figures->touched));
}

static void print_cpu(const struct figures *bridge, const struct figures *floor,
                      const struct costs *costs)
{
    printf("CPU per delivery, us: %s %.1f (%.1f - %.1f), floor %.1f (%.1f - %.1f), generator "
           "%.1f\n",
           bridge->name, stats_median(&bridge->cpu_ns) / 1e3, stats_min(&bridge->cpu_ns) / 1e3,
           stats_max(&bridge->cpu_ns) / 1e3, stats_median(&floor->cpu_ns) / 1e3,
           stats_min(&floor->cpu_ns) / 1e3, stats_max(&floor->cpu_ns) / 1e3,
           stats_median(&costs->generator_ns) / 1e3);
    printf("of the %s's: %.1f for the delivery, %.1f for its idle connections (%.1f ms a "
           "second)\n",
           bridge->name, stats_median(&costs->alone_ns) / 1e3,
           stats_median(&costs->idle_us) / SENDS_PER_SECOND, stats_median(&costs->idle_us) / 1e3);
    bench_figure(stats_median(&costs->alone_ns) / stats_median(&floor->cpu_ns),
                 "CPU per delivery, x floor");
    bench_figure(stats_median(&costs->idle_us), "CPU for idle connections, us a second");
}

/* What counts are the SENDs during which the machine ran, if somebody saw that. */
static void tell_delays(const struct delays *delays, const char *which)
{
    bench_figure(stats_median(&delays->p50) / 1e6, "p50, %s, ms", which);
    bench_figure(stats_median(&delays->p99) / 1e6, "p99, %s, ms", which);
}

static void print_figures(const struct bench_options *options, const struct course *course,
                          const struct figures *bridge, const struct figures *floor)
{
    printf("latency: %d SENDs a second to users picked from %ld connected ones, %ld rounds of %ld; "
           "%s on core %d, generator and Redis on core %d\n",
           SENDS_PER_SECOND, options->clients, options->rounds, options->operations, bench_server(),
           options->server_core, options->generator_core);
    printf("from due to received, in ms; medians of the rounds\n");
    printf("%-7s %-12s %8s %8s %8s   %-8s %8s %8s\n", "", "", "p50", "p99", "p99 min", "max",
           "p99.9", "worst");
    print_delays(bridge->name, "all", &bridge->all);
    print_delays(floor->name, "all", &floor->all);
    if (course->pauses == NULL) {
        printf("no real-time priority here: nobody saw whether the machine stood still\n");
        tell_delays(&bridge->all, "all");
        return;
    }
    print_delays(bridge->name, "no pause", &bridge->running);
    print_delays(floor->name, "no pause", &floor->running);
    tell_delays(&bridge->running, "no pause");
    print_pauses(bridge);
    print_pauses(floor);
}

/* What is due and what arrives goes to course from here on. */
static void attach(struct course *course)
{
    course->crowd->on_other = on_other;
    course->crowd->on_other_ctx = course;
    swarm_watch(course->crowd->swarm, course->timer, on_tick, course);
}

int main(int argc, char **argv)
{
    struct bench_options options = {.clients = 10000, .rounds = 3, .operations = 10000};
    static struct figures bridge, floor = {.name = "floor"};
    static struct costs costs;
    struct crowd crowd;

    bench_parse(&options, argc, argv, description);
    bridge.name = bench_server();
    struct pauses *pauses = pauses_new(options.server_core, options.generator_core);
    proc_pin_self(options.generator_core);
    struct relay *relay = relay_new((uint32_t)options.clients, (uint64_t)options.operations,
                                    options.server_core, options.generator_core);
    crowd_init(&crowd, (uint32_t)options.clients, options.bridge_port, options.bridge_pid,
               options.redis_port);
    struct course course = {
        .crowd = &crowd,
        .pauses = pauses,
        .targets = bench_alloc((size_t)options.operations * sizeof(uint32_t)),
        .delays_ns = bench_alloc((size_t)options.operations * sizeof(uint64_t)),
        .count = (uint64_t)options.operations,
        .timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC),
    };
    if (course.timer < 0)
        bench_die("timerfd_create: %s", strerror(errno));
    attach(&course);
    (void)crowd_connect(&crowd);
    crowd_wait_following(&crowd);

    for (long round = 0; round < options.rounds; round++)
        measure_round(&course, relay, &bridge, &floor, &costs);
    print_figures(&options, &course, &bridge, &floor);
    print_cpu(&bridge, &floor, &costs);
    printf("each SEND reached its user exactly once\n");

    (void)close(course.timer); /* nothing can be lost */
    free(course.targets);
    free(course.delays_ns);
    crowd_release(&crowd);
    relay_free(relay);
    pauses_free(pauses);
    return 0;
}
