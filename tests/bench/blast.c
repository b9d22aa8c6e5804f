/* blast -- what it costs a server when much more is sent than it can hand on one by one.
 *
 * Several connections send real NOTIFY.SENDs as fast as Redis takes them, up to a number of
 * deliveries that have not arrived: to inboxes that one client each follows, and to topics that ten
 * follow. In turns with it the floor is measured: a loop of send() of as many bytes to as many
 * connections, one message each. What is joined into one write costs less than that.
 *
 * Then twice as much is sent as could be delivered, for some seconds, at the limits that Redis has
 * by default. All of it has to arrive once and in order, also what the bridge could not keep; and
 * every link to Redis that was cut is told. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "crowd.h"
#include "floor.h"
#include "message.h"
#include "proc.h"
#include "publishers.h"
#include "stats.h"

#define GROUP 10 /* clients that follow one topic */
#define FEW 1000 /* deliveries on their way, in the first row */
#define TIMES_TOO_MUCH 2
#define SEND_AT_ONCE 4096
#define FLOOR_ROUNDS 8
#define POLL_MS 50
#define SAMPLE_NS UINT64_C(200000000)
#define SILENCE_NS (UINT64_C(60) * 1000000000)
#define NS_PER_S 1e9
#define GOAL_RATIO 0.7

static const char description[] =
    "Sends -o deliveries per round and row to -n clients over -p connections, -w of them on their "
    "way\nat most; then twice as much as was delivered, for -s seconds.";

/* Who is sent to: inboxes, or topics. */
struct addressees {
    uint32_t count;
    uint32_t share; /* clients that each reaches */
    struct resp_text commands;
    size_t *starts;     /* owned, count + 1 of them: where each one's command begins */
    struct ledger sent; /* a page for each */
    struct ledger got;  /* a page for each client */
    char (*keys)[32];   /* owned */
};

struct blast {
    struct crowd crowd;
    struct publishers *publishers;
    struct addressees inboxes, topics;
    uint64_t sent, arrived; /* of this run; deliveries */
    uint64_t heard_ns;      /* when something last arrived */
    uint64_t chance;
    uint64_t sampled_ns;
    size_t peak_bytes; /* of the bridge's memory */
};

/* One run. */
struct run {
    struct addressees *to;
    uint64_t count, window; /* deliveries */
    double per_s;           /* deliveries; 0: as fast as it goes */
    uint64_t started_ns;
};

struct row {
    const char *name;
    struct addressees *to;
    uint64_t window;
    struct stats ratio, bridge_ns, redis_ns, generator_ns, per_s;
};

/* ---- addressees */

static void addressees_init(struct addressees *to, const char *key, uint32_t count, uint32_t share,
                            const char *body)
{
    *to = (struct addressees){.count = count, .share = share};
    to->starts = bench_alloc((count + (size_t)1) * sizeof(*to->starts));
    to->keys = bench_alloc(count * sizeof(*to->keys));
    for (uint32_t i = 0; i < count; i++) {
        (void)snprintf(to->keys[i], sizeof(to->keys[i]), "%s%u", key, i);
        to->starts[i] = to->commands.len;
        if (body[0] == '\0')
            RESP_TEXT_ADD(&to->commands, "NOTIFY.SEND", to->keys[i], "Build finished");
        else
            RESP_TEXT_ADD(&to->commands, "NOTIFY.SEND", to->keys[i], "Build finished", "CONTENT",
                          body);
    }
    to->starts[count] = to->commands.len;
    ledger_init(&to->sent, count);
    ledger_init(&to->got, count * share);
}

static void addressees_release(struct addressees *to)
{
    resp_text_release(&to->commands);
    free(to->starts);
    free(to->keys);
    ledger_release(&to->sent);
    ledger_release(&to->got);
}

static void on_id(void *ctx, uint32_t target, struct notify_str id)
{
    struct blast *blast = ctx;
    uint32_t inboxes = blast->inboxes.count;

    if (target < inboxes)
        (void)ledger_received(&blast->inboxes.sent, target, id);
    else
        (void)ledger_received(&blast->topics.sent, target - inboxes, id);
}

