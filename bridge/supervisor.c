#include "supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/counters.h"
#include "base/file_limit.h"
#include "base/log.h"
#include "base/service.h"
#include "board.h"
#include "config.h"
#include "config_bind.h"
#include "config_read.h"
#include "crew.h"
#include "net/bound_set.h"
#include "net/handed.h"
#include "takeover.h"
#include "worker.h"

#define KILL_AFTER_MS 5000  /* beyond what a worker may take to end */
#define BEGIN_LOOK_MS 20    /* so often we look for what is to be told, while there is something */
#define RELOAD_EVERY_MS 100 /* at most, however often somebody asks for it */

struct supervisor {
    struct config *config; /* borrowed */
    supervisor_fn serve;
    struct handed *handed;   /* borrowed; NULL: nothing was handed over */
    struct bound_set *bound; /* owned */
    struct crew crew;
    struct takeover *takeover; /* owned; NULL: there is none under way */
    pid_t pid;
    sigset_t signals;
    bool told_ready;             /* the service manager, and whom we take over from */
    bool reload_asked;           /* and not done yet */
    uint64_t may_reload_ms;      /* at the earliest */
    bool reloading;              /* the service manager waits for the end of it */
    unsigned serving;            /* workers, as it was told last */
    uint64_t beat_ms;            /* when it is to hear from us; 0: never */
    uint64_t unbind_ms, kill_ms; /* while it ends; 0: done */
    int status;                  /* with which it ends */
};

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* What becomes of a child; never returns to the supervisor's loop. Signals wait until it has its
 * own handlers for them. */
static int be_child(struct supervisor *all, unsigned number)
{
    const struct worker worker = {.number = number,
                                  .count = all->crew.count,
                                  .supervisor = all->pid,
                                  .bound = all->bound,
                                  .journal = all->crew.members[number].journal,
                                  .board = all->crew.board,
                                  .waits = handed_is_takeover(all->handed)};

    (void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* fails only for a signal that there is not */
    if (getppid() != all->pid)
        return EXIT_FAILURE; /* it has died before that was said */
    log_name_worker((int)number);
    service_be_silent();
    handed_forget(all->handed);
    takeover_forget(all->takeover);
    counters_take_row(number);
    bound_set_disown(all->bound);
    return all->serve(all->config, &worker);
}

/* The end. */

static void give_up_takeover(struct supervisor *all)
{
    takeover_free(all->takeover);
    all->takeover = NULL;
}

static void begin_end(struct supervisor *all, uint64_t delay_ms, int signum)
{
    give_up_takeover(all);
    all->crew.ending = true;
    all->unbind_ms = now_ms() + delay_ms;
    all->kill_ms = all->unbind_ms + all->config->shutdown_timeout_ms + KILL_AFTER_MS;
    crew_signal(&all->crew, signum);
}

/* The second time, at once: another signal, since the first one may come twice to a worker (to all
 * of a terminal's, or of a service's processes, and from here). */
static void end(struct supervisor *all)
{
    if (all->crew.ending) {
        crew_signal(&all->crew, SIGQUIT);
        return;
    }
    log_info("stopping", "workers", log_int(all->crew.count));
    service_tell("STOPPING=1\nSTATUS=ends");
    begin_end(all, all->config->drain_delay_ms, SIGTERM);
}

static void reap(struct supervisor *all)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (all->takeover != NULL)
            takeover_take_end(all->takeover, pid);
        crew_take_end(&all->crew, pid, status, now_ms());
    }
    if (!all->crew.hopeless || all->crew.ending)
        return;
    all->status = EXIT_FAILURE;
    begin_end(all, all->config->drain_delay_ms, SIGTERM);
}

/* Another bridge takes over. */

static void begin_takeover(struct supervisor *all)
{
    if (all->takeover != NULL || all->crew.ending || handed_is_takeover(all->handed))
        takeover_refuse("one is under way, or this bridge ends", now_ms());
    else
        all->takeover = takeover_new(all->config, all->bound, now_ms());
}

