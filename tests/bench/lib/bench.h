/* bench -- what every measuring program shares: its options, its clock, and how it gives up.
 *
 * A measuring program is told by tests/bench/run where the servers are; it starts none itself. It
 * prints its table to standard output and ends with 0, or says on standard error what failed and
 * ends with 1: a figure that could not be measured, or that belongs to a run in which a message was
 * lost, is never printed as if it were one. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define BENCH_ROUNDS_MAX 99

struct bench_options {
    int redis_port;
    pid_t redis_pid;
    int bridge_port;    /* 0: this program needs no bridge */
    pid_t bridge_pid;   /* 0: likewise */
    int replica_port;   /* 0: Redis has no replica */
    int server_core;    /* core of the program that is measured */
    int generator_core; /* core of this program and of what else there is */
    long clients;       /* -n */
    long rounds;        /* -r */
    long operations;    /* -o: how many per round; the program says of what */
    long maxlen;        /* -l: entries kept per box */
    long publishers;    /* -p: connections that send */
    long outstanding;   /* -w: what is on its way at a time */
    long body;          /* -b: bytes of content of what is sent */
    long seconds;       /* -s: how long what is measured by time takes */
};

/* Reads the command line over the defaults that *options holds on entry. --help and wrong usage end
 * the program (0 and 2). */
void bench_parse(struct bench_options *options, int argc, char **argv, const char *what);

/* Says what failed, as printf, and ends the program with 1. */
_Noreturn void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One of the figures by which versions are compared (./dev bench --against): less is better. Its
 * name is made as by printf. They are written, one a line, to the file that NOTIFY_FIGURES names,
 * if it does.
 */
void bench_figure(double value, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What is measured, for tables: "bridge", or the peer that NOTIFY_MEASURED names, which stands in
 * its place (its port and process are given as the bridge's), and for which there are no goals. */
const char *bench_server(void);
bool bench_is_peer(void);

/* Monotonic clock in nanoseconds. */
uint64_t bench_now_ns(void);

/* malloc and realloc that give up instead of returning NULL. */
void *bench_alloc(size_t bytes);
void *bench_realloc(void *old, size_t bytes);

/* A stand-in for chance that is the same in every run (splitmix64). */
uint64_t bench_random(uint64_t *state);

#endif