static void on_other(void *ctx, uint32_t client, struct notify_str text)
{
    struct blast *blast = ctx;
    struct notify_str id;

    for (struct addressees *to = &blast->inboxes; to != NULL;
         to = to == &blast->inboxes ? &blast->topics : NULL) {
        if (client / to->share >= to->count ||
            !message_entry_id(text, notify_str_z(to->keys[client / to->share]), &id))
            continue;
        (void)ledger_received(&to->got, client, id);
        blast->arrived++;
        return;
    }
}

/* ---- running */

static void take_sample(struct blast *blast)
{
    uint64_t now = bench_now_ns();
    size_t bytes;

    if (now - blast->sampled_ns < SAMPLE_NS)
        return;
    blast->sampled_ns = now;
    bytes = proc_memory_of(blast->crowd.bridge_pid).private_dirty_bytes;
    if (bytes > blast->peak_bytes)
        blast->peak_bytes = bytes;
}

/* How many deliveries may be added now. */
static uint64_t room_of(const struct blast *blast, const struct run *run)
{
    uint64_t on_way = blast->sent - blast->arrived;
    uint64_t room = on_way < run->window ? run->window - on_way : 0;
    uint64_t left = run->count - blast->sent;

    if (room > left)
        room = left;
    if (run->per_s > 0) {
        double due = run->per_s * (double)(bench_now_ns() - run->started_ns) / NS_PER_S;
        uint64_t due_now = due > (double)blast->sent ? (uint64_t)due - blast->sent : 0;
        room = due_now < room ? due_now : room;
    }
    return room;
}

static void send_some(struct blast *blast, const struct run *run)
{
    struct addressees *to = run->to;
    uint64_t room = room_of(blast, run) / to->share;
    uint32_t first = to == &blast->inboxes ? 0 : blast->inboxes.count;

    for (uint64_t n = 0; n < room && n < SEND_AT_ONCE; n++) {
        uint32_t i = (uint32_t)(bench_random(&blast->chance) % to->count);
        size_t at = to->starts[i];
        if (publishers_send(blast->publishers, first + i, to->commands.ptr + at,
                            to->starts[i + 1] - at))
            blast->sent += to->share;
    }
    publishers_flush(blast->publishers);
}

static void poll_once(struct blast *blast, int timeout_ms)
{
    uint64_t before = blast->arrived;

    swarm_poll(blast->crowd.swarm, timeout_ms);
    take_sample(blast);
    if (blast->arrived > before || blast->heard_ns == 0)
        blast->heard_ns = bench_now_ns();
    if (bench_now_ns() - blast->heard_ns > SILENCE_NS)
        bench_die("%" PRIu64 " of %" PRIu64 " deliveries did not arrive",
                  blast->sent - blast->arrived, blast->sent);
}

static void check(const struct blast *blast)
{
    ledger_compare(&blast->inboxes.sent, &blast->inboxes.got, blast->inboxes.share, "blast");
    ledger_compare(&blast->topics.sent, &blast->topics.got, blast->topics.share, "blast");
}

/* Until all has been sent that is to be. */
static void send_all(struct blast *blast, struct run *run)
{
    run->count -= run->count % run->to->share;
    blast->sent = blast->arrived = blast->heard_ns = 0;
    run->started_ns = bench_now_ns();
    while (blast->sent < run->count) {
        send_some(blast, run);
        poll_once(blast, room_of(blast, run) > 0 ? 0 : run->per_s > 0 ? 1 : POLL_MS);
    }
}

static void await_all(struct blast *blast)
{
    while (blast->arrived < blast->sent || publishers_waiting(blast->publishers) > 0)
        poll_once(blast, POLL_MS);
    check(blast);
}

/* ---- what is measured */

struct account {
    uint64_t bridge_ns, redis_ns, generator_ns, wall_ns;
};

static struct account account_now(const struct blast *blast, const struct bench_options *options)
{
    return (struct account){proc_cpu_ns(blast->crowd.bridge_pid), proc_cpu_ns(options->redis_pid),
                            proc_cpu_ns(getpid()), bench_now_ns()};
}

static struct account account_since(const struct blast *blast, const struct bench_options *options,
                                    const struct account *before)
{
    struct account now = account_now(blast, options);

    return (struct account){now.bridge_ns - before->bridge_ns, now.redis_ns - before->redis_ns,
                            now.generator_ns - before->generator_ns, now.wall_ns - before->wall_ns};
}