static void look_at_takeover(struct supervisor *all)
{
    enum takeover_state state =
        all->takeover == NULL ? TAKEOVER_BEGUN : takeover_look(all->takeover, now_ms());

    if (state == TAKEOVER_BEGUN)
        return;
    if (state == TAKEOVER_READY) {
        bound_set_disown(all->bound);
        board_hand_over(all->crew.board);
        begin_end(all, 0, SIGUSR2);
    }
    give_up_takeover(all);
}

/* What the service manager, and whoever is taken over from, wait for. */

static bool is_any_waiting(const struct supervisor *all)
{
    return !all->crew.ending && (!all->told_ready || all->reloading);
}

static void tell_status(struct supervisor *all, const char *before)
{
    char text[128];

    all->serving = board_serving(all->crew.board, now_ms());
    (void)snprintf(text, sizeof(text), "%sSTATUS=%u of %u workers serve clients", before,
                   all->serving, all->crew.count);
    service_tell(text);
}

/* All workers accept, and can serve as well if somebody else does until then. */
static bool is_ready(const struct supervisor *all)
{
    return board_serving(all->crew.board, now_ms()) == all->crew.count &&
           (!handed_is_takeover(all->handed) || counter_is_set_in_all(COUNTER_READY));
}

static void tell_what_is_waited_for(struct supervisor *all)
{
    if (all->crew.ending)
        return;
    if (!all->told_ready && is_ready(all)) {
        all->told_ready = true;
        if (handed_is_takeover(all->handed)) {
            bound_set_own(all->bound);
            handed_tell_ready(all->handed);
        }
        tell_status(all, "READY=1\n");
    }
    if (all->reloading && board_is_all_reloaded(all->crew.board)) {
        all->reloading = false;
        tell_status(all, "READY=1\n");
    }
    if (all->told_ready && board_serving(all->crew.board, now_ms()) != all->serving)
        tell_status(all, "");
}

static void beat(struct supervisor *all)
{
    if (all->beat_ms == 0 || now_ms() < all->beat_ms)
        return;
    service_beat();
    all->beat_ms = service_beat_every_ms() == 0 ? 0 : now_ms() + service_beat_every_ms();
}

/* The loop. */

static void do_what_is_due(struct supervisor *all)
{
    crew_look(&all->crew, now_ms());
    look_at_takeover(all);
    tell_what_is_waited_for(all);
    beat(all);
    if (all->unbind_ms != 0 && now_ms() >= all->unbind_ms) {
        bound_set_close(all->bound);
        all->unbind_ms = 0;
    }
    if (all->kill_ms != 0 && now_ms() >= all->kill_ms) {
        log_warn("workers_killed", "text", "they did not end in time");
        crew_signal(&all->crew, SIGKILL);
        all->kill_ms = 0;
    }
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return b != 0 && b < a ? b : a;
}

static struct timespec time_to_next(const struct supervisor *all)
{
    uint64_t now = now_ms(), next = crew_next_ms(&all->crew, now);

    if (is_any_waiting(all))
        next = sooner(next, now + BEGIN_LOOK_MS);
    if (all->takeover != NULL)
        next = sooner(next, now + TAKEOVER_LOOK_MS);
    if (all->reload_asked)
        next = sooner(next, all->may_reload_ms);
    next = sooner(sooner(sooner(next, all->unbind_ms), all->kill_ms), all->beat_ms);
    next = next > now ? next - now : 0;
    return (struct timespec){.tv_sec = (time_t)(next / 1000),
                             .tv_nsec = (long)(next % 1000) * 1000000};
}

