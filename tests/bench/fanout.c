/* fanout -- what it costs a server to bring one message to very many clients: of WebSockets, or,
 * with NOTIFY_CARRIER=sse, of streams of events, or =deflate, of WebSockets with compressed
 * messages.
 *
 * Measures connecting, user-space memory per connection, and CPU time per delivery of real
 * NOTIFY.SENDs and NOTIFY.EVENTs to the broadcast log, one at a time and eight in flight, in turns
 * with the floor: a plain loop of send() of as many bytes to as many connections. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "crowd.h"
#include "floor.h"
#include "proc.h"
#include "stats.h"

#define EVENT_PAYLOAD_BYTES 200
#define IN_FLIGHT 8

/* What is sent. */
struct load {
    struct resp_text command; /* owned */
    struct stats floor_ns, floor_receive_ns;
    double payload_bytes; /* mean */
    double frame_bytes;   /* that one costs on the way */
};

/* Before the names of figures, so that those of two carriers are told apart. */
static const char *figure_prefix = "";

static const struct carrier {
    const char *name, *title, *prefix;
    enum crowd_speech speech;
} carriers[] = {
    {"websocket", "WebSocket", "", CROWD_WEBSOCKET},
    {"sse", "SSE", "SSE: ", CROWD_EVENTS},
    {"deflate", "WebSocket, compressed", "compressed: ", CROWD_DEFLATED},
};

/* name: NULL for the first of them. */
static const struct carrier *find_carrier(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof(carriers) / sizeof(carriers[0]); i++)
        if (strcmp(carriers[i].name, name) == 0)
            return &carriers[i];
    return &carriers[0];
}

/* One row of the table: a load and how much of it is on its way at a time. */
struct row {
    const char *name;
    struct load *load; /* borrowed */
    uint64_t window;
    struct stats bridge_ns, generator_ns;
};

struct connecting {
    struct stats rate, cpu_ns;
    double private_dirty, rss; /* bytes per connection */
};

static const char description[] = "Connects -n clients to the bridge, each with an inbox of its "
                                  "own, all following the broadcast\n"
                                  "log, and sends -o messages per round and row to all of them.";

static double median_us(const struct stats *stats)
{
    return stats_median(stats) / 1000;
}

/* Connects all; the first time there is nobody yet, and so the memory is told as well. */
static void measure_connecting(struct crowd *crowd, struct connecting *connecting, bool is_first)
{
    struct proc_memory before = proc_memory_of(crowd->bridge_pid);
    uint64_t cpu = proc_cpu_ns(crowd->bridge_pid);
    uint64_t took = crowd_connect(crowd);

    crowd_wait_following(crowd);
    cpu = proc_cpu_ns(crowd->bridge_pid) - cpu;
    stats_add(&connecting->rate, crowd->clients / ((double)took / 1e9));
    stats_add(&connecting->cpu_ns, (double)cpu / crowd->clients);
    if (!is_first)
        return;
    struct proc_memory after = proc_memory_of(crowd->bridge_pid);
    connecting->private_dirty =
        ((double)after.private_dirty_bytes - (double)before.private_dirty_bytes) / crowd->clients;
    connecting->rss = ((double)after.rss_bytes - (double)before.rss_bytes) / crowd->clients;
}

static void measure_row(struct crowd *crowd, struct row *row, uint64_t count)
{
    double deliveries = (double)count * crowd->clients;
    uint64_t bridge = proc_cpu_ns(crowd->bridge_pid);
    uint64_t generator = proc_cpu_ns(getpid());

    crowd->payload_bytes = 0;
    crowd->payloads = 0;
    crowd_broadcast(crowd, &row->load->command, count, row->window);
    stats_add(&row->bridge_ns, (double)(proc_cpu_ns(crowd->bridge_pid) - bridge) / deliveries);
    stats_add(&row->generator_ns, (double)(proc_cpu_ns(getpid()) - generator) / deliveries);
    row->load->payload_bytes = (double)crowd->payload_bytes / (double)crowd->payloads;
}

static size_t frame_bytes(const struct load *load)
{
    return (size_t)(load->frame_bytes + 0.5);
}

static void measure_floor(struct floor *floor, struct load *load, uint64_t count)
{
    struct floor_result result = floor_run(floor, frame_bytes(load), (uint32_t)count);

    stats_add(&load->floor_ns, result.send_ns);
    stats_add(&load->floor_receive_ns, result.receive_ns);
}

/* The size of the message that the load makes, by sending it once. */
static void probe_load(struct crowd *crowd, struct load *load)
{
    uint64_t received = swarm_received_bytes(crowd->swarm);

    crowd->payload_bytes = 0;
    crowd->payloads = 0;
    crowd_broadcast(crowd, &load->command, 1, 1);
    load->frame_bytes = (double)(swarm_received_bytes(crowd->swarm) - received) / crowd->clients;
    load->payload_bytes = (double)crowd->payload_bytes / (double)crowd->payloads;
}

/* Pads the data of the event until the whole message has the wanted size. */
static void build_event(struct crowd *crowd, struct load *load)
{
    char data[EVENT_PAYLOAD_BYTES + 16] = "{\"p\":\"\"}";

    RESP_TEXT_ADD(&load->command, "NOTIFY.EVENT", CROWD_LOG, "tick", "DATA", data);
    probe_load(crowd, load);
    if (load->payload_bytes >= EVENT_PAYLOAD_BYTES)
        return;
    int padding = (int)(EVENT_PAYLOAD_BYTES - load->payload_bytes);
    (void)snprintf(data, sizeof(data), "{\"p\":\"%0*d\"}", padding, 0);
    resp_text_clear(&load->command);
    RESP_TEXT_ADD(&load->command, "NOTIFY.EVENT", CROWD_LOG, "tick", "DATA", data);
    probe_load(crowd, load);
}

