/* memory -- what a box costs in Redis beyond the text that it holds, beside a stream and a list.
 *
 * Counted is the growth of used_memory (without the buffers of clients) from an empty server to one
 * with the keys, all of it: the key's name and its place in the keyspace, headers, ids, slack of
 * the allocator. Taken off is only the text that was given (of a SEND its title and content; of the
 * others the one field of as many bytes), so field tags and lengths count as cost. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "pipeline.h"
#include "proc.h"

#define TITLE "Build finished"
#define TEXT_BYTES 200

#define IDLE_ENTRIES 5
#define IDLE_TARGET 10000000.0 /* users that the last table extrapolates to */
#define GB 1e9

static const char description[] =
    "Fills boxes, streams and lists of 1, 5 and 1000 entries; then -n "
    "of each with 5 entries.";

struct size {
    uint32_t entries;
    uint32_t keys;
};

static const struct size sizes[] = {{1, 10000}, {5, 10000}, {1000, 200}};

struct holder {
    const char *name;
    pipeline_build_fn build;
};

static void text_of(char out[TEXT_BYTES + 1], size_t len)
{
    memset(out, 'x', len);
    out[len] = '\0';
}

static void build_box(void *ctx, struct resp_text *text, uint32_t key)
{
    char name[32], content[TEXT_BYTES + 1];

    (void)ctx;
    text_of(content, TEXT_BYTES - strlen(TITLE));
    (void)snprintf(name, sizeof(name), "inbox:%06u", key);
    RESP_TEXT_ADD(text, "NOTIFY.SEND", name, TITLE, "CONTENT", content);
}

static void build_stream(void *ctx, struct resp_text *text, uint32_t key)
{
    char name[32], body[TEXT_BYTES + 1];

    (void)ctx;
    text_of(body, TEXT_BYTES);
    (void)snprintf(name, sizeof(name), "inbox:%06u", key);
    RESP_TEXT_ADD(text, "XADD", name, "*", "body", body);
}

static void build_list(void *ctx, struct resp_text *text, uint32_t key)
{
    char name[32], body[TEXT_BYTES + 1];

    (void)ctx;
    text_of(body, TEXT_BYTES);
    (void)snprintf(name, sizeof(name), "inbox:%06u", key);
    RESP_TEXT_ADD(text, "RPUSH", name, body);
}

static const struct holder holders[] = {
    {"box", build_box}, {"stream", build_stream}, {"list", build_list}};
#define HOLDERS (sizeof(holders) / sizeof(holders[0]))

/* Bytes beyond the text, per key. */
static double measure(struct pipeline *pipeline, struct resp *redis, const struct holder *holder,
                      const struct size *size)
{
    struct pipeline_load load;

    (void)RESP_CALL(redis, "FLUSHALL", "SYNC");
    uint64_t before = resp_settled_memory(redis);
    pipeline_load_init(&load, holder->name, size->keys, 1, holder->build, NULL);
    pipeline_run(pipeline, &load, (uint64_t)size->keys * size->entries);
    pipeline_load_release(&load);
    uint64_t after = resp_settled_memory(redis);
    return ((double)after - (double)before) / size->keys - (double)size->entries * TEXT_BYTES;
}

static void print_sizes(struct pipeline *pipeline, struct resp *redis)
{
    printf("memory: bytes of used_memory beyond the text (%d bytes an entry), key included\n",
           TEXT_BYTES);
    printf("%-8s %14s %14s %14s\n", "", "entries", "per key", "per entry");
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (size_t k = 0; k < HOLDERS; k++) {
            double bytes = measure(pipeline, redis, &holders[k], &sizes[i]);
            printf("%-8s %14" PRIu32 " %14.1f %14.1f\n", holders[k].name, sizes[i].entries, bytes,
                   bytes / sizes[i].entries);
            if (holders[k].build == build_box)
                bench_figure(bytes, "bytes beyond the text, box of %" PRIu32, sizes[i].entries);
        }
    }
}

/* Very many users who are all away: now their text counts, too. */
static void print_idle(struct pipeline *pipeline, struct resp *redis, uint32_t users)
{
    struct size size = {IDLE_ENTRIES, users};
    double text = IDLE_ENTRIES * TEXT_BYTES;

    printf("\n%" PRIu32 " users with %d entries each, and what %.0f of them would take\n", users,
           IDLE_ENTRIES, IDLE_TARGET);
    printf("%-8s %14s %14s %14s %16s\n", "", "bytes per user", "of it text", "GB",
           "GB without text");
    for (size_t k = 0; k < HOLDERS; k++) {
        double beyond = measure(pipeline, redis, &holders[k], &size);
        printf("%-8s %14.1f %14.1f %14.2f %16.2f\n", holders[k].name, beyond + text, text,
               (beyond + text) * IDLE_TARGET / GB, beyond * IDLE_TARGET / GB);
    }
}

int main(int argc, char **argv)
{
    struct bench_options options = {.clients = 200000, .rounds = 1};
    struct pipeline pipeline;
    struct resp redis;

    bench_parse(&options, argc, argv, description);
    proc_pin_self(options.generator_core);
    resp_open(&redis, options.redis_port);
    pipeline_open(&pipeline, options.redis_port, options.redis_pid, options.replica_port);
    /* What is allocated only once is there before the first reading. */
    (void)measure(&pipeline, &redis, &holders[0], &sizes[0]);
    print_sizes(&pipeline, &redis);
    print_idle(&pipeline, &redis, (uint32_t)options.clients);
    pipeline_close(&pipeline);
    resp_close(&redis);
    return 0;
}
