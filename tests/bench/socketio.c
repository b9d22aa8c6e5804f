/* socketio -- what it costs to bring one message to very many clients of Socket.IO, over
 * WebSockets: the bridge, beside its own plain WebSockets and beside Socket.IO's own server.
 *
 * All clients of all servers stay connected while they take turns of TURN messages each; so what
 * the machine does meanwhile meets all of them, and the ratios of a round are those of the same
 * seconds. Each server has a Redis of its own; NOTIFY_SERVERS tells them. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "camp.h"
#include "floor.h"
#include "lineup.h"
#include "proc.h"
#include "stats.h"

#define TURN 16   /* messages */
#define IDLE_S 30 /* at the end: more than any of them leaves between two heartbeats */
#define IN_FLIGHT 8

enum load { LOAD_SEND, LOAD_EVENT, LOADS };

static struct resp_text commands[LOADS];

/* What all are asked to do. */
static const struct row {
    const char *name;
    enum load load;
    uint64_t window;
} rows[] = {
    {"NOTIFY.SEND, one at a time", LOAD_SEND, 1},
    {"NOTIFY.SEND, 8 in flight", LOAD_SEND, IN_FLIGHT},
    {"NOTIFY.EVENT, one at a time", LOAD_EVENT, 1},
    {"NOTIFY.EVENT, 8 in flight", LOAD_EVENT, IN_FLIGHT},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

struct measured {
    struct stats cpu_ns, generator_ns, ratio; /* per delivery; to the first server's */
    uint64_t server_sum, generator_sum;       /* of the round that is being measured */
};

/* What was measured of a server. */
struct server {
    struct stats rate, connect_ns;
    double private_dirty, rss; /* bytes per connection */
    double frame_bytes[LOADS];
    double heartbeat_ns;
    struct measured rows[ROWS];
};

struct run {
    struct bench_options options;
    struct lineup lineup;
    struct server servers[LINEUP_MAX]; /* in the order of the lineup */
    struct floor *floor;
    struct stats floor_ns[LOADS];
};

static const char description[] = "Connects -n clients to each server, all following the broadcast "
                                  "log, and sends -o messages per\n"
                                  "round and row to all of them.";

/* ---- measuring */

static void connect_server(struct run *run, size_t i, bool is_first)
{
    struct camp *camp = run->lineup.servers[i].camp;
    struct server *server = &run->servers[i];
    double clients = (double)run->options.clients;

    if (!is_first)
        (void)camp_drop(camp);
    struct camp_report report = camp_connect(camp);
    stats_add(&server->rate, clients / ((double)report.wall_ns / 1e9));
    stats_add(&server->connect_ns, (double)report.server_ns / clients);
    if (!is_first)
        return;
    server->private_dirty = (double)report.grown_by.private_dirty_bytes / clients;
    server->rss = (double)report.grown_by.rss_bytes / clients;
    for (uint32_t load = 0; load < LOADS; load++)
        server->frame_bytes[load] = camp_send(camp, load, 1, 1).frame_bytes;
}

static void measure_floor(struct run *run, enum load load, uint64_t count)
{
    size_t bytes = (size_t)(run->servers[0].frame_bytes[load] + 0.5);

    stats_add(&run->floor_ns[load], floor_run(run->floor, bytes, (uint32_t)count).send_ns);
}

static void take_turn(struct run *run, size_t i, size_t row, uint64_t count)
{
    struct server *server = &run->servers[i];
    struct camp_report report =
        camp_send(run->lineup.servers[i].camp, rows[row].load, count, rows[row].window);

    server->rows[row].server_sum += report.server_ns;
    server->rows[row].generator_sum += report.generator_ns;
}

/* The sums of a round become its figures. */
static void settle_row(struct run *run, size_t row)
{
    double deliveries = (double)run->options.clients * (double)run->options.operations;
    double base = (double)run->servers[0].rows[row].server_sum;

    for (size_t i = 0; i < run->lineup.count; i++) {
        struct measured *measured = &run->servers[i].rows[row];
        stats_add(&measured->cpu_ns, (double)measured->server_sum / deliveries);
        stats_add(&measured->generator_ns, (double)measured->generator_sum / deliveries);
        stats_add(&measured->ratio, (double)measured->server_sum / base);
    }
    for (size_t i = 0; i < run->lineup.count; i++)
        run->servers[i].rows[row].server_sum = run->servers[i].rows[row].generator_sum = 0;
}

/* Who is first changes from turn to turn. */
static void measure_row(struct run *run, size_t row)
{
    uint64_t left = (uint64_t)run->options.operations;

    for (size_t turn = 0; left > 0; turn++) {
        uint64_t count = left < TURN ? left : TURN;
        for (size_t i = 0; i < run->lineup.count; i++)
            take_turn(run, (turn + i) % run->lineup.count, row, count);
        left -= count;
    }
    settle_row(run, row);
}

static void measure_round(struct run *run, bool is_first)
{
    for (size_t i = 0; i < run->lineup.count; i++)
        connect_server(run, i, is_first);
    for (size_t row = 0; row < ROWS; row++) {
        if (row == 0 || rows[row].load != rows[row - 1].load)
            measure_floor(run, rows[row].load, TURN);
        measure_row(run, row);
    }
}

/* All of them in the same seconds: nobody asks anything of them. */
static void measure_idle(struct run *run)
{
    uint64_t cpu[LINEUP_MAX], beats[LINEUP_MAX];

    for (size_t i = 0; i < run->lineup.count; i++) {
        cpu[i] = proc_cpu_ns(run->lineup.servers[i].pid);
        beats[i] = camp_heartbeats(run->lineup.servers[i].camp);
    }
    (void)sleep(IDLE_S);
    for (size_t i = 0; i < run->lineup.count; i++) {
        const struct lineup_server *at = &run->lineup.servers[i];
        double count = (double)(camp_heartbeats(at->camp) - beats[i]);
        if (count < (double)run->options.clients / 2)
            bench_die("%s: only %.0f heartbeats in %d s", at->name, count, IDLE_S);
        run->servers[i].heartbeat_ns = (double)(proc_cpu_ns(at->pid) - cpu[i]) / count;
    }
}

/* ---- telling */

static double median_us(const struct stats *stats)
{
    return stats_median(stats) / 1000;
}

static void print_servers(const struct run *run)
{
    printf("\n%-26s %10s %12s %12s %10s %13s\n", "", "connects/s", "CPU us each", "bytes each",
           "Rss", "us per beat");
    for (size_t i = 0; i < run->lineup.count; i++) {
        const struct server *server = &run->servers[i];
        printf("%-26s %10.0f %12.1f %12.0f %10.0f %13.2f\n", run->lineup.servers[i].name,
               stats_median(&server->rate), median_us(&server->connect_ns), server->private_dirty,
               server->rss, server->heartbeat_ns / 1000);
        bench_figure(median_us(&server->connect_ns), "%s: CPU per connection, us",
                     run->lineup.servers[i].name);
        bench_figure(server->private_dirty, "%s: bytes per connection",
                     run->lineup.servers[i].name);
        bench_figure(server->heartbeat_ns / 1000, "%s: CPU per heartbeat, us",
                     run->lineup.servers[i].name);
    }
}

static void print_row(const struct run *run, size_t row)
{
    enum load load = rows[row].load;
    double floor_ns = stats_median(&run->floor_ns[load]);

    printf("\n%s (floor %.2f us)\n", rows[row].name, floor_ns / 1000);
    for (size_t i = 0; i < run->lineup.count; i++) {
        const struct server *server = &run->servers[i];
        const struct measured *measured = &server->rows[row];
        printf("  %-24s %7.0f %10.2f %10.2f %8.2f   %5.2f - %-7.2f %9.2f\n",
               run->lineup.servers[i].name, server->frame_bytes[load], median_us(&measured->cpu_ns),
               stats_median(&measured->cpu_ns) / floor_ns, stats_median(&measured->ratio),
               stats_min(&measured->ratio), stats_max(&measured->ratio),
               median_us(&measured->generator_ns));
        if (i > 0)
            bench_figure(stats_median(&measured->ratio), "%s: %s, CPU per delivery, x %s",
                         run->lineup.servers[i].name, rows[row].name, run->lineup.servers[0].name);
    }
}

static void print_all(const struct run *run)
{
    const struct bench_options *options = &run->options;

    printf("socketio: %ld clients of each, %ld rounds of %ld messages, in turns of %d; servers on "
           "core "
           "%d, generator\nand Redis on core %d\n",
           options->clients, options->rounds, options->operations, TURN, options->server_core,
           options->generator_core);
    print_servers(run);
    printf("\n%-26s %7s %10s %10s %8s   %-15s %9s\n", "CPU us per delivery", "frame B", "median",
           "x floor", "x first", "min - max", "generator");
    for (size_t row = 0; row < ROWS; row++)
        print_row(run, row);
    printf("\norder: each client got each message exactly once and in order\n");
}

int main(int argc, char **argv)
{
    struct run run = {.options = {.clients = 10000, .rounds = 5, .operations = 48}};

    bench_parse(&run.options, argc, argv, description);
    proc_need_descriptors((size_t)run.options.clients + 64);
    RESP_TEXT_ADD(&commands[LOAD_SEND], "NOTIFY.SEND", CROWD_LOG, "Build finished");
    RESP_TEXT_ADD(&commands[LOAD_EVENT], "NOTIFY.EVENT", CROWD_LOG, "tick", "DATA",
                  "{\"p\":\"0000000000000000000000000000000000000000\"}");
    run.floor = floor_new((uint32_t)run.options.clients, run.options.server_core,
                          run.options.generator_core);
    proc_pin_self(run.options.generator_core);
    lineup_init(&run.lineup, &run.options, commands);
    for (long round = 0; round < run.options.rounds; round++)
        measure_round(&run, round == 0);
    measure_idle(&run);
    print_all(&run);

    lineup_release(&run.lineup);
    for (size_t load = 0; load < LOADS; load++)
        resp_text_release(&commands[load]);
    floor_free(run.floor);
    return 0;
}