static void print_line(const char *name, size_t bytes, const struct stats *stats, double ratio,
                       const struct stats *generator)
{
    printf("%-34s %7zu %10.2f   %6.2f - %-6.2f %8.2f %11.2f\n", name, bytes, median_us(stats),
           stats_min(stats) / 1000, stats_max(stats) / 1000, ratio, median_us(generator));
}

static void print_rows(const struct row *rows, size_t count)
{
    const struct load *load = NULL;

    printf("\n%-34s %7s %10s   %-15s %8s %11s\n", "CPU us per delivery", "frame B", "median",
           "min - max", "x floor", "generator");
    for (size_t i = 0; i < count; i++) {
        const struct row *row = &rows[i];
        if (row->load != load) {
            load = row->load;
            print_line("floor: loop of send()", frame_bytes(load), &load->floor_ns, 1,
                       &load->floor_receive_ns);
        }
        double ratio = stats_median(&row->bridge_ns) / stats_median(&load->floor_ns);
        print_line(row->name, frame_bytes(load), &row->bridge_ns, ratio, &row->generator_ns);
        bench_figure(ratio, "%s%s, CPU per delivery, x floor", figure_prefix, row->name);
    }
}

static void print_connecting(const struct connecting *connecting)
{
    printf("connecting: %.0f per second until greeted (%.0f - %.0f); %s CPU %.1f us each, "
           "everything subscribed\n",
           stats_median(&connecting->rate), stats_min(&connecting->rate),
           stats_max(&connecting->rate), bench_server(), median_us(&connecting->cpu_ns));
    printf("memory: %.0f bytes per connection in user space (Private_Dirty; Rss %.0f)\n",
           connecting->private_dirty, connecting->rss);
    bench_figure(median_us(&connecting->cpu_ns), "%sCPU per connection, us", figure_prefix);
    bench_figure(connecting->private_dirty, "%sbytes per connection", figure_prefix);
}

static void measure_round(struct crowd *crowd, struct floor *floor, struct row *rows,
                          size_t row_count, uint64_t count)
{
    const struct load *load = NULL;

    for (size_t i = 0; i < row_count; i++) {
        if (rows[i].load != load)
            measure_floor(floor, rows[i].load, count);
        load = rows[i].load;
        measure_row(crowd, &rows[i], count);
    }
    crowd_check(crowd, "fanout");
}

static void print_all(const struct bench_options *options, const struct connecting *connecting,
                      const struct row *rows, size_t row_count, uint64_t sent)
{
    printf("fanout over %s: %ld clients, %ld rounds of %ld messages; %s on core %d, generator "
           "and Redis "
           "on core %d\n",
           find_carrier(getenv("NOTIFY_CARRIER"))->title, options->clients, options->rounds,
           options->operations, bench_server(), options->server_core, options->generator_core);
    print_connecting(connecting);
    print_rows(rows, row_count);
    printf("\norder: each of %ld clients got each of %" PRIu64 " ids exactly once and in order\n",
           options->clients, sent);
}

int main(int argc, char **argv)
{
    struct bench_options options = {.clients = 10000, .rounds = 5, .operations = 40};
    struct load send = {.payload_bytes = 0}, event = {.payload_bytes = 0};
    struct row rows[] = {
        {.name = "NOTIFY.SEND, one at a time", .load = &send, .window = 1},
        {.name = "NOTIFY.SEND, 8 in flight", .load = &send, .window = IN_FLIGHT},
        {.name = "NOTIFY.EVENT, one at a time", .load = &event, .window = 1},
        {.name = "NOTIFY.EVENT, 8 in flight", .load = &event, .window = IN_FLIGHT},
    };
    const size_t row_count = sizeof(rows) / sizeof(rows[0]);
    struct connecting connecting = {.private_dirty = 0};
    struct crowd crowd;

    const struct carrier *carrier = find_carrier(getenv("NOTIFY_CARRIER"));

    figure_prefix = carrier->prefix;
    bench_parse(&options, argc, argv, description);
    proc_need_descriptors((size_t)options.clients + 64);
    struct floor *floor =
        floor_new((uint32_t)options.clients, options.server_core, options.generator_core);
    proc_pin_self(options.generator_core);
    crowd_init_over(carrier->speech, &crowd, (uint32_t)options.clients, options.bridge_port,
                    options.bridge_pid, options.redis_port);
    RESP_TEXT_ADD(&send.command, "NOTIFY.SEND", CROWD_LOG, "Build finished");

    for (long round = 0; round < options.rounds; round++) {
        if (round > 0)
            crowd_drop(&crowd);
        measure_connecting(&crowd, &connecting, round == 0);
        if (round == 0) {
            probe_load(&crowd, &send);
            build_event(&crowd, &event);
        }
        measure_round(&crowd, floor, rows, row_count, (uint64_t)options.operations);
    }
    print_all(&options, &connecting, rows, row_count, crowd.sent);

    resp_text_release(&send.command);
    resp_text_release(&event.command);
    crowd_release(&crowd);
    floor_free(floor);
    return 0;
}
