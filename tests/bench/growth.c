/* growth -- whether a SEND and an UNREAD cost the same with a thousand boxes and with a million.
 *
 * With more keys than the processor's caches hold, every command waits for memory, whatever it is:
 * so XADD, GET and with them the keyspace of the server itself are measured on as many keys, in
 * turns. Boxes and streams are full all the time: each SEND and XADD also trims. (A stream only
 * marks what it trims, until a whole node has gone: on few keys, where that happens, XADD costs
 * more.) */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "pipeline.h"
#include "proc.h"

#define MAXLEN "5"
#define TITLE "Build finished"

static const char description[] =
    "Runs -o operations per round on 1,000, 10,000, … and at last -n boxes of 5 short entries, and "
    "on as\nmany streams and strings.";

static const uint32_t key_counts[] = {1000, 10000, 100000, 1000000};

static void build_send(void *ctx, struct resp_text *text, uint32_t key)
{
    char name[32];

    (void)ctx;
    (void)snprintf(name, sizeof(name), "inbox:%07u", key);
    RESP_TEXT_ADD(text, "NOTIFY.SEND", name, TITLE, "MAXLEN", MAXLEN);
}

static void build_xadd(void *ctx, struct resp_text *text, uint32_t key)
{
    char name[32];

    (void)ctx;
    (void)snprintf(name, sizeof(name), "xadds:%07u", key);
    RESP_TEXT_ADD(text, "XADD", name, "MAXLEN", "=", MAXLEN, "*", "title", TITLE);
}

static void build_unread(void *ctx, struct resp_text *text, uint32_t key)
{
    char name[32];

    (void)ctx;
    (void)snprintf(name, sizeof(name), "inbox:%07u", key);
    RESP_TEXT_ADD(text, "NOTIFY.UNREAD", name);
}

static void build_get(void *ctx, struct resp_text *text, uint32_t key)
{
    char name[32];

    (void)ctx;
    (void)snprintf(name, sizeof(name), "count:%07u", key);
    RESP_TEXT_ADD(text, "GET", name);
}

static void build_incr(void *ctx, struct resp_text *text, uint32_t key)
{
    char name[32];

    (void)ctx;
    (void)snprintf(name, sizeof(name), "count:%07u", key);
    RESP_TEXT_ADD(text, "INCR", name);
}

static const struct {
    const char *name;
    pipeline_build_fn build;
    pipeline_build_fn fill;
    uint32_t fills; /* operations on each key beforehand */
} kinds[] = {
    {"NOTIFY.SEND", build_send, build_send, 5},
    {"XADD", build_xadd, build_xadd, 5},
    {"NOTIFY.UNREAD", build_unread, NULL, 0}, /* the boxes of the first */
    {"GET", build_get, build_incr, 5},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void fill_keys(struct pipeline *pipeline, uint32_t keys)
{
    for (size_t i = 0; i < KINDS; i++) {
        struct pipeline_load load;
        if (kinds[i].fill == NULL)
            continue;
        pipeline_load_init(&load, kinds[i].name, keys, 1, kinds[i].fill, NULL);
        pipeline_run(pipeline, &load, (uint64_t)keys * kinds[i].fills);
        pipeline_load_release(&load);
    }
}

static void print_row(const struct pipeline_load *loads, uint32_t keys)
{
    double us[KINDS];

    for (size_t i = 0; i < KINDS; i++)
        us[i] = stats_median(&loads[i].server_ns) / 1000;
    printf("%-10u %10.2f %10.2f %10.2f %10.2f %10.2f %10.2f\n", keys, us[0], us[1], us[0] / us[1],
           us[2], us[3], us[2] / us[3]);
    bench_figure(us[0] / us[1], "CPU per SEND, x XADD, %u keys", keys);
    bench_figure(us[2] / us[3], "CPU per UNREAD, x GET, %u keys", keys);
}

static void measure(struct pipeline *pipeline, struct resp *redis,
                    const struct bench_options *options, uint32_t keys)
{
    struct pipeline_load loads[KINDS];

    (void)RESP_CALL(redis, "FLUSHALL", "SYNC");
    fill_keys(pipeline, keys);
    (void)resp_settled_memory(redis); /* the server's table has its final size */
    for (size_t i = 0; i < KINDS; i++)
        pipeline_load_init(&loads[i], kinds[i].name, keys, 1, kinds[i].build, NULL);
    for (long round = 0; round < options->rounds; round++)
        for (size_t i = 0; i < KINDS; i++)
            pipeline_measure(pipeline, &loads[i], (uint64_t)options->operations);
    print_row(loads, keys);
    for (size_t i = 0; i < KINDS; i++)
        pipeline_load_release(&loads[i]);
}

int main(int argc, char **argv)
{
    struct bench_options options = {.clients = 1000000, .rounds = 5, .operations = 200000};
    struct pipeline pipeline;
    struct resp redis;

    bench_parse(&options, argc, argv, description);
    proc_pin_self(options.generator_core);
    resp_open(&redis, options.redis_port);
    pipeline_open(&pipeline, options.redis_port, options.redis_pid, options.replica_port);
    printf("growth: microseconds of Redis CPU per operation, medians of %ld rounds of %ld\n",
           options.rounds, options.operations);
    printf("%-10s %10s %10s %10s %10s %10s %10s\n", "keys", "SEND", "XADD", "ratio", "UNREAD",
           "GET", "ratio");
    for (size_t i = 0; i < sizeof(key_counts) / sizeof(key_counts[0]); i++)
        if (key_counts[i] < (uint32_t)options.clients)
            measure(&pipeline, &redis, &options, key_counts[i]);
    measure(&pipeline, &redis, &options, (uint32_t)options.clients);
    pipeline_close(&pipeline);
    resp_close(&redis);
    return 0;
}
