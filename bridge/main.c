/* main -- arguments, exit status. Everything else is app.c. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app.h"
#include "config.h"
#include "config_read.h"
#include "base/log.h"
#include "options.h"

#define EXIT_USAGE 2

/* Options that print something and end the program. Returns whether one of them was given. */
static bool print_only(const struct config *config)
{
    if (config->help)
        options_print_help(stdout);
    else if (config->help_markdown)
        options_print_markdown(stdout);
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

static int run(const struct config *config)
{
    struct app *app;
    int result;

    /* Links to Redis and the reader of our log may end at any time: then a write fails. */
    (void)signal(SIGPIPE, SIG_IGN); /* fails only for a signal that there is not */
    app = app_new(config);
    if (app == NULL)
        return EXIT_FAILURE;
    result = app_run(app);
    app_free(app);
    log_info("stopped");
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    char error[CONFIG_ERROR_MAX];
    struct config config;
    int status = EXIT_SUCCESS;

    if (config_read(&config, error, argc, argv, environ) != 0) {
        fprintf(stderr, "notify-bridge: %s\n", error);
        status = EXIT_USAGE;
    } else {
        log_setup((enum log_level)config.log_level, (enum log_format)config.log_format);
        warn_of_unknown(&config);
        if (!print_only(&config))
            status = run(&config);
    }
    config_release(&config);
    return status;
}
