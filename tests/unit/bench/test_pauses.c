/* pauses: spans in which nothing ran at all. */
#include <criterion/criterion.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "pauses.h"

#define MS UINT64_C(1000000)

static void sleep_ms(int ms)
{
    (void)poll(NULL, 0, ms);
}

/* The watchers, as the system sees them; 0 if it does not tell of a process' children. */
static int find_watchers(pid_t pids[2])
{
    char path[64];
    FILE *file;
    int found = 0;

    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)gettid());
    file = fopen(path, "r");
    while (file != NULL && found < 2 && fscanf(file, "%d", &pids[found]) == 1)
        found++;
    if (file != NULL)
        (void)fclose(file);
    return found;
}

static void stand_still(const pid_t pids[2], int ms)
{
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(kill(pids[i], SIGSTOP), 0);
        cr_assert_eq(waitpid(pids[i], NULL, WUNTRACED), pids[i]);
    }
    sleep_ms(ms);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(kill(pids[i], SIGCONT), 0);
}

Test(bench_pauses, tells_when_its_watchers_did_not_run)
{
    cpu_set_t cores;
    pid_t pids[2];
    uint64_t from_ns, to_ns, deadline_ns;
    struct pauses *pauses;
    int core = 0;

    cr_assert_eq(sched_getaffinity(0, sizeof(cores), &cores), 0);
    while (!CPU_ISSET((size_t)core, &cores))
        core++;
    pauses = pauses_new(core, core);
    if (pauses == NULL || find_watchers(pids) != 2) {
        pauses_free(pauses);
        cr_skip_test("no real-time priority, or no list of children");
    }
    sleep_ms(20);
    from_ns = bench_now_ns();
    stand_still(pids, 60);
    to_ns = bench_now_ns();
    deadline_ns = to_ns + 5000 * MS;
    while (!pauses_touch(pauses, from_ns, to_ns) && bench_now_ns() < deadline_ns)
        sleep_ms(1);
    cr_assert(pauses_touch(pauses, from_ns + 30 * MS, from_ns + 31 * MS));
    cr_assert_not(pauses_touch(pauses, 0, from_ns - 1000 * MS));
    cr_assert_not(pauses_touch(pauses, deadline_ns, deadline_ns + MS));
    cr_assert_geq(pauses_total_ns(pauses, from_ns - 5 * MS, to_ns), 40 * MS);
    pauses_free(pauses);
}

Test(bench_pauses, without_a_watcher_nothing_is_known)
{
    cr_assert_not(pauses_touch(NULL, 0, UINT64_MAX));
    cr_assert_eq(pauses_total_ns(NULL, 0, UINT64_MAX), 0);
    pauses_free(NULL);
}
