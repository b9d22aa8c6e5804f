/* send -- NOTIFY.SEND beside what one would build by hand: XADD, XADD and PUBLISH, and the usual
 * Lua script. All with the same 200 bytes of text, on as many keys, pipelined, in turns.
 *
 * The text of a SEND is its title and its content together. Nobody is subscribed, for none of
 * them: a PUBLISH costs what it costs to find that out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "pipeline.h"
#include "proc.h"

#define TEXT_BYTES 200
#define TITLE "Build finished"
#define TTL_S "2592000"

static const char description[] = "Sends -o notifications per round to -n boxes that keep -l "
                                  "entries, in each of the ways: first\n"
                                  "while the boxes grow, then when they are full.";

static const char script[] =
    "local id = redis.call('INCR', KEYS[1]) "
    "redis.call('XADD', KEYS[2], 'MAXLEN', '=', ARGV[2], '*', 'id', id, 'body', ARGV[1]) "
    "redis.call('EXPIRE', KEYS[2], ARGV[3]) "
    "redis.call('HINCRBY', KEYS[3], 'unread', 1) "
    "redis.call('PUBLISH', KEYS[2], ARGV[1]) "
    "return id";

struct words {
    char body[TEXT_BYTES + 1];
    char content[TEXT_BYTES + 1];
    char maxlen[24];
    char script_sha[64];
};

static void build_send(void *ctx, struct resp_text *text, uint32_t key)
{
    const struct words *words = ctx;
    char name[32];

    (void)snprintf(name, sizeof(name), "inbox:%06u", key);
    RESP_TEXT_ADD(text, "NOTIFY.SEND", name, TITLE, "CONTENT", words->content, "MAXLEN",
                  words->maxlen);
}

static void build_xadd(void *ctx, struct resp_text *text, uint32_t key)
{
    const struct words *words = ctx;
    char name[32];

    (void)snprintf(name, sizeof(name), "xadds:%06u", key);
    RESP_TEXT_ADD(text, "XADD", name, "MAXLEN", "=", words->maxlen, "*", "body", words->body);
}

static void build_xadd_publish(void *ctx, struct resp_text *text, uint32_t key)
{
    const struct words *words = ctx;
    char name[32];

    (void)snprintf(name, sizeof(name), "xpubs:%06u", key);
    RESP_TEXT_ADD(text, "XADD", name, "MAXLEN", "=", words->maxlen, "*", "body", words->body);
    RESP_TEXT_ADD(text, "PUBLISH", name, words->body);
}

static void build_script(void *ctx, struct resp_text *text, uint32_t key)
{
    const struct words *words = ctx;
    char counter[32], stream[32], hash[32];

    (void)snprintf(counter, sizeof(counter), "count:%06u", key);
    (void)snprintf(stream, sizeof(stream), "lualg:%06u", key);
    (void)snprintf(hash, sizeof(hash), "state:%06u", key);
    RESP_TEXT_ADD(text, "EVALSHA", words->script_sha, "3", counter, stream, hash, words->body,
                  words->maxlen, TTL_S);
}

static void prepare_words(struct words *words, struct resp *redis, long maxlen)
{
    struct notify_str sha = RESP_CALL(redis, "SCRIPT", "LOAD", script);

    (void)snprintf(words->script_sha, sizeof(words->script_sha), "%.*s", (int)sha.len, sha.ptr);
    (void)snprintf(words->maxlen, sizeof(words->maxlen), "%ld", maxlen);
    memset(words->body, 'x', TEXT_BYTES);
    words->body[TEXT_BYTES] = '\0';
    (void)snprintf(words->content, sizeof(words->content), "%s", words->body + strlen(TITLE));
}

/* All ways went over the same keys equally often: they must have left equally much. */
static void check_lengths(struct resp *redis)
{
    static const char *const streams[] = {"xadds:000000", "xpubs:000000", "lualg:000000"};
    struct notify_str reply = RESP_CALL(redis, "NOTIFY.LEN", "inbox:000000");
    long length = strtol(reply.ptr, NULL, 10);

    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        reply = RESP_CALL(redis, "XLEN", streams[i]);
        if (strtol(reply.ptr, NULL, 10) != length)
            bench_die("inbox:000000 has %ld entries, %s has %.*s", length, streams[i],
                      (int)reply.len, reply.ptr);
    }
    printf("a box at the end: %ld entries, as many as a stream\n", length);
}

#define LOAD_COUNT 4

/* Each begins a round as often as the others, and rounds are short: what comes after what makes a
 * difference, and so does what else the machine does for seconds at a time. */
static void measure(struct pipeline *pipeline, struct pipeline_load *loads,
                    const struct bench_options *options, const char *title)
{
    for (size_t i = 0; i < LOAD_COUNT; i++)
        pipeline_load_forget(&loads[i]);
    for (long round = 0; round < options->rounds; round++) {
        for (size_t i = 0; i < LOAD_COUNT; i++) {
            size_t next = ((size_t)round + i) % LOAD_COUNT;
            pipeline_measure(pipeline, &loads[next], (uint64_t)options->operations);
        }
    }
    printf("\n%s\n", title);
    pipeline_print(loads, LOAD_COUNT);
    bench_figure(stats_median(&loads[0].server_ns) / stats_median(&loads[1].server_ns),
                 "CPU per SEND, x XADD, %s", title);
}

/* What is still missing until every box is full. */
static void fill_up(struct pipeline *pipeline, struct pipeline_load *loads,
                    const struct bench_options *options)
{
    uint64_t done = (uint64_t)options->rounds * (uint64_t)options->operations;
    uint64_t wanted = (uint64_t)options->clients * (uint64_t)options->maxlen;

    for (size_t i = 0; i < LOAD_COUNT && done < wanted; i++)
        pipeline_run(pipeline, &loads[i], wanted - done);
}

int main(int argc, char **argv)
{
    struct bench_options options = {
        .clients = 10000, .rounds = 40, .operations = 25000, .maxlen = 100};
    struct pipeline_load loads[LOAD_COUNT];
    struct pipeline pipeline;
    struct resp redis;
    struct words words;

    bench_parse(&options, argc, argv, description);
    proc_pin_self(options.generator_core);
    resp_open(&redis, options.redis_port);
    prepare_words(&words, &redis, options.maxlen);
    uint32_t keys = (uint32_t)options.clients;
    pipeline_load_init(&loads[0], "NOTIFY.SEND", keys, 1, build_send, &words);
    pipeline_load_init(&loads[1], "XADD", keys, 1, build_xadd, &words);
    pipeline_load_init(&loads[2], "XADD + PUBLISH", keys, 2, build_xadd_publish, &words);
    pipeline_load_init(&loads[3], "Lua script", keys, 1, build_script, &words);
    pipeline_open(&pipeline, options.redis_port, options.redis_pid, options.replica_port);

    printf("send: %d bytes of text, %u keys, MAXLEN = %ld, %d in a pipeline on each of %d "
           "connections, %ld rounds of %ld; Redis on core %d, generator on core %d\n",
           TEXT_BYTES, keys, options.maxlen, PIPELINE_DEPTH, PIPELINE_LINKS, options.rounds,
           options.operations, options.server_core, options.generator_core);
    measure(&pipeline, loads, &options, "boxes that grow from nothing");
    fill_up(&pipeline, loads, &options);
    measure(&pipeline, loads, &options, "boxes that are full: each operation also trims");
    check_lengths(&redis);

    for (size_t i = 0; i < LOAD_COUNT; i++)
        pipeline_load_release(&loads[i]);
    pipeline_close(&pipeline);
    resp_close(&redis);
    return 0;
}
