#include <ctype.h>
#include <stdio.h>

#include "options.h"

void option_environment_name(const struct option *o, char out[OPTION_ENVIRONMENT_NAME_MAX])
{
    int len = snprintf(out, OPTION_ENVIRONMENT_NAME_MAX, OPTION_ENVIRONMENT_PREFIX "%s", o->name);

    for (int i = 0; i < len; i++)
        out[i] = out[i] == '-' ? '_' : (char)toupper((unsigned char)out[i]);
}

/* Printing. */

static const char *text_of_live(const struct option *o)
{
    return o->live ? " May change on SIGHUP." : "";
}

void options_print_help(FILE *out)
{
    fputs("Usage: notify-bridge --auth jwt|none [option …]\n\n"
          "Forwards notifications from Redis to WebSocket clients.\n\n",
          out);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &options[i];
        fprintf(out, "  --%s%s%s\n        %s", o->name, o->metavar == NULL ? "" : " ",
                o->metavar == NULL ? "" : o->metavar, o->help);
        if (o->def != NULL)
            fprintf(out, " Default: %s.", o->def);
        fputs(text_of_live(o), out);
        fputs("\n", out);
    }
    fputs("\nEvery option can also be set in the environment (--outbox-bytes is "
          "NOTIFY_OUTBOX_BYTES)\n"
          "or in the file of --config. A flag beats the environment, which beats the file.\n"
          "A variable that begins with NOTIFY_ and is no option's is warned of.\n"
          "Times take ms, s, m or h (none: seconds), sizes K, M or G.\n"
          "Exit status: 0 clean, 1 runtime failure, 2 wrong usage or configuration.\n",
          out);
}

void options_print_markdown(FILE *out)
{
    char name[OPTION_ENVIRONMENT_NAME_MAX];

    fputs(
        "# Options of notify-bridge\n\n"
        "Generated from the table that the program runs on: `notify-bridge --help-markdown`.\n\n"
        "A flag beats the environment, which beats the file of `--config` (one `name value` per\n"
        "line, `#` begins a comment), which beats the default. Times take `ms`, `s`, `m` or `h`\n"
        "(none: seconds), sizes `K`, `M` or `G`. What is wrong is told with its place, "
        "`file:line:`\n"
        "or the variable; a variable that begins with `NOTIFY_` and is no option's is warned of.\n"
        "`--check-config` says the same and starts nothing. Exit status: 0 clean, 1 runtime "
        "failure,\n"
        "2 wrong usage or configuration.\n\n"
        "| flag | environment | default | meaning |\n| --- | --- | --- | --- |\n",
        out);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &options[i];
        option_environment_name(o, name);
        fprintf(out, "| `--%s%s%s` | `%s`", o->name, o->metavar == NULL ? "" : " ",
                o->metavar == NULL ? "" : o->metavar, name);
        if (o->alias != NULL)
            fprintf(out, ", `%s`", o->alias);
        fprintf(out, " | %s%s%s | %s%s |\n", o->def == NULL ? "" : "`",
                o->def == NULL ? "" : o->def, o->def == NULL ? "" : "`", o->help, text_of_live(o));
    }
}
