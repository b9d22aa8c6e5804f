/* connect -- what it costs to let somebody in, until everything is followed: the bridge, beside a
 * process that accepts and writes once (the floor), and beside a server of Node.js that does for
 * its clients what the bridge does, with `ws`.
 *
 * They take turns, round by round, on the same core. Each server has a Redis of its own;
 * NOTIFY_SERVERS tells them. At the end all stay connected, and nothing is asked of anybody. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "calls.h"
#include "camp.h"
#include "lineup.h"
#include "porter.h"
#include "proc.h"
#include "stats.h"

struct server {
    struct stats rate, cpu_ns, redis_ns, ratio; /* ratio: to the floor of the same round */
    double calls;                               /* system calls per connection; 0: not counted */
    double bytes, rss;                          /* that it has grown by, per connection */
    double idle_ns, redis_idle_ns; /* CPU time per connection and second; that of its Redis */
};

struct run {
    struct bench_options options;
    struct lineup lineup;
    struct server servers[LINEUP_MAX]; /* in the order of the lineup */
    struct porter *porter;
    struct stats floor_ns, floor_rate;
    size_t answer_bytes; /* that the first server writes to each, until it has been greeted */
};

/* What is good enough, of the first server. */
enum goal { GOAL_CPU, GOAL_CALLS, GOAL_BYTES, GOAL_IDLE };

static const struct {
    const char *name;
    double most;
} goals[] = {
    [GOAL_CPU] = {"CPU per connection, x floor", 2.0},
    [GOAL_CALLS] = {"system calls per connection", 10},
    [GOAL_BYTES] = {"bytes per connection", 1300},
    [GOAL_IDLE] = {"idle: CPU us per connection and second", 0.5},
};

static const char description[] = "Connects -n clients -r times, each with an inbox of its own, "
                                  "all following the broadcast log;\n"
                                  "then leaves them alone for -o seconds.";

/* ---- measuring */

/* Those that are counted are no others than those that are timed but in one round: counting costs a
 * little, too. */
static void count_calls(struct run *run, size_t i)
{
    const struct lineup_server *at = &run->lineup.servers[i];
    int calls = calls_open(at->pid);

    (void)camp_connect(at->camp);
    if (calls >= 0)
        run->servers[i].calls = (double)calls_read(calls) / (double)run->options.clients;
    calls_close(calls);
}

static void connect_server(struct run *run, size_t i)
{
    struct server *server = &run->servers[i];
    double clients = (double)run->options.clients;
    struct camp_report report = camp_connect(run->lineup.servers[i].camp);

    stats_add(&server->rate, clients / ((double)report.wall_ns / 1e9));
    stats_add(&server->cpu_ns, (double)report.server_ns / clients);
    stats_add(&server->redis_ns, (double)report.redis_ns / clients);
    if (server->cpu_ns.count > 1)
        return;
    server->bytes = (double)report.grown_by.private_dirty_bytes / clients;
    server->rss = (double)report.grown_by.rss_bytes / clients;
    if (i == 0)
        run->answer_bytes = (size_t)(report.frame_bytes + 0.5);
}

static void measure_floor(struct run *run)
{
    struct porter_result result = porter_run(run->porter, run->answer_bytes);

    stats_add(&run->floor_ns, result.server_ns);
    stats_add(&run->floor_rate, 1e9 / result.wall_ns);
}

static void drop_all(struct run *run)
{
    for (size_t i = 0; i < run->lineup.count; i++)
        (void)camp_drop(run->lineup.servers[i].camp);
}

/* The floor is told how much is written, which the first server says. */
static void measure_round(struct run *run)
{
    for (size_t i = 0; i < run->lineup.count; i++) {
        connect_server(run, i);
        (void)camp_drop(run->lineup.servers[i].camp);
    }
    measure_floor(run);
    for (size_t i = 0; i < run->lineup.count; i++) {
        struct server *server = &run->servers[i];
        size_t last = server->cpu_ns.count - 1;
        stats_add(&server->ratio, server->cpu_ns.values[last] / run->floor_ns.values[last]);
    }
}

