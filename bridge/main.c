/* main -- arguments, exit status, and how many processes. Everything else is app.c. */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app.h"
#include "config.h"
#include "config_bind.h"
#include "config_read.h"
#include "base/log.h"
#include "base/service.h"
#include "net/bound_set.h"
#include "net/handed.h"
#include "option_pages.h"
#include "options.h"
#include "probe.h"
#include "requests/metrics_page.h"
#include "supervisor.h"
#include "top/top.h"
#include "worker.h"

#define EXIT_USAGE 2

/* Options that print something and end the program. Returns whether one of them was given. */
static bool print_only(const struct config *config)
{
    if (config->help)
        options_print_help(stdout);
    else if (config->help_markdown)
        options_print_markdown(stdout);
    else if (config->metrics_markdown)
        metrics_print_markdown(stdout);
    else if (config->help_as != 0)
        option_page_print(stdout, (enum option_page)config->help_as);
    else if (config->version)
        puts("notify-bridge " NOTIFY_VERSION);
    else if (config->check_config)
        puts("configuration is valid");
    else
        return false;
    return true;
}

static void warn_of_unknown(const struct config *config)
{
    for (size_t i = 0; i < config->unknown.len; i++)
        log_warn("unknown_variable", "name", config->unknown.items[i], "text",
                 "no option has this name in the environment; --help lists them");
}

/* A worker is sent signals whatever it is about. What means an end by default, and should not,
 * waits in every process until somebody takes it: nobody ends because it is told to reload too
 * early. */
static void hold_signals(const struct worker *worker, bool hold)
{
    sigset_t set;

    (void)sigemptyset(&set); /* none of these can fail */
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGUSR2);
    if (worker != NULL && worker->supervisor != 0)
        (void)sigfillset(&set);
    (void)sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static int serve(struct config *config, const struct worker *worker)
{
    struct app *app;
    int result;

    app = app_new(config, worker);
    if (app == NULL)
        return EXIT_FAILURE;
    hold_signals(worker, false);
    result = app_run(app);
    hold_signals(worker, true); /* it ends already: what comes now finds nobody to take it */
    app_free(app);
    log_info("stopped");
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int serve_alone(struct config *config, struct handed *handed)
{
    struct worker worker = {.count = 1, .handed = handed, .waits = handed_is_takeover(handed)};
    int status = EXIT_FAILURE;

    worker.bound = config_bind(config, 1, handed);
    if (worker.bound != NULL)
        status = serve(config, &worker);
    bound_set_free(worker.bound);
    return status;
}

/* As many as this process may use. */
static unsigned count_cores(void)
{
    cpu_set_t cores;

    return sched_getaffinity(0, sizeof(cores), &cores) == 0 ? (unsigned)CPU_COUNT(&cores) : 1;
}

/* Links to Redis and the reader of our log may end at any time: then a write fails. */
static int run(struct config *config)
{
    unsigned workers = config->workers == 0 ? count_cores() : (unsigned)config->workers;
    char error[HANDED_ERROR_MAX];
    struct handed *handed;
    int status;

    (void)signal(SIGPIPE, SIG_IGN); /* fails only for a signal that there is not */
    service_begin();
    if (handed_read(&handed, error) != 0) {
        log_error("handed_unusable", "reason", error);
        return EXIT_FAILURE;
    }
    status =
        workers == 1 ? serve_alone(config, handed) : supervisor_run(config, workers, handed, serve);
    handed_free(handed);
    return status;
}

static int act(struct config *config)
{
    if (config->top != NULL) {
        hold_signals(NULL, false);
        return top_run(config->top);
    }
    if (config->probe != NULL) {
        hold_signals(NULL, false);
        return probe_run(config->probe);
    }
    warn_of_unknown(config);
    return print_only(config) ? EXIT_SUCCESS : run(config);
}

int main(int argc, char **argv)
{
    char error[CONFIG_ERROR_MAX];
    struct config config;
    int status;

    hold_signals(NULL, true);
    if (config_read(&config, error, argc, argv, environ) != 0) {
        fprintf(stderr, "notify-bridge: %s\n", error);
        status = EXIT_USAGE;
    } else {
        log_setup((enum log_level)config.log_level, (enum log_format)config.log_format);
        status = act(&config);
    }
    config_release(&config);
    return status;
}
