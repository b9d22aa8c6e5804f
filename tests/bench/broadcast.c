/* broadcast -- one entry for everybody: stored once and followed, beside a copy in each inbox.
 *
 * What is compared is what a system does for one message to -n users: one SEND to a log that all
 * inboxes follow, or one SEND to each inbox. Reading pays for the first way, so the counts are
 * measured with and without the log. Before anything is measured, and after, the count of every
 * inbox is compared with what it must be. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "pipeline.h"
#include "proc.h"

#define LOG "topic:all"
#define TITLE "Build finished"
#define TEXT_BYTES 200
#define LOG_OPERATIONS 1024 /* built beforehand: with fewer nothing would be pipelined */

static const char description[] =
    "Lets -n inboxes follow a log that keeps -l entries, and measures "
    "-o operations per round.";

/* Filled in by main: TITLE and this are TEXT_BYTES. */
static char content[TEXT_BYTES + 1];

static void name_inbox(char name[32], uint32_t key)
{
    (void)snprintf(name, 32, "inbox:%06u", key);
}

static void build_follow(void *ctx, struct resp_text *text, uint32_t key)
{
    char name[32];

    (void)ctx;
    name_inbox(name, key);
    RESP_TEXT_ADD(text, "NOTIFY.FOLLOW", name, LOG);
}

static void build_log_send(void *ctx, struct resp_text *text, uint32_t key)
{
    (void)key;
    RESP_TEXT_ADD(text, "NOTIFY.SEND", LOG, TITLE, "CONTENT", content, "MAXLEN", ctx);
}

static void build_inbox_send(void *ctx, struct resp_text *text, uint32_t key)
{
    char name[32];

    name_inbox(name, key);
    RESP_TEXT_ADD(text, "NOTIFY.SEND", name, TITLE, "CONTENT", content, "MAXLEN", ctx);
}

static void build_unread(void *ctx, struct resp_text *text, uint32_t key)
{
    char name[32];

    (void)ctx;
    name_inbox(name, key);
    RESP_TEXT_ADD(text, "NOTIFY.UNREAD", name);
}

static void build_unread_logs(void *ctx, struct resp_text *text, uint32_t key)
{
    char name[32];

    (void)ctx;
    name_inbox(name, key);
    RESP_TEXT_ADD(text, "NOTIFY.UNREAD", name, "LOGS", "1", LOG);
}

static void build_badge_logs(void *ctx, struct resp_text *text, uint32_t key)
{
    char name[32];

    (void)ctx;
    name_inbox(name, key);
    RESP_TEXT_ADD(text, "NOTIFY.BADGE", name, "LOGS", "1", LOG);
}

static void build_readall(void *ctx, struct resp_text *text, uint32_t key)
{
    char name[32];

    (void)ctx;
    name_inbox(name, key);
    RESP_TEXT_ADD(text, "NOTIFY.READALL", name, "LOG", LOG);
}

static void run_once(struct pipeline *pipeline, uint32_t keys, pipeline_build_fn build)
{
    struct pipeline_load load;

    pipeline_load_init(&load, "", keys, 1, build, NULL);
    pipeline_run(pipeline, &load, keys);
    pipeline_load_release(&load);
}

/* Ends the program unless each inbox has that many unread in the log. */
static void check_counts(struct resp *redis, uint32_t inboxes, long wanted)
{
    struct resp_text text = {0};

    for (uint32_t i = 0; i < inboxes; i++) {
        resp_text_clear(&text);
        build_unread_logs(NULL, &text, i);
        resp_send(redis, text.ptr, text.len);
        struct notify_str reply = resp_reply_text(resp_next(redis));
        if (strtol(reply.ptr, NULL, 10) != wanted)
            bench_die("inbox:%06u has %.*s unread, not %ld", i, (int)reply.len, reply.ptr, wanted);
    }
    resp_text_release(&text);
}

static double follow(struct pipeline *pipeline, struct resp *redis, uint32_t inboxes)
{
    (void)RESP_CALL(redis, "NOTIFY.SEND", LOG, "before anybody followed");
    uint64_t before = resp_settled_memory(redis);
    run_once(pipeline, inboxes, build_follow);
    check_counts(redis, inboxes, 0);
    return (double)(resp_settled_memory(redis) - before) / inboxes;
}

/* Microseconds of Redis CPU per operation: the median over the rounds. */
static double measure(struct pipeline *pipeline, const struct bench_options *options, uint32_t keys,
                      pipeline_build_fn build, void *ctx)
{
    struct pipeline_load load;

    pipeline_load_init(&load, "", keys, 1, build, ctx);
    for (long round = 0; round < options->rounds; round++)
        pipeline_measure(pipeline, &load, (uint64_t)options->operations);
    double us = stats_median(&load.server_ns) / 1000;
    pipeline_load_release(&load);
    return us;
}

static void print_us(const char *what, double us)
{
    printf("%-58s %10.2f us\n", what, us);
    bench_figure(us, "%s, us", what);
}

static void measure_all(struct pipeline *pipeline, struct resp *redis,
                        const struct bench_options *options)
{
    uint32_t inboxes = (uint32_t)options->clients;
    char maxlen[24];

    (void)snprintf(maxlen, sizeof(maxlen), "%ld", options->maxlen);
    print_us("one SEND to the log: everybody has it",
             measure(pipeline, options, LOG_OPERATIONS, build_log_send, maxlen));
    check_counts(redis, inboxes, options->maxlen); /* more were sent than are kept */
    print_us("UNREAD", measure(pipeline, options, inboxes, build_unread, NULL));
    print_us("UNREAD with LOGS, nothing read",
             measure(pipeline, options, inboxes, build_unread_logs, NULL));
    print_us("BADGE with LOGS, nothing read",
             measure(pipeline, options, inboxes, build_badge_logs, NULL));
    run_once(pipeline, inboxes, build_readall);
    check_counts(redis, inboxes, 0);
    print_us("UNREAD with LOGS, everything read",
             measure(pipeline, options, inboxes, build_unread_logs, NULL));
    double copy = measure(pipeline, options, inboxes, build_inbox_send, maxlen);
    printf("%-58s %10.0f us\n", "a copy in each inbox instead: one SEND times inboxes",
           copy * inboxes);
}

int main(int argc, char **argv)
{
    struct bench_options options = {
        .clients = 100000, .rounds = 5, .operations = 100000, .maxlen = 1000};
    struct pipeline pipeline;
    struct resp redis;

    bench_parse(&options, argc, argv, description);
    if (options.operations * options.rounds < options.maxlen)
        bench_die("-o times -r must be at least -l: the log is to be full");
    proc_pin_self(options.generator_core);
    memset(content, 'x', TEXT_BYTES - strlen(TITLE));
    resp_open(&redis, options.redis_port);
    pipeline_open(&pipeline, options.redis_port, options.redis_pid, options.replica_port);
    printf("broadcast: %ld inboxes follow a log of up to %ld entries; Redis CPU per operation, "
           "medians of %ld rounds of %ld\n",
           options.clients, options.maxlen, options.rounds, options.operations);
    double bytes = follow(&pipeline, &redis, (uint32_t)options.clients);
    measure_all(&pipeline, &redis, &options);
    printf("%-58s %10.0f bytes\n", "memory of an inbox that only follows, key included", bytes);
    bench_figure(bytes, "bytes of an inbox that only follows");
    pipeline_close(&pipeline);
    resp_close(&redis);
    return 0;
}
