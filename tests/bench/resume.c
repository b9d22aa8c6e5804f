/* resume -- a reconnect storm: all clients lose their connection at once, miss messages of the
 * broadcast log, come back at once and ask for what they missed.
 *
 * Measures the time until the last client has caught up, the bridge's CPU time, and how often Redis
 * was asked: all NOTIFY.SINCE calls from its command statistics, and in one more round, which is
 * not timed, those that name the log, which MONITOR shows. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "crowd.h"
#include "message.h"
#include "proc.h"
#include "stats.h"

#define END_OF_STORM "end-of-storm"

static const char description[] =
    "Lets -n clients drop and resume the broadcast log with -o missed messages (at most 250).";

struct storm {
    struct crowd *crowd;   /* borrowed */
    struct resp_text send; /* owned */
    char request[128];     /* what each client asks for when it has been greeted; empty: nothing */
    uint64_t missed;       /* messages */
    uint32_t resumed;      /* clients that have been told that they are up to date */
    struct resp monitor;   /* open in the counted round only */
    uint64_t log_reads;    /* NOTIFY.SINCE calls that name the log */
    bool is_over;          /* the monitor has shown the end */
};

static void on_resumed(struct storm *storm, uint32_t client, struct notify_str text)
{
    static const char good[] = "\"recovered\":true";

    if (memmem(text.ptr, text.len, good, sizeof(good) - 1) == NULL)
        bench_die("client %u was not recovered: %.*s", client, (int)text.len, text.ptr);
    storm->resumed++;
}

static void on_other(void *ctx, uint32_t client, struct notify_str text)
{
    struct storm *storm = ctx;

    if (message_has_type(text, NOTIFY_STR("connection")) && storm->request[0] != '\0')
        swarm_send(storm->crowd->swarm, client, storm->request, strlen(storm->request));
    else if (message_has_type(text, NOTIFY_STR("resumed")))
        on_resumed(storm, client, text);
    else if (message_has_type(text, NOTIFY_STR("error")))
        bench_die("client %u got %.*s", client, (int)text.len, text.ptr);
}

static bool line_has(struct notify_str line, struct notify_str what)
{
    return memmem(line.ptr, line.len, what.ptr, what.len) != NULL;
}

static void on_monitor(void *ctx)
{
    struct storm *storm = ctx;

    do {
        struct notify_str line = resp_next(&storm->monitor);
        bool is_since = line_has(line, NOTIFY_STR("\"NOTIFY.SINCE\"")) ||
                        line_has(line, NOTIFY_STR("\"notify.since\""));
        if (is_since && line_has(line, NOTIFY_STR("\"" CROWD_LOG "\"")))
            storm->log_reads++;
        if (line_has(line, NOTIFY_STR("\"" END_OF_STORM "\"")))
            storm->is_over = true;
    } while (resp_has_next(&storm->monitor));
}

struct cost {
    uint64_t took_ns, bridge_ns;
};

/* Drops all, sends what they will miss, and connects them again; returns what it took from then on
 * until all had caught up. */
static struct cost run_storm(struct storm *storm)
{
    struct crowd *crowd = storm->crowd;

    crowd_broadcast(crowd, &storm->send, 1, 1); /* gives everyone the same position */
    (void)snprintf(storm->request, sizeof(storm->request),
                   "{\"type\":\"resume\",\"positions\":{\"" CROWD_LOG "\":\"%s\"}}",
                   crowd->last_id);
    crowd_drop(crowd);
    crowd_send(crowd, &storm->send, storm->missed);
    crowd_wait(crowd, storm->missed);
    proc_wait_idle(crowd->bridge_pid, CROWD_TIMEOUT_MS, NULL, NULL);
    (void)RESP_CALL(&crowd->redis, "CONFIG", "RESETSTAT");

    uint64_t started = bench_now_ns(), bridge = proc_cpu_ns(crowd->bridge_pid);
    storm->resumed = 0;
    (void)crowd_connect(crowd);
    crowd_wait(crowd, 0);
    while (storm->resumed < crowd->clients)
        crowd_poll(crowd, started, "not all clients were told that they have resumed");
    return (struct cost){bench_now_ns() - started, proc_cpu_ns(crowd->bridge_pid) - bridge};
}

