#include "option_pages.h"

#include <string.h>

#include "options.h"

#define COMMENT_COLUMNS 96

/* Manual pages, in mdoc(7): a sentence begins a line. */

static void write_mdoc(FILE *out, const char *text)
{
    bool begins = true;

    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '\\')
            fputs("\\e", out);
        else if (*at == '-')
            fputs("\\-", out);
        else if (begins && (*at == '.' || *at == '\''))
            fprintf(out, "\\&%c", *at);
        else if (*at == ' ' && at > text && strchr(".!?", at[-1]) != NULL)
            fputc('\n', out);
        else
            fputc(*at, out);
        begins = *at == ' ' && at > text && strchr(".!?", at[-1]) != NULL;
    }
    fputc('\n', out);
}

static const char *metavar_of(const struct option *o)
{
    return o->metavar == NULL ? "" : o->metavar;
}

static void write_meaning(FILE *out, const struct option *o)
{
    write_mdoc(out, o->help);
    if (o->def != NULL) {
        fputs("Default: ", out);
        write_mdoc(out, o->def);
    }
    if (o->live)
        fputs("It may change on\n.Dv SIGHUP .\n", out);
}

static void print_man(FILE *out)
{
    char name[OPTION_ENVIRONMENT_NAME_MAX];

    fputs(
        ".Dd " NOTIFY_DATE "\n.Dt NOTIFY-BRIDGE 8\n.Os\n"
        ".Sh NAME\n.Nm notify-bridge\n.Nd carries notifications from Redis to clients\n"
        ".Sh SYNOPSIS\n.Nm\n.Fl -auth Cm jwt | none\n.Op Ar option ...\n"
        ".Sh DESCRIPTION\n.Nm\nsubscribes to channels of a Redis server that has the module\n"
        ".Pa notify.so ,\nand forwards what is said there to clients over WebSocket, SSE,\n"
        "Socket.IO and HTTP.\nIt keeps nothing that it could not get back from Redis: any number\n"
        "of them may run side by side.\n.Pp\nThe options are as follows:\n"
        ".Bl -tag -width Ds\n",
        out);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        fprintf(out, ".It Fl -%s%s%s\n", options[i].name, options[i].metavar == NULL ? "" : " Ar ",
                metavar_of(&options[i]));
        write_meaning(out, &options[i]);
    }
    fputs(".El\n.Pp\nA flag beats the environment, which beats the file of\n.Fl -config ,\n"
          "which beats the default.\nTimes take ms, s, m or h (none: seconds), sizes K, M or G.\n"
          ".Sh ENVIRONMENT\nEvery option has a variable.\n"
          "What begins with NOTIFY_ and is no option's is warned of.\n"
          ".Bl -tag -width Ds\n",
          out);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        option_environment_name(&options[i], name);
        fprintf(out, ".It Ev %s", name);
        if (options[i].alias != NULL)
            fprintf(out, " , Ev %s", options[i].alias);
        fprintf(out, "\nSee\n.Fl -%s .\n", options[i].name);
    }
    fputs(".El\n.Sh FILES\n.Bl -tag -width Ds\n.It Pa /etc/notify-bridge/notify-bridge.conf\n"
          "What a package's service reads, see\n.Xr notify-bridge.conf 5 .\n.El\n"
          ".Sh EXIT STATUS\n.Bl -tag -width Ds\n.It 0\nIt was told to end.\n"
          ".It 1\nIt could not go on.\n.It 2\nWrong usage or configuration.\n.El\n"
          ".Sh EXAMPLES\nFor a first try on one machine, with a Redis that has the module:\n"
          ".Pp\n.Dl notify-bridge --auth none --dev\n"
          ".Sh SEE ALSO\n.Xr redis-cli 1 ,\n.Xr redis-server 1 ,\n.Xr notify-bridge.conf 5\n",
          out);
}

static bool is_in_files(const struct option *o)
{
    static const char *const not_in_files[] = {"config", "check-config",     "version",
                                               "help",   "help-markdown",    "help-as",
                                               "top",    "metrics-markdown", "probe"};

    for (size_t i = 0; i < sizeof(not_in_files) / sizeof(not_in_files[0]); i++)
        if (strcmp(o->name, not_in_files[i]) == 0)
            return false;
    return true;
}

static void print_config_man(FILE *out)
{
    fputs(".Dd " NOTIFY_DATE "\n.Dt NOTIFY-BRIDGE.CONF 5\n.Os\n"
          ".Sh NAME\n.Nm notify-bridge.conf\n.Nd configuration of notify-bridge\n"
          ".Sh DESCRIPTION\nEach line has the name of an option and, behind blanks, its value\n"
          "until the end of the line.\nA flag has the value yes or no.\n"
          "What begins with # is a comment.\n"
          "Flags and the environment beat the file, see\n.Xr notify-bridge 8 .\n"
          "What is wrong is told with its line;\n.Ql notify-bridge --config FILE --check-config\n"
          "says the same and starts nothing.\n.Pp\nThe names are as follows:\n"
          ".Bl -tag -width Ds\n",
          out);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (!is_in_files(&options[i]))
            continue;
        fprintf(out, ".It Ic %s%s%s\n", options[i].name, options[i].metavar == NULL ? "" : " Ar ",
                metavar_of(&options[i]));
        write_meaning(out, &options[i]);
    }
    fputs(".El\n.Sh SEE ALSO\n.Xr notify-bridge 8\n", out);
}

/* A configuration in which all is commented out. */

