/* unread -- NOTIFY.UNREAD beside GET: reading a count that is kept, and reading one that somebody
 * has written into a string. */
#include <stdio.h>

#include "bench.h"
#include "pipeline.h"
#include "proc.h"

#define ENTRIES 5

static const char description[] = "Reads -o counts per round from -n boxes and from -n strings.";

static void build_fill_box(void *ctx, struct resp_text *text, uint32_t key)
{
    char name[32];

    (void)ctx;
    (void)snprintf(name, sizeof(name), "inbox:%06u", key);
    for (int i = 0; i < ENTRIES; i++)
        RESP_TEXT_ADD(text, "NOTIFY.SEND", name, "Build finished");
}

static void build_fill_string(void *ctx, struct resp_text *text, uint32_t key)
{
    char name[32];

    (void)ctx;
    (void)snprintf(name, sizeof(name), "count:%06u", key);
    /* Counted up as such a count is, so that its value is stored as it would be. */
    for (int i = 0; i < ENTRIES; i++)
        RESP_TEXT_ADD(text, "INCR", name);
}

static void build_unread(void *ctx, struct resp_text *text, uint32_t key)
{
    char name[32];

    (void)ctx;
    (void)snprintf(name, sizeof(name), "inbox:%06u", key);
    RESP_TEXT_ADD(text, "NOTIFY.UNREAD", name);
}

static void build_get(void *ctx, struct resp_text *text, uint32_t key)
{
    char name[32];

    (void)ctx;
    (void)snprintf(name, sizeof(name), "count:%06u", key);
    RESP_TEXT_ADD(text, "GET", name);
}

static void fill(struct pipeline *pipeline, uint32_t keys, pipeline_build_fn build)
{
    struct pipeline_load load;

    pipeline_load_init(&load, "", keys, ENTRIES, build, NULL);
    pipeline_run(pipeline, &load, keys);
    pipeline_load_release(&load);
}

int main(int argc, char **argv)
{
    struct bench_options options = {.clients = 10000, .rounds = 5, .operations = 400000};
    struct pipeline_load loads[2];
    const size_t load_count = sizeof(loads) / sizeof(loads[0]);
    struct pipeline pipeline;

    bench_parse(&options, argc, argv, description);
    proc_pin_self(options.generator_core);
    uint32_t keys = (uint32_t)options.clients;
    pipeline_open(&pipeline, options.redis_port, options.redis_pid, options.replica_port);
    fill(&pipeline, keys, build_fill_box);
    fill(&pipeline, keys, build_fill_string);
    pipeline_load_init(&loads[0], "NOTIFY.UNREAD", keys, 1, build_unread, NULL);
    pipeline_load_init(&loads[1], "GET", keys, 1, build_get, NULL);

    for (long round = 0; round < options.rounds; round++) {
        for (size_t i = 0; i < load_count; i++)
            pipeline_measure(&pipeline, &loads[i], (uint64_t)options.operations);
    }
    printf("unread: %u keys, boxes of %d entries, %d in a pipeline on each of %d connections, "
           "%ld rounds of %ld; Redis on core %d, generator on core %d\n",
           keys, ENTRIES, PIPELINE_DEPTH, PIPELINE_LINKS, options.rounds, options.operations,
           options.server_core, options.generator_core);
    pipeline_print(loads, load_count);
    bench_figure(stats_median(&loads[0].server_ns) / stats_median(&loads[1].server_ns),
                 "CPU per UNREAD, x GET");

    for (size_t i = 0; i < load_count; i++)
        pipeline_load_release(&loads[i]);
    pipeline_close(&pipeline);
    return 0;
}
