#include "crew.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/counters.h"
#include "base/log.h"
#include "board.h"
#include "clients/session_journal.h"

/* A worker that ends is started again at once; if it ends again soon, later and later. */
#define BACK_OFF_FIRST_MS 100
#define BACK_OFF_MAX_MS 5000
#define STEADY_MS 10000 /* who has lived for so long has not failed */

int crew_init(struct crew *crew)
{
    bool ok = true;

    crew->board = board_new(crew->count);
    crew->members = calloc(crew->count, sizeof(struct crew_member));
    for (unsigned i = 0; crew->members != NULL && i < crew->count; i++) {
        crew->members[i].journal = session_journal_new();
        ok = ok && crew->members[i].journal != NULL;
    }
    return crew->board != NULL && crew->members != NULL && ok ? 0 : -ENOMEM;
}

void crew_release(struct crew *crew)
{
    for (unsigned i = 0; crew->members != NULL && i < crew->count; i++)
        session_journal_free(crew->members[i].journal);
    free(crew->members);
    board_free(crew->board);
}

/* Starting. */

static void plan_restart(struct crew_member *member, uint64_t now_ms)
{
    uint64_t delay_ms = 0;

    if (now_ms - member->started_ms >= STEADY_MS)
        member->failures = 0;
    if (member->failures > 0)
        delay_ms = member->failures > 6 ? BACK_OFF_MAX_MS
                                        : (uint64_t)BACK_OFF_FIRST_MS << (member->failures - 1);
    member->failures++;
    member->due_ms = now_ms + (delay_ms < BACK_OFF_MAX_MS ? delay_ms : BACK_OFF_MAX_MS);
}

bool crew_is_start_due(const struct crew *crew, uint64_t now_ms, unsigned *ret_number)
{
    for (unsigned i = 0; !crew->ending && i < crew->count; i++) {
        *ret_number = i;
        if (crew->members[i].pid == 0 && crew->members[i].due_ms <= now_ms)
            return true;
    }
    return false;
}

bool crew_start(struct crew *crew, unsigned number, uint64_t now_ms)
{
    struct crew_member *member = &crew->members[number];
    pid_t pid;

    board_reloaded(crew->board, number, board_reloads_asked(crew->board));
    pid = fork();
    if (pid == 0)
        return true;
    member->started_ms = now_ms;
    if (pid < 0) {
        log_error("worker_not_started", "number", log_int(number), "error", strerror(errno));
        plan_restart(member, now_ms);
        return false;
    }
    member->pid = pid;
    member->due_ms = member->beat_ms = member->still_ms = 0;
    member->starts++;
    log_info("worker_started", "number", log_int(number), "pid", log_int(pid));
    return false;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return b < a ? b : a;
}

uint64_t crew_next_ms(const struct crew *crew, uint64_t now_ms)
{
    uint64_t next_ms = sooner(crew->looked_ms, now_ms) + CREW_LOOK_MS;

    for (unsigned i = 0; !crew->ending && i < crew->count; i++)
        if (crew->members[i].pid == 0)
            next_ms = sooner(next_ms, crew->members[i].due_ms);
    return next_ms;
}

/* Standing still. */

/* Stopped, or in a loop without end: no other signal would be taken. */
static void end_still(struct crew *crew, unsigned number)
{
    struct crew_member *member = &crew->members[number];

    log_error("worker_stuck", "number", log_int(number), "pid", log_int(member->pid), "still_ms",
              log_int((int64_t)member->still_ms));
    member->still_ms = 0;
    (void)kill(member->pid, SIGKILL); /* it is ours, and not waited for yet */
}

/* Time that passed while nobody looked, since the machine or all of us were stopped, is not held
 * against anybody. */
void crew_look(struct crew *crew, uint64_t now_ms)
{
    uint64_t passed_ms = now_ms - crew->looked_ms;

    if (passed_ms < CREW_LOOK_MS)
        return;
    if (crew->looked_ms == 0 || passed_ms > 2 * CREW_LOOK_MS)
        passed_ms = CREW_LOOK_MS;
    crew->looked_ms = now_ms;
    for (unsigned i = 0; crew->still_max_ms > 0 && i < crew->count; i++) {
        struct crew_member *member = &crew->members[i];
        uint64_t beat_ms = board_last_beat_ms(crew->board, i);

        if (member->pid == 0)
            continue;
        member->still_ms = beat_ms == member->beat_ms ? member->still_ms + passed_ms : 0;
        member->beat_ms = beat_ms;
        if (member->still_ms >= crew->still_max_ms)
            end_still(crew, i);
    }
}

/* Ending. */

void crew_signal(const struct crew *crew, int signum)
{
    for (unsigned i = 0; i < crew->count; i++)
        if (crew->members[i].pid != 0)
            (void)kill(crew->members[i].pid, signum); /* as above */
}

bool crew_is_any_left(const struct crew *crew)
{
    for (unsigned i = 0; i < crew->count; i++)
        if (crew->members[i].pid != 0)
            return true;
    return false;
}

static void log_end_of(const struct crew *crew, const struct crew_member *member, int status)
{
    const char *how = WIFSIGNALED(status) ? "signal" : "status";
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);

    if (crew->ending && WIFEXITED(status) && number == 0)
        log_debug("worker_ended", "number", log_int(member - crew->members), how, log_int(number));
    else
        log_warn("worker_ended", "number", log_int(member - crew->members), "pid",
                 log_int(member->pid), how, log_int(number));
}

/* What cannot even begin, when nothing has run yet, is not going to. */
static bool has_not_begun(const struct crew_member *member, int status)
{
    return member->starts == 1 && WIFEXITED(status) && WEXITSTATUS(status) != 0;
}

static void on_ended(struct crew *crew, struct crew_member *member, int status, uint64_t now_ms)
{
    unsigned number = (unsigned)(member - crew->members);

    log_end_of(crew, member, status);
    member->pid = 0;
    counters_clear_gauges(number);
    board_clear(crew->board, number);
    if (crew->ending) {
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            crew->failed = true;
    } else if (has_not_begun(member, status)) {
        crew->hopeless = true;
    } else {
        counters_row(number)[COUNTER_WORKER_RESTARTS]++;
        plan_restart(member, now_ms);
    }
}

void crew_take_end(struct crew *crew, pid_t pid, int status, uint64_t now_ms)
{
    for (unsigned i = 0; i < crew->count; i++)
        if (crew->members[i].pid == pid)
            on_ended(crew, &crew->members[i], status, now_ms);
}
