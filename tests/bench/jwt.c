/* jwt -- what it costs to let somebody in: the bridge's CPU time for each connection, and its
 * memory.
 *
 * tests/bench/run calls it once for each way of saying who one is, each time with a bridge of its
 * own: without a token, with one of HS256, with one of ES256. NOTIFY_ARRIVALS names a file with
 * what each client asks for, one a line; each is another user. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "message.h"
#include "proc.h"
#include "stats.h"
#include "swarm.h"

#define PATH_MAX_BYTES 512
#define TIMEOUT_NS UINT64_C(60000000000)
#define POLL_MS 10

static const char description[] = "Connects -n clients, each another user, -r times.";

struct arrivals {
    char *text;   /* owned */
    char **paths; /* owned; of text */
    uint32_t clients, greeted;
    struct swarm *swarm;
};

static void path_of(void *ctx, uint32_t client, char *out, size_t cap)
{
    const struct arrivals *arrivals = ctx;

    if ((size_t)snprintf(out, cap, "%s", arrivals->paths[client]) >= cap)
        bench_die("what client %u asks for is too long", client);
}

static void on_text(void *ctx, uint32_t client, const char *text, size_t len)
{
    struct arrivals *arrivals = ctx;
    struct notify_str message = {text, len};

    if (message_has_type(message, NOTIFY_STR("connection")))
        arrivals->greeted++;
    else if (message_has_type(message, NOTIFY_STR("error")))
        bench_die("client %u got %.*s", client, (int)len, text);
}

static void read_arrivals(struct arrivals *arrivals)
{
    const char *name = getenv("NOTIFY_ARRIVALS");
    FILE *file = name == NULL ? NULL : fopen(name, "r");
    size_t cap = 0;
    uint32_t lines = 0;

    if (file == NULL || getdelim(&arrivals->text, &cap, '\0', file) <= 0)
        bench_die("NOTIFY_ARRIVALS names no file that can be read");
    (void)fclose(file); /* only read from */
    arrivals->paths = bench_alloc(arrivals->clients * sizeof(char *));
    for (char *line = strtok(arrivals->text, "\n"); line != NULL && lines < arrivals->clients;
         line = strtok(NULL, "\n"))
        arrivals->paths[lines++] = line;
    if (lines < arrivals->clients)
        bench_die("%u lines for %u clients", lines, arrivals->clients);
}

struct figures {
    struct stats cpu_ns, took_ns, bytes;
};

static void keep_open(void *ctx)
{
    swarm_poll(ctx, 0);
}

/* Memory that a round has given back is there for the next one: the first tells what it takes. */
static void measure_round(struct arrivals *arrivals, pid_t bridge, struct figures *figures)
{
    size_t memory = proc_memory_of(bridge).private_dirty_bytes;
    uint64_t cpu = proc_cpu_ns(bridge), started = bench_now_ns(), took;
    uint64_t descriptors = proc_descriptors_of(bridge);

    arrivals->greeted = 0;
    swarm_connect(arrivals->swarm);
    while (arrivals->greeted < arrivals->clients) {
        swarm_poll(arrivals->swarm, POLL_MS);
        if (bench_now_ns() - started > TIMEOUT_NS)
            bench_die("%u of %u clients were greeted", arrivals->greeted, arrivals->clients);
    }
    took = bench_now_ns() - started;
    cpu = proc_cpu_ns(bridge) - cpu;
    proc_wait_idle(bridge, 60000, keep_open, arrivals->swarm);
    stats_add(&figures->cpu_ns, (double)cpu / arrivals->clients);
    stats_add(&figures->took_ns, (double)took);
    stats_add(&figures->bytes,
              ((double)proc_memory_of(bridge).private_dirty_bytes - (double)memory) /
                  arrivals->clients);
    swarm_drop(arrivals->swarm);
    proc_wait_closed(bridge, descriptors, 60000);
    proc_wait_idle(bridge, 60000, NULL, NULL);
}

int main(int argc, char **argv)
{
    struct bench_options options = {.clients = 10000, .rounds = 3};
    struct arrivals arrivals = {.text = NULL};
    struct figures figures = {.cpu_ns = {.count = 0}};
    const char *mode = getenv("NOTIFY_ARRIVAL_MODE");

    bench_parse(&options, argc, argv, description);
    proc_pin_self(options.generator_core);
    proc_need_descriptors((size_t)options.clients + 64);
    arrivals.clients = (uint32_t)options.clients;
    read_arrivals(&arrivals);
    arrivals.swarm = swarm_new(
        options.bridge_port, arrivals.clients,
        (struct swarm_handlers){.path_of = path_of, .on_text = on_text, .ctx = &arrivals});
    for (long round = 0; round < options.rounds; round++)
        measure_round(&arrivals, options.bridge_pid, &figures);
    printf("%-6s %8.1f us of CPU (%.1f - %.1f) and %6.0f bytes per connection; all greeted after "
           "%.2f s\n",
           mode == NULL ? "" : mode, stats_median(&figures.cpu_ns) / 1000,
           stats_min(&figures.cpu_ns) / 1000, stats_max(&figures.cpu_ns) / 1000,
           stats_max(&figures.bytes), stats_median(&figures.took_ns) / 1e9);
    bench_figure(stats_median(&figures.cpu_ns) / 1000, "%s: CPU per connection, us", mode);
    bench_figure(stats_max(&figures.bytes), "%s: bytes per connection", mode);
    swarm_free(arrivals.swarm);
    free(arrivals.paths);
    free(arrivals.text);
    return 0;
}