static size_t word_len(const char *text)
{
    return strcspn(text, " ");
}

static void write_comment(FILE *out, const char *text)
{
    size_t column = COMMENT_COLUMNS;

    for (const char *at = text; *at != '\0'; at += strspn(at, " ")) {
        size_t len = word_len(at);
        if (column + 1 + len > COMMENT_COLUMNS) {
            fprintf(out, "%s#", at == text ? "" : "\n");
            column = 1;
        }
        fprintf(out, " %.*s", (int)len, at);
        column += 1 + len;
        at += len;
    }
    fputc('\n', out);
}

/* What stands behind the name: the default, or what could. */
static const char *example_of(const struct option *o)
{
    if (o->def != NULL)
        return o->def;
    return o->type == OPTION_FLAG ? "yes" : metavar_of(o);
}

/* The one that must be given is. */
static void print_config(FILE *out)
{
    fputs("# Configuration of notify-bridge: a name and, behind blanks, its value, one in a line.\n"
          "# Each stands here with its default; see notify-bridge.conf(5).\n",
          out);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &options[i];
        if (!is_in_files(o))
            continue;
        fputc('\n', out);
        write_comment(out, o->help);
        if (strcmp(o->name, "auth") == 0)
            fputs("auth jwt\n", out);
        else
            fprintf(out, "#%s %s\n", o->name, example_of(o));
    }
}

/* Completions. */

static bool is_file(const struct option *o)
{
    return o->metavar != NULL &&
           (strcmp(o->metavar, "FILE") == 0 || strcmp(o->metavar, "PATH") == 0);
}

static void write_choices(FILE *out, const struct option *o)
{
    const char *between = "";

    for (const char *const *choice = o->choices; *choice != NULL; choice++) {
        if (**choice == '\0')
            continue;
        fprintf(out, "%s%s", between, *choice);
        between = " ";
    }
}

static void print_bash(FILE *out)
{
    fputs(
        "# bash completion for notify-bridge\n"
        "_notify_bridge()\n{\n"
        "    local word=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD - 1]}\"\n\n"
        "    COMPREPLY=()\n    case \"$before\" in\n",
        out);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &options[i];
        if (o->choices != NULL) {
            fprintf(out, "    --%s) mapfile -t COMPREPLY < <(compgen -W \"", o->name);
            write_choices(out, o);
            fputs("\" -- \"$word\"); return ;;\n", out);
        } else if (is_file(o)) {
            fprintf(out, "    --%s) mapfile -t COMPREPLY < <(compgen -f -- \"$word\"); return ;;\n",
                    o->name);
        } else if (o->type != OPTION_FLAG) {
            fprintf(out, "    --%s) return ;;\n", o->name);
        }
    }
    fputs("    esac\n    mapfile -t COMPREPLY < <(compgen -W \"", out);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        fprintf(out, "%s--%s", i == 0 ? "" : " ", options[i].name);
    fputs("\" -- \"$word\")\n}\ncomplete -o filenames -F _notify_bridge notify-bridge\n", out);
}

/* The first sentence. */
static size_t summary_len(const char *help)
{
    const char *end = strstr(help, ". ");

    return end != NULL ? (size_t)(end - help) : strlen(help) - 1;
}

/* special: what is written with a backslash before it. */
static void write_summary(FILE *out, const struct option *o, const char *special)
{
    size_t len = summary_len(o->help);

    for (size_t i = 0; i < len; i++) {
        if (o->help[i] == '\'')
            continue; /* both shells have it between these */
        if (strchr(special, o->help[i]) != NULL)
            fputc('\\', out);
        fputc(o->help[i], out);
    }
}

static void print_zsh(FILE *out)
{
    fputs("#compdef notify-bridge\n_arguments \\\n", out);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &options[i];
        bool many = o->type == OPTION_LIST || o->type == OPTION_ITEMS;
        fprintf(out, "    '%s--%s[", many ? "*" : "", o->name);
        write_summary(out, o, "[]:\\");
        fputc(']', out);
        if (o->type != OPTION_FLAG)
            fprintf(out, ":%s:", metavar_of(o));
        if (o->choices != NULL) {
            fputc('(', out);
            write_choices(out, o);
            fputc(')', out);
        } else if (is_file(o)) {
            fputs("_files", out);
        }
        fprintf(out, "'%s\n", i + 1 == OPTION_COUNT ? "" : " \\");
    }
}

static void print_fish(FILE *out)
{
    fputs("complete -c notify-bridge -f\n", out);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &options[i];
        fprintf(out, "complete -c notify-bridge -l %s", o->name);
        if (o->choices != NULL) {
            fputs(" -x -a '", out);
            write_choices(out, o);
            fputc('\'', out);
        } else if (o->type != OPTION_FLAG) {
            fputs(is_file(o) ? " -r -F" : " -x", out);
        }
        fputs(" -d '", out);
        write_summary(out, o, "\\");
        fputs("'\n", out);
    }
}

static void (*const pages[])(FILE *out) = {
    [OPTION_PAGE_MAN] = print_man,       [OPTION_PAGE_MAN_CONFIG] = print_config_man,
    [OPTION_PAGE_CONFIG] = print_config, [OPTION_PAGE_BASH] = print_bash,
    [OPTION_PAGE_ZSH] = print_zsh,       [OPTION_PAGE_FISH] = print_fish,
};

void option_page_print(FILE *out, enum option_page which)
{
    if (which != OPTION_PAGE_NONE)
        pages[which](out);
}
