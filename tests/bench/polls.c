/* polls -- what polling costs: clients of Socket.IO that never leave HTTP, of the bridge and of
 * Socket.IO's own server, in turns.
 *
 * Each client has a poll on its way all the time. Two loads: one message to all, each of which so
 * is a poll of each client; and events with acks, each of which is a POST and a poll. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"
#include "camp.h"
#include "lineup.h"
#include "proc.h"
#include "stats.h"

enum load { LOAD_MESSAGE, LOAD_ASK, LOADS };

static const char *const names[LOADS] = {"a message to all, one at a time",
                                         "an event of each client and its ack"};

/* Per load and server, one figure per round. */
struct measured {
    struct stats rate;                        /* polls a second */
    struct stats server_ns, redis_ns, own_ns; /* CPU time per poll */
    struct stats ratio;                       /* to the first server's, Redis included */
};

struct run {
    struct bench_options options;
    struct lineup lineup;
    struct measured measured[LOADS][LINEUP_MAX];
    struct stats connect_ns[LINEUP_MAX];
    double bytes[LINEUP_MAX]; /* per client */
};

static const char description[] = "Lets -n clients poll at each server, and brings them -o "
                                  "messages per round, one at a time; then each\n"
                                  "emits -o events with an ack.";

static void connect_server(struct run *run, size_t i)
{
    struct camp_report report = camp_connect(run->lineup.servers[i].camp);
    double clients = (double)run->options.clients;

    stats_add(&run->connect_ns[i], (double)report.server_ns / clients);
    run->bytes[i] = (double)report.grown_by.private_dirty_bytes / clients;
}

static struct camp_report load_server(const struct run *run, enum load load, size_t i)
{
    struct camp *camp = run->lineup.servers[i].camp;
    uint64_t count = (uint64_t)run->options.operations;

    return load == LOAD_ASK ? camp_ask(camp, count) : camp_send(camp, 0, count, 1);
}

/* The bridge's Redis works for its polls, so what it takes counts, too. */
static double cost_ns(const struct camp_report *report)
{
    return (double)(report->server_ns + report->redis_ns) / (double)report->polls;
}

static void measure_load(struct run *run, enum load load)
{
    double base = 0;

    for (size_t i = 0; i < run->lineup.count; i++) {
        struct camp_report report = load_server(run, load, i);
        struct measured *measured = &run->measured[load][i];
        double polls = (double)report.polls;
        stats_add(&measured->rate, polls / ((double)report.wall_ns / 1e9));
        stats_add(&measured->server_ns, (double)report.server_ns / polls);
        stats_add(&measured->redis_ns, (double)report.redis_ns / polls);
        stats_add(&measured->own_ns, (double)report.generator_ns / polls);
        base = i == 0 ? cost_ns(&report) : base;
        stats_add(&measured->ratio, cost_ns(&report) / base);
    }
}

static double median_us(const struct stats *stats)
{
    return stats_median(stats) / 1000;
}

static void print_connecting(const struct run *run)
{
    for (size_t i = 0; i < run->lineup.count; i++) {
        const char *name = run->lineup.servers[i].name;
        printf("%-28s %8.1f us of CPU to connect, %.0f bytes each\n", name,
               median_us(&run->connect_ns[i]), run->bytes[i]);
        bench_figure(median_us(&run->connect_ns[i]), "%s: CPU to connect, us", name);
        bench_figure(run->bytes[i], "%s: bytes per client", name);
    }
}

static void print_load(const struct run *run, enum load load)
{
    printf("\n%s\n", names[load]);
    for (size_t i = 0; i < run->lineup.count; i++) {
        const struct measured *measured = &run->measured[load][i];
        const char *name = run->lineup.servers[i].name;
        printf("  %-26s %9.0f %10.2f %8.2f %10.2f %8.2f   %.2f - %.2f\n", name,
               stats_median(&measured->rate), median_us(&measured->server_ns),
               median_us(&measured->redis_ns), median_us(&measured->own_ns),
               stats_median(&measured->ratio), stats_min(&measured->ratio),
               stats_max(&measured->ratio));
        bench_figure(median_us(&measured->server_ns) + median_us(&measured->redis_ns),
                     "%s: %s, CPU per poll, us", name, names[load]);
    }
}

static void print_all(const struct run *run)
{
    const struct bench_options *options = &run->options;

    printf(
        "polls: %ld clients of each, %ld rounds of %ld; servers on core %d, generator and Redis on "
        "core %d\n\n",
        options->clients, options->rounds, options->operations, options->server_core,
        options->generator_core);
    print_connecting(run);
    printf("\n%-28s %9s %10s %8s %10s %8s   min - max\n", "", "polls/s", "server us", "Redis us",
           "generator", "x first");
    for (size_t load = 0; load < LOADS; load++)
        print_load(run, (enum load)load);
    printf("\norder: each client got each message exactly once and in order, and each ack\n");
}

int main(int argc, char **argv)
{
    struct run run = {.options = {.clients = 1000, .rounds = 5, .operations = 20}};
    struct resp_text command = {.len = 0};

    bench_parse(&run.options, argc, argv, description);
    proc_need_descriptors(2 * (size_t)run.options.clients + 64);
    proc_pin_self(run.options.generator_core);
    RESP_TEXT_ADD(&command, "NOTIFY.SEND", CROWD_LOG, "Build finished");
    lineup_init(&run.lineup, &run.options, &command);
    for (size_t i = 0; i < run.lineup.count; i++)
        connect_server(&run, i);
    for (long round = 0; round < run.options.rounds; round++) {
        for (size_t load = 0; load < LOADS; load++)
            measure_load(&run, (enum load)load);
    }
    print_all(&run);

    lineup_release(&run.lineup);
    resp_text_release(&command);
    return 0;
}
