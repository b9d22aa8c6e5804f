/* workers -- what it costs a bridge of several processes to bring one message to very many clients,
 * beside a bridge of one, and how evenly clients are spread over its processes.
 *
 * tests/bench/run names the bridges in NOTIFY_SERVERS: how many processes, port, process, port of
 * its Redis. The first is what the others are compared with. In NOTIFY_CORES it says how many cores
 * they have: with more than one the time that they take is told, too. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "crowd.h"
#include "proc.h"
#include "stats.h"

#define BRIDGES_MAX 4
#define IN_FLIGHT 8
#define WINDOWS 2

static const uint64_t windows[WINDOWS] = {1, IN_FLIGHT};
static const char *const window_names[WINDOWS] = {"one at a time", "8 in flight"};

struct bridge {
    unsigned processes;
    pid_t pid;
    struct crowd crowd;
    uint64_t before[PROC_CHILDREN_MAX]; /* descriptors of each worker without clients */
    struct stats fewest, most;          /* clients of a worker, of what it would have evenly */
    struct stats connect_ns;
    struct row {
        struct stats cpu_ns, took_ns; /* per delivery */
        struct stats ratio, speed;    /* of the same round, beside the first bridge */
    } rows[WINDOWS];
};

static const char description[] =
    "Connects -n clients to each bridge, each with an inbox of its own, all following the "
    "broadcast log,\nand sends -o messages per round and row to all of them.";

static void add_bridge(struct bridge *bridge, const struct bench_options *options, const char *text)
{
    int port, pid, redis_port;

    *bridge = (struct bridge){.processes = 0};
    if (sscanf(text, "%u %d %d %d", &bridge->processes, &port, &pid, &redis_port) != 4)
        bench_die("not a bridge: %s", text);
    bridge->pid = (pid_t)pid;
    crowd_init(&bridge->crowd, (uint32_t)options->clients, port, bridge->pid, redis_port);
}

static size_t add_bridges(struct bridge *bridges, const struct bench_options *options)
{
    const char *told = getenv("NOTIFY_SERVERS");
    char *text = strdup(told == NULL ? "" : told), *rest = text, *line;
    size_t count = 0;

    while (text != NULL && (line = strsep(&rest, ",")) != NULL && *line != '\0') {
        if (count == BRIDGES_MAX)
            bench_die("more than %d bridges", BRIDGES_MAX);
        add_bridge(&bridges[count++], options, line);
    }
    free(text);
    if (count == 0)
        bench_die("NOTIFY_SERVERS names no bridge");
    return count;
}

/* Where clients are: descriptors of each worker, less what it had before. */
static void count_descriptors(const struct bridge *bridge, uint64_t ret[PROC_CHILDREN_MAX])
{
    pid_t workers[PROC_CHILDREN_MAX] = {bridge->pid};
    size_t count = 1;

    if (bridge->processes > 1)
        count = proc_children_of(bridge->pid, workers, PROC_CHILDREN_MAX);
    if (count != bridge->processes)
        bench_die("%zu workers, not %u", count, bridge->processes);
    for (size_t i = 0; i < count; i++)
        ret[i] = proc_descriptors_of(workers[i]);
}

static void measure_spread(struct bridge *bridge)
{
    uint64_t now[PROC_CHILDREN_MAX];
    double even = (double)bridge->crowd.clients / bridge->processes;
    double fewest = 1e9, most = 0;

    count_descriptors(bridge, now);
    for (unsigned i = 0; i < bridge->processes; i++) {
        double share = ((double)now[i] - (double)bridge->before[i]) / even;

        fewest = share < fewest ? share : fewest;
        most = share > most ? share : most;
    }
    stats_add(&bridge->fewest, fewest);
    stats_add(&bridge->most, most);
}

static void measure_row(struct bridge *bridge, size_t window, const struct bench_options *options,
                        const struct resp_text *command)
{
    struct row *row = &bridge->rows[window];
    double deliveries = (double)options->operations * (double)options->clients;
    uint64_t cpu = proc_family_cpu_ns(bridge->pid), started = bench_now_ns();

    crowd_broadcast(&bridge->crowd, command, (uint64_t)options->operations, windows[window]);
    stats_add(&row->took_ns, (double)(bench_now_ns() - started) / deliveries);
    stats_add(&row->cpu_ns, (double)(proc_family_cpu_ns(bridge->pid) - cpu) / deliveries);
}