/* After a storm: what is sent now reaches everyone too, with nothing lost or doubled at the seam.
 */
static void check_seam(struct storm *storm)
{
    storm->request[0] = '\0';
    crowd_broadcast(storm->crowd, &storm->send, 1, 1);
    crowd_check(storm->crowd, "resume");
}

static uint64_t count_log_reads(struct storm *storm, int redis_port)
{
    resp_open(&storm->monitor, redis_port);
    (void)RESP_CALL(&storm->monitor, "MONITOR");
    swarm_watch(storm->crowd->swarm, storm->monitor.fd, on_monitor, storm);
    storm->log_reads = 0;
    (void)run_storm(storm);
    (void)RESP_CALL(&storm->crowd->redis, "ECHO", END_OF_STORM);
    uint64_t started = bench_now_ns();
    while (!storm->is_over)
        crowd_poll(storm->crowd, started, "MONITOR does not show the end");
    check_seam(storm);
    resp_close(&storm->monitor);
    return storm->log_reads;
}

struct figures {
    struct stats took_ns, bridge_ns, since_calls;
};

static void measure_round(struct storm *storm, struct figures *figures)
{
    struct crowd *crowd = storm->crowd;
    struct cost cost = run_storm(storm);

    stats_add(&figures->took_ns, (double)cost.took_ns);
    stats_add(&figures->bridge_ns, (double)cost.bridge_ns / crowd->clients);
    stats_add(&figures->since_calls, (double)resp_info_number(&crowd->redis, "commandstats",
                                                              "cmdstat_notify.since:calls=", 0));
    check_seam(storm);
}

int main(int argc, char **argv)
{
    struct bench_options options = {.clients = 10000, .rounds = 3, .operations = 100};
    struct figures figures = {.took_ns = {.count = 0}};
    struct crowd crowd;
    struct storm storm = {.crowd = &crowd};

    bench_parse(&options, argc, argv, description);
    proc_pin_self(options.generator_core);
    crowd_init(&crowd, (uint32_t)options.clients, options.bridge_port, options.bridge_pid,
               options.redis_port);
    storm.missed = (uint64_t)options.operations;
    crowd.on_other = on_other;
    crowd.on_other_ctx = &storm;
    RESP_TEXT_ADD(&storm.send, "NOTIFY.SEND", CROWD_LOG, "Build finished");
    (void)crowd_connect(&crowd);
    crowd_wait_following(&crowd);

    for (long round = 0; round < options.rounds; round++)
        measure_round(&storm, &figures);
    uint64_t log_reads = count_log_reads(&storm, options.redis_port);

    printf("resume: %ld clients, %ld missed messages, %ld rounds; %s on core %d, generator and "
           "Redis on core %d\n",
           options.clients, options.operations, options.rounds, bench_server(), options.server_core,
           options.generator_core);
    printf("all caught up after %.2f s (%.2f - %.2f), %.1f us of %s CPU per client\n",
           stats_median(&figures.took_ns) / 1e9, stats_min(&figures.took_ns) / 1e9,
           stats_max(&figures.took_ns) / 1e9, stats_median(&figures.bridge_ns) / 1000,
           bench_server());
    printf("NOTIFY.SINCE calls per storm: %.0f in all; naming the log: %" PRIu64 "\n",
           stats_median(&figures.since_calls), log_reads);
    bench_figure(stats_median(&figures.took_ns) / 1e9, "until all caught up, s");
    bench_figure(stats_median(&figures.bridge_ns) / 1000, "CPU per client, us");
    bench_figure(stats_median(&figures.since_calls), "NOTIFY.SINCE calls");
    printf("each of %ld clients got each of %" PRIu64 " ids exactly once and in order\n",
           options.clients, crowd.sent);

    resp_text_release(&storm.send);
    crowd_release(&crowd);
    return 0;
}
