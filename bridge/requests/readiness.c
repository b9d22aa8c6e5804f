#include "requests/readiness.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/counters.h"
#include "base/loop.h"

/* Six times as long as it takes a worker to say that it is there. */
#define STUCK_MS 3000

static bool is_gone(const uint64_t *row, uint64_t silent_ms)
{
    (void)row;
    return silent_ms == UINT64_MAX;
}

static bool is_stuck(const uint64_t *row, uint64_t silent_ms)
{
    (void)row;
    return counters_rows() > 1 && silent_ms >= STUCK_MS;
}

static bool is_leaving(const uint64_t *row, uint64_t silent_ms)
{
    (void)silent_ms;
    return row[COUNTER_LEAVING] != 0;
}

static bool lacks_subscriber(const uint64_t *row, uint64_t silent_ms)
{
    (void)silent_ms;
    return row[COUNTER_SUBSCRIBER_UP] == 0;
}

static bool lacks_commands(const uint64_t *row, uint64_t silent_ms)
{
    (void)silent_ms;
    return row[COUNTER_COMMANDS_UP] == 0;
}

static bool lacks_module(const uint64_t *row, uint64_t silent_ms)
{
    (void)silent_ms;
    return row[COUNTER_COMMANDS_UP] != 0 && row[COUNTER_MODULE_UP] == 0;
}

static bool lacks_keys(const uint64_t *row, uint64_t silent_ms)
{
    (void)silent_ms;
    return row[COUNTER_TOKENS_UP] == 0;
}

/* What can be lacking; last says that all of what comes behind cannot be known. */
static const struct lack {
    const char *code, *text;
    bool (*is)(const uint64_t *row, uint64_t silent_ms);
    bool last;
} lacks[] = {
    {"worker_down", "the worker is being started, or started again", is_gone, true},
    {"worker_stuck", "the worker has not been at work for seconds", is_stuck, true},
    {"leaving", "the process is about to end", is_leaving, false},
    {"redis_subscriber_down", "the link to Redis that hears is down", lacks_subscriber, false},
    {"redis_commands_down", "the link to Redis that asks is down", lacks_commands, false},
    {"module_unusable", "Redis has not the module, or does not let the bridge use it", lacks_module,
     false},
    {"no_keys", "there are no keys by which tokens could be judged", lacks_keys, false},
};
#define LACKS (sizeof(lacks) / sizeof(lacks[0]))

static const struct lack starting = {"starting", "it is not ready yet", NULL, true};

/* Since when worker has been silent; UINT64_MAX: it has not said anything yet. */
static uint64_t silence_of(unsigned worker)
{
    uint64_t beat = counters_beat_of(worker), now = loop_clock_us() / 1000;

    return beat == 0 ? UINT64_MAX : now > beat ? now - beat : 0;
}

/* What the worker lacks from lacks[*i] on; NULL: no more. */
static const struct lack *next_lack(unsigned worker, size_t *i)
{
    while (*i < LACKS) {
        const struct lack *lack = &lacks[(*i)++];
        if (!lack->is(counters_row(worker), silence_of(worker)))
            continue;
        if (lack->last)
            *i = LACKS;
        return lack;
    }
    return NULL;
}

static void print_reason(FILE *out, unsigned worker, const struct lack *lack, bool *first)
{
    (void)fprintf(out, "%s{\"worker\":%u,\"code\":\"%s\",\"text\":\"%s\"}", *first ? "" : ",",
                  worker, lack->code, lack->text);
    *first = false;
}

static void print_reasons(FILE *out, unsigned worker, bool *first)
{
    const struct lack *lack;
    bool any = false;
    size_t i = 0;

    while ((lack = next_lack(worker, &i)) != NULL) {
        print_reason(out, worker, lack, first);
        any = true;
    }
    if (!any && counters_row(worker)[COUNTER_READY] == 0)
        print_reason(out, worker, &starting, first);
}

static void print_ready(FILE *out, bool ready)
{
    bool first = true;

    if (ready) {
        (void)fputs("{\"status\":\"ready\"}\n", out);
        return;
    }
    (void)fputs("{\"status\":\"not ready\",\"reasons\":[", out);
    for (unsigned worker = 0; worker < counters_rows(); worker++)
        print_reasons(out, worker, &first);
    if (first) /* whoever asks has seen it a moment ago */
        print_reason(out, 0, &starting, &first);
    (void)fputs("]}\n", out);
}

static void print_health(FILE *out, bool unused)
{
    (void)unused;
    (void)fputs("{\"status\":\"up\",\"workers\":[", out);
    for (unsigned worker = 0; worker < counters_rows(); worker++) {
        size_t i = 0;
        const struct lack *lack = next_lack(worker, &i);
        if (lack == NULL && counters_row(worker)[COUNTER_READY] == 0)
            lack = &starting;
        (void)fprintf(out, "%s{\"worker\":%u,\"state\":\"%s\"}", worker == 0 ? "" : ",", worker,
                      lack == NULL ? "ready" : lack->code);
    }
    (void)fputs("]}\n", out);
}

static char *text_of(void (*print)(FILE *out, bool ready), bool ready, size_t *ret_len)
{
    char *text = NULL;
    FILE *out;

    counters_set_gauges();
    out = open_memstream(&text, ret_len);
    if (out == NULL)
        return NULL;
    print(out, ready);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

char *readiness_ready_text(bool ready, size_t *ret_len)
{
    return text_of(print_ready, ready, ret_len);
}

char *readiness_health_text(size_t *ret_len)
{
    return text_of(print_health, true, ret_len);
}