static void connect_all(struct bridge *bridge)
{
    uint64_t cpu;

    count_descriptors(bridge, bridge->before);
    cpu = proc_family_cpu_ns(bridge->pid);
    (void)crowd_connect(&bridge->crowd);
    crowd_wait_following(&bridge->crowd);
    stats_add(&bridge->connect_ns,
              (double)(proc_family_cpu_ns(bridge->pid) - cpu) / bridge->crowd.clients);
    measure_spread(bridge);
}

static double last(const struct stats *stats)
{
    return stats->values[stats->count - 1];
}

/* Bridges have their clients one after the other, so none has another one's in its way. */
static void measure_round(struct bridge *bridges, size_t count, const struct bench_options *options,
                          const struct resp_text *command)
{
    for (size_t i = 0; i < count; i++) {
        connect_all(&bridges[i]);
        for (size_t window = 0; window < WINDOWS; window++)
            measure_row(&bridges[i], window, options, command);
        crowd_check(&bridges[i].crowd, "workers");
        crowd_drop(&bridges[i].crowd);
        for (size_t window = 0; window < WINDOWS; window++) {
            struct row *row = &bridges[i].rows[window], *first = &bridges[0].rows[window];

            stats_add(&row->ratio, last(&row->cpu_ns) / last(&first->cpu_ns));
            stats_add(&row->speed, last(&first->took_ns) / last(&row->took_ns));
        }
    }
}

static void print_rows(const struct bridge *bridges, size_t count, bool with_speed)
{
    printf("\n%-32s %9s   %-15s %8s %14s\n", "CPU us per delivery", "median", "min - max", "x one",
           "us of time");
    for (size_t window = 0; window < WINDOWS; window++)
        for (size_t i = 0; i < count; i++) {
            const struct row *row = &bridges[i].rows[window];
            char name[64];

            (void)snprintf(name, sizeof(name), "%u %s, %s", bridges[i].processes,
                           bridges[i].processes == 1 ? "process" : "processes",
                           window_names[window]);
            printf("%-32s %9.2f   %6.2f - %-6.2f %8.3f %14.2f", name,
                   stats_median(&row->cpu_ns) / 1000, stats_min(&row->cpu_ns) / 1000,
                   stats_max(&row->cpu_ns) / 1000, stats_median(&row->ratio),
                   stats_median(&row->took_ns) / 1000);
            if (with_speed)
                printf("   %.2f x as fast", stats_median(&row->speed));
            printf("\n");
            if (i > 0)
                bench_figure(stats_median(&row->ratio), "%s, CPU per delivery, x one process",
                             name);
        }
}

static void print_spread(const struct bridge *bridge)
{
    printf("%u %s: connecting %.1f us of CPU each", bridge->processes,
           bridge->processes == 1 ? "process" : "processes",
           stats_median(&bridge->connect_ns) / 1000);
    if (bridge->processes > 1)
        printf("; a worker has %.3f - %.3f of what it would have evenly (at worst %.3f - %.3f)",
               stats_median(&bridge->fewest), stats_median(&bridge->most),
               stats_min(&bridge->fewest), stats_max(&bridge->most));
    printf("\n");
}

int main(int argc, char **argv)
{
    struct bench_options options = {.clients = 10000, .rounds = 5, .operations = 40};
    const char *cores = getenv("NOTIFY_CORES");
    struct resp_text command = {NULL, 0, 0};
    static struct bridge bridges[BRIDGES_MAX];
    size_t count;

    bench_parse(&options, argc, argv, description);
    proc_need_descriptors((size_t)options.clients + 64);
    proc_pin_self(options.generator_core);
    count = add_bridges(bridges, &options);
    RESP_TEXT_ADD(&command, "NOTIFY.SEND", CROWD_LOG, "Build finished");
    for (long round = 0; round < options.rounds; round++)
        measure_round(bridges, count, &options, &command);

    printf("workers: %ld clients, %ld rounds of %ld messages; bridges on %s core(s), generator and "
           "Redis on core %d\n",
           options.clients, options.rounds, options.operations, cores == NULL ? "1" : cores,
           options.generator_core);
    for (size_t i = 0; i < count; i++)
        print_spread(&bridges[i]);
    print_rows(bridges, count, cores != NULL && atoi(cores) > 1);
    printf("\norder: each client got each id exactly once and in order\n");
    for (size_t i = 0; i < count; i++)
        crowd_release(&bridges[i].crowd);
    resp_text_release(&command);
    return 0;
}
