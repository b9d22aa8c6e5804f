#include "takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/service.h"
#include "config.h"
#include "net/bound_set.h"
#include "net/handed.h"

#define REFUSALS_LOGGED_MS 1000 /* at most one in so long */

struct takeover {
    pid_t pid;   /* 0: there is none */
    bool waited; /* it has ended, and somebody has waited for it */
    int pipe;    /* owned: what it has to say */
    bool ready;  /* it has said so */
    uint64_t until_ms;
};

/* What the new process begins with. */
struct luggage {
    const struct config *config; /* borrowed */
    size_t count;                /* of sockets */
    int *sockets;                /* owned, the descriptors are not */
    int pipe;                    /* its end of it */
    char **env;                  /* owned, as are these */
    char *names, *owners;
    char *names_end, *owners_end;            /* where they are written to, borrowed */
    char pid[32], watchdog_pid[32], fds[32]; /* as they stand in env */
};

#define NAMES_VARIABLE "LISTEN_FDNAMES="
#define WATCHDOG_VARIABLE "WATCHDOG_PID="

static void pack_socket(struct luggage *luggage, const struct bound *bound, size_t i)
{
    *luggage->owners_end++ = bound_is_foreign(bound) ? 'm' : 'b';
    luggage->names_end = stpcpy(luggage->names_end, luggage->count == 0 ? "" : ":");
    luggage->names_end = stpcpy(luggage->names_end, bound_name(bound)); /* there is room for all */
    luggage->sockets[luggage->count++] = bound_socket(bound, i);
}

static int pack_sockets(struct luggage *luggage, const struct bound_set *bound)
{
    size_t count = bound_set_sockets(bound);
    const size_t begin_max = 64; /* of the variable with a descriptor's number */

    luggage->sockets = calloc(count + 1, sizeof(int));
    luggage->owners = calloc(1, begin_max + count + 1);
    luggage->names = calloc(1, sizeof(NAMES_VARIABLE) + count * LISTEN_ADDRESS_BYTES);
    if (luggage->sockets == NULL || luggage->owners == NULL || luggage->names == NULL)
        return -ENOMEM;
    luggage->names_end = stpcpy(luggage->names, NAMES_VARIABLE);
    luggage->owners_end =
        luggage->owners + snprintf(luggage->owners, begin_max,
                                   HANDED_PIPE_VARIABLE "=%zu:", (size_t)HANDED_FIRST_FD + count);
    for (size_t i = 0; i < bound->len; i++)
        for (size_t j = 0; j < bound_count(bound->at[i]); j++)
            pack_socket(luggage, bound->at[i], j);
    (void)snprintf(luggage->fds, sizeof(luggage->fds), "LISTEN_FDS=%zu", luggage->count);
    return 0;
}

/* The other ones were removed when we read them (handed_read()). */
static bool is_replaced(const char *variable)
{
    return strncmp(variable, WATCHDOG_VARIABLE, strlen(WATCHDOG_VARIABLE)) == 0;
}