static void measure_row(struct blast *blast, const struct bench_options *options, struct row *row,
                        double floor_ns)
{
    struct run run = {.to = row->to, .count = (uint64_t)options->operations, .window = row->window};
    struct account account = account_now(blast, options);

    send_all(blast, &run);
    await_all(blast);
    account = account_since(blast, options, &account);
    stats_add(&row->bridge_ns, (double)account.bridge_ns / (double)run.count);
    stats_add(&row->ratio, (double)account.bridge_ns / (double)run.count / floor_ns);
    stats_add(&row->redis_ns, (double)account.redis_ns / (double)run.count);
    stats_add(&row->generator_ns, (double)account.generator_ns / (double)run.count);
    stats_add(&row->per_s, (double)run.count / ((double)account.wall_ns / NS_PER_S));
}

static size_t probe_frame(struct blast *blast)
{
    struct run run = {.to = &blast->inboxes, .count = 100, .window = 1};
    uint64_t received = crowd_received_bytes(&blast->crowd);

    send_all(blast, &run);
    await_all(blast);
    return (size_t)((crowd_received_bytes(&blast->crowd) - received) / run.count);
}

/* Connections that Redis has ever had: nobody but the bridge opens any while it is measured. */
static uint64_t connections(struct blast *blast)
{
    return resp_info_number(&blast->crowd.redis, "stats", "total_connections_received:", 0);
}

static uint64_t reads(struct blast *blast)
{
    return resp_info_number(&blast->crowd.redis, "commandstats", "cmdstat_notify.since:calls=", 0);
}

/* ---- tables */

static void print_rows(const struct row *rows, size_t count, const struct stats *floor_ns,
                       size_t bytes)
{
    printf("\n%-38s %8s   %-15s %8s %8s %10s %12s\n", "CPU us per delivery", "median", "min - max",
           "x floor", "Redis", "generator", "deliveries/s");
    printf("%-38s %8.2f   %6.2f - %-6.2f %8.2f   frames of %zu bytes\n", "floor: loop of send()",
           stats_median(floor_ns) / 1000, stats_min(floor_ns) / 1000, stats_max(floor_ns) / 1000,
           1.0, bytes);
    for (const struct row *row = rows; row < rows + count; row++) {
        printf("%-38s %8.2f   %6.2f - %-6.2f %8.2f %8.2f %10.2f %12.0f\n", row->name,
               stats_median(&row->bridge_ns) / 1000, stats_min(&row->bridge_ns) / 1000,
               stats_max(&row->bridge_ns) / 1000, stats_median(&row->ratio),
               stats_median(&row->redis_ns) / 1000, stats_median(&row->generator_ns) / 1000,
               stats_median(&row->per_s));
        bench_figure(stats_median(&row->ratio), "%s, CPU per delivery, x floor", row->name);
    }
}

/* asked: deliveries per second. */
static void measure_too_much(struct blast *blast, const struct bench_options *options,
                             struct addressees *to, const char *name, double asked)
{
    struct run run = {.to = to,
                      .count = (uint64_t)(asked * (double)options->seconds),
                      .window = UINT64_MAX,
                      .per_s = asked};
    size_t before = proc_memory_of(blast->crowd.bridge_pid).private_dirty_bytes;
    uint64_t cuts = connections(blast), asks = reads(blast);
    struct account account = account_now(blast, options);

    blast->peak_bytes = before;
    send_all(blast, &run);
    double sent_s = (double)(bench_now_ns() - account.wall_ns) / NS_PER_S;
    uint64_t left = blast->sent - blast->arrived;
    await_all(blast);
    account = account_since(blast, options, &account);
    cuts = connections(blast) - cuts;
    asks = reads(blast) - asks;
    printf("\n%s: %.0f deliveries/s asked for, %.0f sent, for %.1f s\n", name, asked,
           (double)run.count / sent_s, sent_s);
    printf("  bridge CPU %.2f us per delivery; %" PRIu64
           " were still to come at the end, %.1f s after that they had\n",
           (double)account.bridge_ns / (double)run.count / 1000, left,
           (double)account.wall_ns / NS_PER_S - sent_s);
    printf("  links to Redis cut: %" PRIu64 " (goal 0: %s); reads from Redis: %" PRIu64
           "; memory of the bridge: at most %.1f MB more\n",
           cuts, cuts == 0 ? "met" : "missed", asks, (double)(blast->peak_bytes - before) / 1e6);
    bench_figure((double)cuts + 1, "%s: links cut, and 1", name);
    bench_figure((double)(blast->peak_bytes - before), "%s: memory, bytes", name);
}