/* Workers that are started later have what was read now; what is no good no worker hears of. */
static void reload(struct supervisor *all)
{
    char error[CONFIG_ERROR_MAX];
    struct config old;

    if (all->crew.ending)
        return;
    service_tell_reloading();
    all->reloading = true;
    if (all->takeover != NULL)
        takeover_reload(all->takeover);
    if (config_reload(all->config, &old, error) != 0) {
        log_warn("config_unusable", "reason", error);
        return;
    }
    config_release(&old);
    log_setup((enum log_level)all->config->log_level, (enum log_format)all->config->log_format);
    board_ask_reload(all->crew.board);
    crew_signal(&all->crew, SIGHUP);
}

static void reload_if_due(struct supervisor *all)
{
    if (!all->reload_asked || now_ms() < all->may_reload_ms)
        return;
    all->reload_asked = false;
    reload(all);
    all->may_reload_ms = now_ms() + RELOAD_EVERY_MS;
}

static void on_signal(struct supervisor *all, int signum)
{
    switch (signum) {
    case SIGTERM:
    case SIGINT:
        end(all);
        break;
    case SIGHUP:
        all->reload_asked = true;
        break;
    case SIGUSR2:
        begin_takeover(all);
        break;
    default: /* SIGCHLD, or none came */
        break;
    }
}

/* Each kind once: the kernel gives those with low numbers first, and somebody may send one of them
 * without end. */
static void take_waiting_signals(struct supervisor *all)
{
    static const int kinds[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR2};
    const struct timespec at_once = {.tv_sec = 0};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        sigset_t one;

        (void)sigemptyset(&one); /* cannot fail, nor can the next */
        (void)sigaddset(&one, kinds[i]);
        on_signal(all, sigtimedwait(&one, NULL, &at_once));
    }
}

/* Returns whether this is a child now, and which. */
static bool supervise(struct supervisor *all, unsigned *ret_number)
{
    do {
        struct timespec timeout;
        int signum;

        while (crew_is_start_due(&all->crew, now_ms(), ret_number))
            if (crew_start(&all->crew, *ret_number, now_ms()))
                return true;
        timeout = time_to_next(all);
        signum = sigtimedwait(&all->signals, NULL, &timeout);
        reap(all); /* who had died before the end has not failed to end */
        on_signal(all, signum);
        take_waiting_signals(all);
        reload_if_due(all);
        do_what_is_due(all);
    } while (!all->crew.ending || crew_is_any_left(&all->crew));
    return false;
}

/* Life. */

static void take_signals(struct supervisor *all)
{
    static const int taken[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR2};

    (void)sigemptyset(&all->signals); /* none of these can fail */
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        (void)sigaddset(&all->signals, taken[i]);
    (void)sigprocmask(SIG_BLOCK, &all->signals, NULL);
}

static int begin(struct supervisor *all)
{
    if (crew_init(&all->crew) != 0 || counters_share(all->crew.count) != 0) {
        log_error("out_of_memory", "at", "workers");
        return -ENOMEM;
    }
    (void)file_limit_raise(all->config->max_connections, 0); /* each worker has sockets here */
    all->bound = config_bind(all->config, all->crew.count, all->handed);
    return all->bound == NULL ? -EADDRINUSE : 0;
}

int supervisor_run(struct config *config, unsigned workers, struct handed *handed,
                   supervisor_fn serve)
{
    struct supervisor all = {
        .config = config,
        .serve = serve,
        .handed = handed,
        .crew = {.count = workers, .still_max_ms = config->worker_timeout_ms},
        .pid = getpid(),
        .beat_ms = service_beat_every_ms() == 0 ? 0 : now_ms(),
    };
    unsigned number;

    take_signals(&all);
    if (begin(&all) != 0)
        all.status = EXIT_FAILURE;
    else if (supervise(&all, &number))
        all.status = be_child(&all, number);
    else
        log_info("stopped");
    if (all.crew.failed)
        all.status = EXIT_FAILURE;
    bound_set_free(all.bound);
    crew_release(&all.crew);
    return all.status;
}