static int pack_environment(struct luggage *luggage)
{
    char *const added[] = {luggage->pid, luggage->fds, luggage->names, luggage->owners,
                           luggage->watchdog_pid};
    size_t count = 0, len = 0;

    while (environ[count] != NULL)
        count++;
    luggage->env = calloc(count + sizeof(added) / sizeof(added[0]) + 1, sizeof(char *));
    if (luggage->env == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        if (!is_replaced(environ[i]))
            luggage->env[len++] = environ[i];
    for (size_t i = 0; i < sizeof(added) / sizeof(added[0]); i++)
        luggage->env[len++] = added[i];
    return 0;
}

static void unpack(struct luggage *luggage)
{
    free(luggage->sockets);
    free(luggage->owners);
    free(luggage->names);
    free(luggage->env);
}

/* In the child. */

/* Handlers are ours, and would write to a pipe that we share with our parent; from now on signals
 * that the new program cannot take yet wait for it. */
static void reset_signals(void)
{
    static const int caught[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR2, SIGCHLD, SIGPIPE};
    sigset_t held;

    for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
        (void)signal(caught[i], SIG_DFL); /* fails only for a signal that there is not */
    (void)sigemptyset(&held);             /* none of these can fail */
    (void)sigaddset(&held, SIGHUP);
    (void)sigaddset(&held, SIGUSR2);
    (void)sigprocmask(SIG_SETMASK, &held, NULL);
}

/* First out of the way of all places, then each into its own. All others are closed. */
static bool place_descriptors(struct luggage *luggage)
{
    int pipe_at = HANDED_FIRST_FD + (int)luggage->count, spare = pipe_at + 1;

    luggage->sockets[luggage->count] = luggage->pipe;
    for (size_t i = 0; i <= luggage->count; i++) {
        luggage->sockets[i] = fcntl(luggage->sockets[i], F_DUPFD, spare);
        if (luggage->sockets[i] < 0)
            return false;
    }
    for (size_t i = 0; i <= luggage->count; i++)
        if (dup2(luggage->sockets[i], HANDED_FIRST_FD + (int)i) < 0)
            return false;
    closefrom(spare);
    return true;
}

static _Noreturn void become(struct luggage *luggage)
{
    char **argv = (char **)(uintptr_t)luggage->config->argv; /* exec changes nothing of it */
    int pid = (int)getpid();

    (void)snprintf(luggage->pid, sizeof(luggage->pid), "LISTEN_PID=%d", pid);
    (void)snprintf(luggage->watchdog_pid, sizeof(luggage->watchdog_pid), WATCHDOG_VARIABLE "%d",
                   pid);
    if (place_descriptors(luggage)) {
        reset_signals();
        (void)execvpe(argv[0], argv, luggage->env);
    }
    log_error("takeover_not_started", "program", argv[0], "error", strerror(errno));
    _exit(127);
}

/* In the parent. */

/* The child's pid, or -errno. No signal comes to our handlers in the child. */
static pid_t start(struct luggage *luggage)
{
    sigset_t all, before;
    pid_t pid;

    (void)sigfillset(&all); /* cannot fail, nor can the next */
    (void)sigprocmask(SIG_BLOCK, &all, &before);
    pid = fork();
    if (pid == 0)
        become(luggage);
    pid = pid < 0 ? -errno : pid;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return pid;
}

/* 0 or -errno. */
static int begin(struct takeover *takeover, const struct config *config,
                 const struct bound_set *bound)
{
    struct luggage luggage = {.config = config, .pipe = -1};
    int ends[2], ret;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    takeover->pipe = ends[0];
    luggage.pipe = ends[1];
    ret = fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 ? pack_sockets(&luggage, bound) : -errno;
    if (ret == 0)
        ret = pack_environment(&luggage);
    if (ret == 0)
        ret = takeover->pid = start(&luggage);
    if (ret < 0)
        takeover->pid = 0;
    (void)close(ends[1]); /* nothing was written to it */
    unpack(&luggage);
    return ret < 0 ? ret : 0;
}

void takeover_refuse(const char *why, uint64_t now_ms)
{
    static uint64_t told_ms;

    if (told_ms != 0 && now_ms - told_ms < REFUSALS_LOGGED_MS)
        return;
    told_ms = now_ms;
    log_warn("takeover_refused", "text", why);
}

struct takeover *takeover_new(const struct config *config, const struct bound_set *bound,
                              uint64_t now_ms)
{
    struct takeover *takeover;
    int ret = -ENOMEM;

    if (getpid() == 1) {
        takeover_refuse("this is the first process of a container, which ends with it", now_ms);
        return NULL;
    }
    takeover = calloc(1, sizeof(*takeover));
    if (takeover != NULL) {
        takeover->pipe = -1;
        takeover->until_ms = now_ms + config->takeover_timeout_ms;
        ret = begin(takeover, config, bound);
    }
    if (ret == 0) {
        log_info("takeover_begun", "pid", log_int(takeover->pid));
        service_tell_reloading();
        return takeover;
    }
    log_error("takeover_not_started", "program", config->argv[0], "error", strerror(-ret));
    takeover_free(takeover);
    return NULL;
}

/* It may have children, which end with it. */
static void end_process(struct takeover *takeover)
{
    if (takeover->pid == 0 || takeover->waited)
        return;
    (void)kill(takeover->pid, SIGKILL);
    while (waitpid(takeover->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

void takeover_free(struct takeover *takeover)
{
    if (takeover != NULL && !takeover->ready)
        end_process(takeover);
    takeover_forget(takeover);
}

void takeover_forget(struct takeover *takeover)
{
    if (takeover != NULL && takeover->pipe >= 0)
        (void)close(takeover->pipe);
    free(takeover);
}

static enum takeover_state fail(struct takeover *takeover, const char *why)
{
    log_error("takeover_failed", "pid", log_int(takeover->pid), "text", why);
    service_tell("READY=1\nSTATUS=goes on: a new process was not ready");
    return TAKEOVER_FAILED;
}

enum takeover_state takeover_look(struct takeover *takeover, uint64_t now_ms)
{
    char byte;
    ssize_t len = read(takeover->pipe, &byte, 1);

    if (len == 1) {
        takeover->ready = true;
        log_info("handed_over", "pid", log_int(takeover->pid));
        service_tell_main(takeover->pid, "READY=1\nSTATUS=serves clients");
        service_be_silent();
        return TAKEOVER_READY;
    }
    if (len == 0 || (errno != EAGAIN && errno != EINTR))
        return fail(takeover, "the new process ended before it was ready: this one goes on");
    if (now_ms >= takeover->until_ms)
        return fail(takeover, "the new process was not ready in time: this one goes on");
    return TAKEOVER_BEGUN;
}

void takeover_take_end(struct takeover *takeover, pid_t pid)
{
    takeover->waited |= pid == takeover->pid;
}

void takeover_reload(const struct takeover *takeover)
{
    if (!takeover->waited)
        (void)kill(takeover->pid, SIGHUP); /* it is ours, and not waited for yet */
}
