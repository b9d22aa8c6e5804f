/* pipeline -- drives Redis with commands that were built beforehand, over a few connections with a
 * fixed number of operations on their way on each, so that the server never waits for the
 * generator. */
#ifndef PIPELINE_H
#define PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "resp.h"
#include "stats.h"

#define PIPELINE_DEPTH 32 /* operations on their way per connection */
#define PIPELINE_LINKS 8  /* connections */

/* One kind of operation on each of many keys. */
struct pipeline_load {
    const char *name;
    struct resp_text commands; /* owned: one operation per key, one after the other */
    size_t *starts; /* owned: where the operation on each key begins; one more: the end */
    uint32_t keys;
    uint32_t replies;                                 /* per operation */
    uint32_t at;                                      /* the key that is next */
    struct stats per_second, server_ns, generator_ns; /* one of each per pipeline_measure() */
    struct stats replicated; /* bytes of replication per operation; none without a replica */
};

/* Appends one operation on key number `key` to text. */
typedef void (*pipeline_build_fn)(void *ctx, struct resp_text *text, uint32_t key);

/* Builds the operations, the keys in an order that looks random and is the same for every load. */
void pipeline_load_init(struct pipeline_load *load, const char *name, uint32_t keys,
                        uint32_t replies, pipeline_build_fn build, void *ctx);
void pipeline_load_release(struct pipeline_load *load);

struct pipeline {
    struct resp links[PIPELINE_LINKS];
    struct resp replica; /* if has_replica */
    pid_t server_pid;
    bool has_replica;
};

/* replica_port: 0: there is none. With one, each measurement begins when it has all that came
 * before. */
void pipeline_open(struct pipeline *pipeline, int port, pid_t server_pid, int replica_port);
void pipeline_close(struct pipeline *pipeline);

/* Runs that many operations, going on with the key after the last one. An error reply ends the
 * program. */
void pipeline_run(struct pipeline *pipeline, struct pipeline_load *load, uint64_t operations);
/* The same, and adds what it took to the load's figures. */
void pipeline_measure(struct pipeline *pipeline, struct pipeline_load *load, uint64_t operations);

/* Forgets the figures, not the position. */
void pipeline_load_forget(struct pipeline_load *load);

/* The table: each load beside the first one. */
void pipeline_print(const struct pipeline_load *loads, size_t count);

#endif
