#include "probe.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/loop.h"
#include "net/http_fetch.h"

#define TIMEOUT_MS 2500 /* health checks have 3 s as a rule */
#define ANSWER_MAX_BYTES 65536

struct probe {
    struct loop *loop;
    struct http_fetcher *fetcher;
    int status;
};

static void on_answer(void *ctx, const struct http_fetch_result *result)
{
    struct probe *probe = ctx;

    if (result->error == NULL)
        probe->status = EXIT_SUCCESS;
    else if (result->status != 0)
        fprintf(stderr, "notify-bridge: it answers %d\n", result->status);
    else
        fprintf(stderr, "notify-bridge: %s\n", result->error);
    loop_stop(probe->loop);
}

int probe_run(const char *url)
{
    const struct http_fetch_limits limits = {
        .timeout_ms = TIMEOUT_MS, .max_bytes = ANSWER_MAX_BYTES, .accept = "*/*", .open = true};
    struct probe probe = {.loop = loop_new(), .status = EXIT_FAILURE};

    if (probe.loop == NULL)
        return EXIT_FAILURE; /* the reason was logged, as are those below */
    probe.fetcher = http_fetcher_new(probe.loop, url, NULL, &limits);
    if (probe.fetcher != NULL && http_fetcher_start(probe.fetcher, on_answer, &probe) == 0)
        (void)loop_run(probe.loop); /* without an answer it is none */
    http_fetcher_free(probe.fetcher);
    loop_free(probe.loop);
    return probe.status;
}
