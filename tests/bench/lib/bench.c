/* bench -- options, clock and giving up; see bench.h. */
#include "bench.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct bench_option {
    const char *name; /* of the long form */
    int letter;       /* short form as well, or a value beyond the letters for none */
    bool is_long;     /* the field is a long, otherwise an int */
    size_t at;
    long min, max;
    const char *help;
};

#define OPTION_AT(field) offsetof(struct bench_options, field)

static const struct bench_option option_table[] = {
    {"clients", 'n', true, OPTION_AT(clients), 1, 1000000, "connections, keys: see above"},
    {"rounds", 'r', true, OPTION_AT(rounds), 1, BENCH_ROUNDS_MAX, "how often it is all repeated"},
    {"operations", 'o', true, OPTION_AT(operations), 1, 100000000, "operations per round"},
    {"maxlen", 'l', true, OPTION_AT(maxlen), 1, 1000000, "entries kept per box"},
    {"publishers", 'p', true, OPTION_AT(publishers), 1, 1000, "connections that send"},
    {"outstanding", 'w', true, OPTION_AT(outstanding), 1, 100000000, "on their way at a time"},
    {"body", 'b', true, OPTION_AT(body), 0, 1000000, "bytes of content of what is sent"},
    {"seconds", 's', true, OPTION_AT(seconds), 0, 3600, "for what is measured by time"},
    {"redis-port", 256, false, OPTION_AT(redis_port), 1, 65535, "where Redis listens (127.0.0.1)"},
    {"redis-pid", 257, false, OPTION_AT(redis_pid), 1, 1 << 30, "its process"},
    {"bridge-port", 258, false, OPTION_AT(bridge_port), 1, 65535, "where the bridge listens"},
    {"bridge-pid", 259, false, OPTION_AT(bridge_pid), 1, 1 << 30, "its process"},
    {"replica-port", 262, false, OPTION_AT(replica_port), 1, 65535, "where its replica listens"},
    {"server-core", 260, false, OPTION_AT(server_core), 0, 1023, "core of what is measured"},
    {"generator-core", 261, false, OPTION_AT(generator_core), 0, 1023, "core of the generator"},
};
#define OPTION_COUNT (sizeof(option_table) / sizeof(option_table[0]))

static void print_usage(FILE *to, const char *program, const char *what)
{
    (void)fprintf(to, "usage: %s [options]\n%s\n\n", program, what);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct bench_option *option = &option_table[i];
        if (option->letter < 256)
            (void)fprintf(to, "  -%c, --%-16s %s\n", option->letter, option->name, option->help);
        else
            (void)fprintf(to, "      --%-16s %s\n", option->name, option->help);
    }
}

static void option_set(struct bench_options *options, const struct bench_option *option,
                       const char *text)
{
    char *end = NULL;

    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < option->min || value > option->max) {
        (void)fprintf(stderr, "--%s must be a number from %ld to %ld, not \"%s\"\n", option->name,
                      option->min, option->max, text);
        exit(2);
    }
    void *field = (char *)options + option->at;
    if (option->is_long)
        memcpy(field, &value, sizeof(value));
    else
        memcpy(field, &(int){(int)value}, sizeof(int));
}

void bench_parse(struct bench_options *options, int argc, char **argv, const char *what)
{
    struct option longs[OPTION_COUNT + 2] = {{NULL, 0, NULL, 0}};
    int letter;

    for (size_t i = 0; i < OPTION_COUNT; i++)
        longs[i] =
            (struct option){option_table[i].name, required_argument, NULL, option_table[i].letter};
    longs[OPTION_COUNT] = (struct option){"help", no_argument, NULL, 'h'};

    while ((letter = getopt_long(argc, argv, "n:r:o:l:p:w:b:s:h", longs, NULL)) != -1) {
        const struct bench_option *found = NULL;
        for (size_t i = 0; i < OPTION_COUNT; i++) {
            if (option_table[i].letter == letter)
                found = &option_table[i];
        }
        if (found == NULL) {
            print_usage(letter == 'h' ? stdout : stderr, argv[0], what);
            exit(letter == 'h' ? 0 : 2);
        }
        option_set(options, found, optarg);
    }
    if (optind < argc) {
        print_usage(stderr, argv[0], what);
        exit(2);
    }
    /* A long measurement is watched: each line is to be seen when it is written. */
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
}

void bench_die(const char *format, ...)
{
    va_list args;

    (void)fputs("failed: ", stderr);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    exit(1);
}

void bench_figure(double value, const char *format, ...)
{
    const char *path = getenv("NOTIFY_FIGURES");
    va_list args;

    if (path == NULL)
        return;
    FILE *file = fopen(path, "a");
    if (file == NULL)
        bench_die("%s: %s", path, strerror(errno));
    va_start(args, format);
    (void)vfprintf(file, format, args);
    va_end(args);
    (void)fprintf(file, "\t%.17g\n", value);
    if (fclose(file) != 0)
        bench_die("%s: %s", path, strerror(errno));
}

const char *bench_server(void)
{
    const char *name = getenv("NOTIFY_MEASURED");

    return name == NULL ? "bridge" : name;
}

bool bench_is_peer(void)
{
    return getenv("NOTIFY_MEASURED") != NULL;
}

uint64_t bench_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail on Linux */
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

void *bench_alloc(size_t bytes)
{
    return bench_realloc(NULL, bytes);
}

void *bench_realloc(void *old, size_t bytes)
{
    void *fresh = realloc(old, bytes == 0 ? 1 : bytes);

    if (fresh == NULL)
        bench_die("out of memory for %zu bytes", bytes);
    return fresh;
}

uint64_t bench_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}
