/* readiness: what is lacking, of each worker. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "base/loop.h"
#include "requests/readiness.h"

static uint64_t now_ms(void)
{
    return loop_clock_us() / 1000;
}

/* A worker that has all, as of then. */
static void be_well(unsigned row, uint64_t at_ms)
{
    static const enum counter all[] = {COUNTER_READY, COUNTER_SUBSCRIBER_UP, COUNTER_COMMANDS_UP,
                                       COUNTER_MODULE_UP, COUNTER_TOKENS_UP};

    counters_take_row(row);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        counter_set(all[i], 1);
    counters_beat(at_ms);
}

static void expect_ready(const char *text)
{
    size_t len;
    char *said = readiness_ready_text(false, &len);

    cr_expect_str_eq(said, text);
    cr_expect_eq(strlen(said), len);
    free(said);
}

static void expect_health(const char *text)
{
    size_t len;
    char *said = readiness_health_text(&len);

    cr_expect_str_eq(said, text);
    free(said);
}

#define REASON(worker, code, text)                                                                 \
    "{\"worker\":" #worker ",\"code\":\"" code "\",\"text\":\"" text "\"}"
#define LEAVING(worker) REASON(worker, "leaving", "the process is about to end")
#define NO_COMMANDS(worker)                                                                        \
    REASON(worker, "redis_commands_down", "the link to Redis that asks is down")
#define NO_KEYS(worker)                                                                            \
    REASON(worker, "no_keys", "there are no keys by which tokens could be judged")
#define NO_MODULE(worker)                                                                          \
    REASON(worker, "module_unusable", "Redis has not the module, or does not let the bridge use it")
#define STUCK(worker) REASON(worker, "worker_stuck", "the worker has not been at work for seconds")
#define DOWN(worker) REASON(worker, "worker_down", "the worker is being started, or started again")
#define NOT_READY(reasons) "{\"status\":\"not ready\",\"reasons\":[" reasons "]}\n"

Test(readiness, all_that_is_lacking_is_told)
{
    be_well(0, now_ms());
    counter_set(COUNTER_READY, 0);
    counter_set(COUNTER_COMMANDS_UP, 0);
    counter_set(COUNTER_MODULE_UP, 0); /* as is not known without the link */
    counter_set(COUNTER_TOKENS_UP, 0);
    counter_set(COUNTER_LEAVING, 1);
    expect_ready(NOT_READY(LEAVING(0) "," NO_COMMANDS(0) "," NO_KEYS(0)));
    expect_health("{\"status\":\"up\",\"workers\":[{\"worker\":0,\"state\":\"leaving\"}]}\n");
}

Test(readiness, what_is_not_ready_without_a_reason_is_starting)
{
    be_well(0, now_ms());
    expect_health("{\"status\":\"up\",\"workers\":[{\"worker\":0,\"state\":\"ready\"}]}\n");
    counter_set(COUNTER_READY, 0);
    expect_ready(NOT_READY(REASON(0, "starting", "it is not ready yet")));
    expect_health("{\"status\":\"up\",\"workers\":[{\"worker\":0,\"state\":\"starting\"}]}\n");
}

Test(readiness, of_several_each_tells_what_it_lacks_and_the_others_of_those_that_cannot)
{
    cr_assert_eq(counters_share(4), 0);
    be_well(0, now_ms());
    be_well(1, now_ms() > 6000 ? now_ms() - 6000 : 1);
    be_well(2, now_ms());
    counter_set(COUNTER_MODULE_UP, 0);
    counter_set(COUNTER_READY, 0);
    counters_take_row(0);
    expect_ready(NOT_READY(STUCK(1) "," NO_MODULE(2) "," DOWN(3)));
}
