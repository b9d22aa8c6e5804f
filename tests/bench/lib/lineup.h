/* lineup -- the servers that a program measures beside each other, each with a camp before it.
 *
 * tests/bench/run starts them and names them in NOTIFY_SERVERS, the one first that the others stand
 * beside. */
#ifndef LINEUP_H
#define LINEUP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "bench.h"
#include "camp.h"

#define LINEUP_MAX 4

struct lineup_server {
    const char *name; /* for people */
    pid_t pid, redis_pid;
    struct camp *camp; /* owned */
};

struct lineup {
    struct lineup_server servers[LINEUP_MAX];
    size_t count;
};

/* commands: see camp_new(). Without a server the program ends. */
void lineup_init(struct lineup *lineup, const struct bench_options *options,
                 const struct resp_text *commands);
void lineup_release(struct lineup *lineup);

#endif