static void blast_init(struct blast *blast, const struct bench_options *options)
{
    uint32_t clients = (uint32_t)options->clients;
    char *body = bench_alloc((size_t)options->body + 1);

    memset(body, 'x', (size_t)options->body);
    body[options->body] = '\0';
    memset(blast, 0, sizeof(*blast));
    crowd_init(&blast->crowd, clients, options->bridge_port, options->bridge_pid,
               options->redis_port);
    crowd_group(&blast->crowd, GROUP);
    blast->crowd.on_other = on_other;
    blast->crowd.on_other_ctx = blast;
    addressees_init(&blast->inboxes, "inbox:u", clients, 1, body);
    addressees_init(&blast->topics, "topic:g", clients / GROUP, GROUP, body);
    free(body);
    blast->publishers =
        publishers_new(options->redis_port, (uint32_t)options->publishers, on_id, blast);
    swarm_watch(blast->crowd.swarm, publishers_fd(blast->publishers), publishers_work,
                blast->publishers);
}

int main(int argc, char **argv)
{
    struct bench_options options = {.clients = 10000,
                                    .rounds = 5,
                                    .operations = 200000,
                                    .publishers = 50,
                                    .outstanding = 50000,
                                    .seconds = 30};
    static struct blast blast;
    struct stats floor_ns = {.count = 0};

    bench_parse(&options, argc, argv, description);
    if (options.clients % GROUP != 0)
        bench_die("-n must be a multiple of %d", GROUP);
    proc_need_descriptors((size_t)options.clients + 128);
    struct floor *floor =
        floor_new((uint32_t)options.clients, options.server_core, options.generator_core);
    proc_pin_self(options.generator_core);
    blast_init(&blast, &options);
    struct row rows[] = {
        {.name = "inboxes, few outstanding", .to = &blast.inboxes, .window = FEW},
        {.name = "inboxes, many outstanding",
         .to = &blast.inboxes,
         .window = (uint64_t)options.outstanding},
        {.name = "topics of ten, many outstanding",
         .to = &blast.topics,
         .window = (uint64_t)options.outstanding},
    };
    const size_t row_count = sizeof(rows) / sizeof(rows[0]);

    (void)crowd_connect(&blast.crowd);
    crowd_wait_following(&blast.crowd);
    size_t bytes = probe_frame(&blast);
    uint64_t cuts = connections(&blast);
    for (long round = 0; round < options.rounds; round++) {
        stats_add(&floor_ns, floor_run(floor, bytes, FLOOR_ROUNDS).send_ns);
        for (size_t i = 0; i < row_count; i++)
            measure_row(&blast, &options, &rows[i], floor_ns.values[floor_ns.count - 1]);
    }
    cuts = connections(&blast) - cuts;
    printf("blast: %ld clients, %ld rounds of %ld deliveries, at most %d or %ld on their way, over "
           "%ld connections;\n%s on core %d, generator and Redis on core %d\n",
           options.clients, options.rounds, options.operations, FEW, options.outstanding,
           options.publishers, bench_server(), options.server_core, options.generator_core);
    print_rows(rows, row_count, &floor_ns, bytes);
    printf("links cut meanwhile: %" PRIu64 "\n", cuts);
    if (!bench_is_peer())
        printf("goal with many outstanding: at most %.2f x floor: %s\n", GOAL_RATIO,
               stats_median(&rows[1].ratio) <= GOAL_RATIO ? "met" : "missed");
    if (options.seconds > 0) {
        measure_too_much(&blast, &options, &blast.inboxes,
                         "inboxes, twice what goes out one by one",
                         TIMES_TOO_MUCH * NS_PER_S / stats_median(&rows[0].bridge_ns));
        measure_too_much(&blast, &options, &blast.topics, "topics of ten, twice what was delivered",
                         TIMES_TOO_MUCH * stats_median(&rows[2].per_s));
    }
    printf("order: each delivery came exactly once, each key's in order\n");

    crowd_release(&blast.crowd);
    publishers_free(blast.publishers);
    addressees_release(&blast.inboxes);
    addressees_release(&blast.topics);
    floor_free(floor);
    return 0;
}
