/* main -- arguments, exit status. Everything else is app.c. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app.h"
#include "config.h"
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

/* Can the program run with it? Asked also when it is only to be checked. */
static const char *find_fault(const struct config *config)
{
    bool prints = config->help || config->help_markdown || config->version;

    return prints ? NULL : app_check(config);
}

static int run(const struct config *config)
{
    struct app *app;
    int result;

    log_setup((enum log_level)config->log_level, (enum log_format)config->log_format);
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
    const char *fault;
    int status = EXIT_SUCCESS;

    if (config_read(&config, error, argc, argv, environ) != 0) {
        fprintf(stderr, "notify-bridge: %s\n", error);
        status = EXIT_USAGE;
    } else if ((fault = find_fault(&config)) != NULL) {
        fprintf(stderr, "notify-bridge: redis: %s\n", fault);
        status = EXIT_USAGE;
    } else if (!print_only(&config)) {
        status = run(&config);
    }
    config_release(&config);
    return status;
}
