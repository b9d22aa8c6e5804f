/* random_testing -- for tests that act at random: numbers that are the same in each run, what is
 * done with them, and settings from the environment. Header only; each test program is one
 * translation unit. */
#ifndef RANDOM_TESTING_H
#define RANDOM_TESTING_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t random_testing_state = 1;
static bool random_testing_traces;

/* ---- numbers ---- */

static inline void random_begin(uint64_t seed)
{
    random_testing_state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

static inline uint64_t below(uint64_t n)
{
    random_testing_state ^= random_testing_state << 13;
    random_testing_state ^= random_testing_state >> 7;
    random_testing_state ^= random_testing_state << 17;
    return (random_testing_state >> 11) % n;
}

static inline bool chance(unsigned percent)
{
    return below(100) < percent;
}

/* ---- what is done with them ---- */

struct model; /* what it is, each test says */

struct random_operation {
    void (*run)(struct model *m);
    unsigned percent;
};

/* The percents make 100. */
static inline void random_operation_run(const struct random_operation *operations, struct model *m)
{
    uint64_t pick = below(100);

    while (pick >= operations->percent)
        pick -= operations++->percent;
    operations->run(m);
}

/* Spoils up to max places of bytes[len]; the length afterwards. */
static inline size_t random_spoil(char *bytes, size_t len, unsigned max)
{
    for (uint64_t edits = 1 + below(max); edits > 0 && len > 1; edits--) {
        size_t at = below(len);
        switch (below(4)) {
        case 0:
            bytes[at] = (char)(bytes[at] ^ (1 << below(8)));
            break;
        case 1:
            bytes[at] = (char)below(256);
            break;
        case 2:
            memmove(bytes + at, bytes + at + 1, --len - at);
            break;
        default:
            bytes[at] = bytes[below(len)];
            break;
        }
    }
    return len;
}

/* ---- from the environment ---- */

static inline uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

/* Plays as many scenarios as the variable `many` says, beginning with the number that the variable
 * `one` gives. Without `many` that one alone is played, and trace() prints what happens in it. */
static inline void random_scenarios_play(void (*play)(uint64_t seed), const char *one,
                                         const char *many, uint64_t otherwise)
{
    uint64_t seed = setting(one, 0), end;

    random_testing_traces = getenv(one) != NULL && getenv(many) == NULL;
    end = seed + (random_testing_traces ? 1 : setting(many, otherwise));
    for (; seed < end; seed++)
        play(seed);
}

static inline void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

static inline void trace(const char *format, ...)
{
    va_list args;

    if (!random_testing_traces)
        return;
    va_start(args, format);
    (void)vfprintf(stderr, format, args); /* only for people */
    va_end(args);
    fputc('\n', stderr);
}

#endif
