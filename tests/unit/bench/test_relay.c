/* relay: the floor of a single message's way. */
#include <criterion/criterion.h>
#include <sched.h>

#include "bench.h"
#include "relay.h"

enum { COUNT = 300 };

static int first_core(void)
{
    cpu_set_t set;
    int core = 0;

    cr_assert_eq(sched_getaffinity(0, sizeof(set), &set), 0);
    while (!CPU_ISSET((size_t)core, &set))
        core++;
    return core;
}

static struct relay_result run(struct relay *relay, const struct relay_load *load,
                               uint64_t delays_ns[COUNT])
{
    struct relay_result result;

    relay_start(relay, load);
    while (!relay_is_done(relay, delays_ns, &result))
        (void)sched_yield();
    return result;
}

Test(bench_relay, hands_on_every_message_and_tells_how_long_each_took)
{
    const struct relay_load load = {
        .count = COUNT, .interval_ns = 100000, .command_bytes = 60, .message_bytes = 400};
    uint64_t delays_ns[COUNT], begun_ns = bench_now_ns();
    struct relay *relay = relay_new(20, COUNT, first_core(), first_core());

    for (int round = 0; round < 2; round++) {
        struct relay_result result = run(relay, &load, delays_ns);
        cr_assert_gt(result.cpu_ns, 0);
        cr_assert_geq(result.started_ns, begun_ns);
        cr_assert_geq(bench_now_ns() - result.started_ns, (COUNT - 1) * load.interval_ns);
        for (int i = 0; i < COUNT; i++)
            cr_assert(delays_ns[i] > 0 && delays_ns[i] < UINT64_C(10) * 1000000000);
        begun_ns = bench_now_ns();
    }
    relay_free(relay);
    relay_free(NULL);
}