/* All of them in the same seconds. */
static void measure_idle(struct run *run)
{
    unsigned seconds = (unsigned)run->options.operations;
    double whole = (double)run->options.clients * seconds;
    uint64_t cpu[LINEUP_MAX], redis[LINEUP_MAX];

    for (size_t i = 0; i < run->lineup.count; i++) {
        cpu[i] = proc_cpu_ns(run->lineup.servers[i].pid);
        redis[i] = proc_cpu_ns(run->lineup.servers[i].redis_pid);
    }
    for (unsigned left = seconds; left > 0;)
        left = sleep(left);
    for (size_t i = 0; i < run->lineup.count; i++) {
        const struct lineup_server *at = &run->lineup.servers[i];
        run->servers[i].idle_ns = (double)(proc_cpu_ns(at->pid) - cpu[i]) / whole;
        run->servers[i].redis_idle_ns = (double)(proc_cpu_ns(at->redis_pid) - redis[i]) / whole;
    }
}

/* ---- telling */

static double median_us(const struct stats *stats)
{
    return stats_median(stats) / 1000;
}

static void print_server(const char *name, const struct server *server)
{
    char calls[16] = "-";

    if (server->calls > 0)
        (void)snprintf(calls, sizeof(calls), "%.1f", server->calls);
    printf("%-24s %10.0f %7.1f  %6.1f - %-6.1f %7.2f %8s %7.0f %7.0f %9.1f\n", name,
           stats_median(&server->rate), median_us(&server->cpu_ns),
           stats_min(&server->cpu_ns) / 1000, stats_max(&server->cpu_ns) / 1000,
           stats_median(&server->ratio), calls, server->bytes, server->rss,
           median_us(&server->redis_ns));
}

static void print_idle(const char *name, const struct server *server)
{
    printf("%-24s %7.2f us of CPU per connection and second; of its Redis %.2f\n", name,
           server->idle_ns / 1000, server->redis_idle_ns / 1000);
}

static void print_goal(enum goal goal, double value)
{
    if (value <= 0) /* nobody counted */
        return;
    printf("goal: %-40s at most %6.1f: %8.2f, %s\n", goals[goal].name, goals[goal].most, value,
           value <= goals[goal].most ? "met" : "missed");
    bench_figure(value, "%s", goals[goal].name);
}

static void print_goals(const struct server *server)
{
    print_goal(GOAL_CPU, stats_median(&server->ratio));
    print_goal(GOAL_CALLS, server->calls);
    print_goal(GOAL_BYTES, server->bytes);
    print_goal(GOAL_IDLE, server->idle_ns / 1000);
}

static void print_all(const struct run *run)
{
    const struct bench_options *options = &run->options;

    printf(
        "connect: %ld clients, %ld rounds, then %ld s of nothing; %zu bytes to each until it has "
        "been greeted;\nservers on core %d, generator and Redis on core %d\n\n",
        options->clients, options->rounds, options->operations, run->answer_bytes,
        options->server_core, options->generator_core);
    printf("%-24s %10s %7s  %-15s %7s %8s %7s %7s %9s\n", "each", "connects/s", "CPU us",
           "min - max", "x floor", "syscalls", "bytes", "Rss", "Redis us");
    printf("%-24s %10.0f %7.1f  %6.1f - %-6.1f %7.2f\n", "floor: accept, one write",
           stats_median(&run->floor_rate), median_us(&run->floor_ns),
           stats_min(&run->floor_ns) / 1000, stats_max(&run->floor_ns) / 1000, 1.0);
    for (size_t i = 0; i < run->lineup.count; i++)
        print_server(run->lineup.servers[i].name, &run->servers[i]);
    printf("\nidle, with pings\n");
    for (size_t i = 0; i < run->lineup.count; i++)
        print_idle(run->lineup.servers[i].name, &run->servers[i]);
    printf("\n");
    print_goals(&run->servers[0]);
}

int main(int argc, char **argv)
{
    struct run run = {.options = {.clients = 10000, .rounds = 5, .operations = 30}};

    bench_parse(&run.options, argc, argv, description);
    proc_need_descriptors((size_t)run.options.clients + 64);
    run.porter = porter_new((uint32_t)run.options.clients, run.options.server_core,
                            run.options.generator_core);
    proc_pin_self(run.options.generator_core);
    lineup_init(&run.lineup, &run.options, NULL);
    for (long round = 0; round < run.options.rounds; round++)
        measure_round(&run);
    for (size_t i = 0; i < run.lineup.count; i++)
        count_calls(&run, i);
    measure_idle(&run);
    drop_all(&run);
    print_all(&run);

    lineup_release(&run.lineup);
    porter_free(run.porter);
    return 0;
}
