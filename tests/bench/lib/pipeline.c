/* pipeline -- pre-built commands at full speed; see pipeline.h. */
#include "pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"
#include "proc.h"

/* Fisher and Yates. */
static void shuffle(uint32_t *keys, uint32_t count)
{
    uint64_t chance = 1;

    for (uint32_t i = 0; i < count; i++)
        keys[i] = i;
    for (uint32_t i = count; i > 1; i--) {
        uint32_t other = (uint32_t)(bench_random(&chance) % i);
        uint32_t swapped = keys[i - 1];
        keys[i - 1] = keys[other];
        keys[other] = swapped;
    }
}

void pipeline_load_init(struct pipeline_load *load, const char *name, uint32_t keys,
                        uint32_t replies, pipeline_build_fn build, void *ctx)
{
    uint32_t *order = bench_alloc(keys * sizeof(*order));

    *load = (struct pipeline_load){.name = name, .keys = keys, .replies = replies};
    load->starts = bench_alloc((keys + (size_t)1) * sizeof(*load->starts));
    shuffle(order, keys);
    for (uint32_t i = 0; i < keys; i++) {
        load->starts[i] = load->commands.len;
        build(ctx, &load->commands, order[i]);
    }
    load->starts[keys] = load->commands.len;
    free(order);
}

void pipeline_load_release(struct pipeline_load *load)
{
    resp_text_release(&load->commands);
    free(load->starts);
    *load = (struct pipeline_load){.name = NULL};
}

void pipeline_open(struct pipeline *pipeline, int port, pid_t server_pid, int replica_port)
{
    pipeline->server_pid = server_pid;
    pipeline->has_replica = replica_port != 0;
    for (size_t i = 0; i < PIPELINE_LINKS; i++)
        resp_open(&pipeline->links[i], port);
    if (pipeline->has_replica)
        resp_open(&pipeline->replica, replica_port);
}

void pipeline_close(struct pipeline *pipeline)
{
    for (size_t i = 0; i < PIPELINE_LINKS; i++)
        resp_close(&pipeline->links[i]);
    if (pipeline->has_replica)
        resp_close(&pipeline->replica);
}

/* How much has been replicated, once the replica has it all. */
static uint64_t wait_replica(struct pipeline *pipeline)
{
    uint64_t wanted, has;

    do {
        wanted =
            resp_info_number(&pipeline->links[0], "replication", "master_repl_offset:", UINT64_MAX);
        has = resp_info_number(&pipeline->replica, "replication", "slave_repl_offset:", 0);
    } while (has < wanted);
    return wanted;
}

/* Sends up to PIPELINE_DEPTH operations, not beyond the last key; returns how many. */
static uint32_t send_batch(struct resp *link, struct pipeline_load *load, uint64_t left)
{
    uint32_t batch = left < PIPELINE_DEPTH ? (uint32_t)left : PIPELINE_DEPTH;

    if (batch > load->keys - load->at)
        batch = load->keys - load->at;
    size_t from = load->starts[load->at], to = load->starts[load->at + batch];
    resp_send(link, load->commands.ptr + from, to - from);
    load->at = load->at + batch == load->keys ? 0 : load->at + batch;
    return batch;
}

void pipeline_run(struct pipeline *pipeline, struct pipeline_load *load, uint64_t operations)
{
    uint32_t waiting[PIPELINE_LINKS] = {0};
    uint64_t done = 0, sent = 0;

    for (size_t i = 0; done < operations; i = (i + 1) % PIPELINE_LINKS) {
        resp_expect(&pipeline->links[i], (size_t)waiting[i] * load->replies);
        done += waiting[i];
        waiting[i] =
            sent < operations ? send_batch(&pipeline->links[i], load, operations - sent) : 0;
        sent += waiting[i];
    }
}

void pipeline_measure(struct pipeline *pipeline, struct pipeline_load *load, uint64_t operations)
{
    uint64_t replicated = pipeline->has_replica ? wait_replica(pipeline) : 0;
    uint64_t server = proc_cpu_ns(pipeline->server_pid), generator = proc_cpu_ns(getpid());
    uint64_t wall = bench_now_ns();

    pipeline_run(pipeline, load, operations);
    wall = bench_now_ns() - wall;
    server = proc_cpu_ns(pipeline->server_pid) - server;
    generator = proc_cpu_ns(getpid()) - generator;
    stats_add(&load->per_second, (double)operations / ((double)wall / 1e9));
    stats_add(&load->server_ns, (double)server / (double)operations);
    stats_add(&load->generator_ns, (double)generator / (double)operations);
    if (pipeline->has_replica)
        stats_add(&load->replicated,
                  (double)(wait_replica(pipeline) - replicated) / (double)operations);
}

void pipeline_load_forget(struct pipeline_load *load)
{
    load->per_second.count = 0;
    load->server_ns.count = 0;
    load->generator_ns.count = 0;
    load->replicated.count = 0;
}

static void print_replicated(const struct pipeline_load *loads, size_t count)
{
    double first = loads[0].replicated.count == 0 ? 0 : stats_median(&loads[0].replicated);

    for (size_t i = 0; i < count && first > 0; i++) {
        double bytes = stats_median(&loads[i].replicated);
        printf("%-26s %10.0f bytes of replication per operation", loads[i].name, bytes);
        if (i > 0)
            printf("   first row: %.2f x", first / bytes);
        printf("\n");
    }
}

void pipeline_print(const struct pipeline_load *loads, size_t count)
{
    double first_rate = stats_median(&loads[0].per_second);
    double first_cpu = stats_median(&loads[0].server_ns);

    printf("%-26s %10s   %-19s %12s %12s %12s\n", "", "ops/s", "min - max", "server us/op",
           "generator us", "");
    for (size_t i = 0; i < count; i++) {
        const struct pipeline_load *load = &loads[i];
        printf("%-26s %10.0f %9.0f - %-9.0f %12.2f %12.2f", load->name,
               stats_median(&load->per_second), stats_min(&load->per_second),
               stats_max(&load->per_second), stats_median(&load->server_ns) / 1000,
               stats_median(&load->generator_ns) / 1000);
        if (i > 0)
            printf("   first row: %.2f x its ops/s, %.2f x its CPU",
                   first_rate / stats_median(&load->per_second),
                   first_cpu / stats_median(&load->server_ns));
        printf("\n");
    }
    print_replicated(loads, count);
}
