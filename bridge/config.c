#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "key_names.h"
#include "log.h"

#define LINE_MAX_BYTES 4096
#define ENV_NAME_MAX 64

enum option_type {
    OPTION_TEXT,
    OPTION_LIST, /* may be given several times; an empty value empties it */
    OPTION_KEY,  /* text with one %s */
    OPTION_NUMBER,
    OPTION_BYTES, /* number with K, M or G behind it */
    OPTION_TIME,  /* number with ms, s, m or h behind it; none: seconds */
    OPTION_CHOICE,
    OPTION_FLAG,
};

struct option {
    const char *name;
    enum option_type type;
    size_t at;
    const char *def; /* NULL: unset */
    uint64_t min, max;
    const char *const *choices; /* NULL-terminated; the value is the index */
    const char *alias; /* a second name in the environment, from systems that this replaces */
    const char *metavar;
    const char *help;
};

static const char *const auth_choices[] = {"", "none", NULL};
static const char *const level_choices[] = {"error", "warn", "info", "debug", NULL};
static const char *const format_choices[] = {"logfmt", "json", NULL};

#define AT(member) offsetof(struct config, member)
#define HOUR_MS UINT64_C(3600000)
#define MIB UINT64_C(1048576)

static const struct option options[] = {
    {.name = "listen",
     .type = OPTION_LIST,
     .at = AT(listen),
     .def = "127.0.0.1:8080",
     .metavar = "ADDRESS",
     .help = "Where clients connect: host:port or unix:/path. May be given several times."},
    {.name = "redis",
     .type = OPTION_TEXT,
     .at = AT(redis),
     .def = "redis://127.0.0.1:6379",
     .alias = "REDIS_URL",
     .metavar = "URL",
     .help = "redis://[user:password@]host[:port][/db] or unix:///path[?db=n]."},
    {.name = "auth",
     .type = OPTION_CHOICE,
     .at = AT(auth),
     .choices = auth_choices,
     .metavar = "none",
     .help = "Who clients are. none: whoever they say, for development and trusted networks. "
             "Must be given."},
    {.name = "dev",
     .type = OPTION_FLAG,
     .at = AT(dev),
     .help = "Development mode: serves the test page /test-ws."},
    {.name = "config",
     .type = OPTION_TEXT,
     .at = AT(config_file),
     .metavar = "FILE",
     .help = "Reads options from FILE, one \"name value\" per line; # begins a comment."},
    {.name = "check-config",
     .type = OPTION_FLAG,
     .at = AT(check_config),
     .help = "Checks the configuration and exits: 0 or 2."},
    {.name = "log-level",
     .type = OPTION_CHOICE,
     .at = AT(log_level),
     .def = "info",
     .choices = level_choices,
     .metavar = "LEVEL",
     .help = "error, warn, info or debug."},
    {.name = "log-format",
     .type = OPTION_CHOICE,
     .at = AT(log_format),
     .def = "logfmt",
     .choices = format_choices,
     .metavar = "FORMAT",
     .help = "logfmt or json."},
    {.name = "inbox-key",
     .type = OPTION_KEY,
     .at = AT(inbox_key),
     .def = "inbox:%s",
     .metavar = "PATTERN",
     .help = "Key of a user's inbox; %s is the user's id."},
    {.name = "topic-key",
     .type = OPTION_KEY,
     .at = AT(topic_key),
     .def = "topic:%s",
     .metavar = "PATTERN",
     .help = "Key of a topic."},
    {.name = "session-key",
     .type = OPTION_KEY,
     .at = AT(session_key),
     .def = "session:%s",
     .metavar = "PATTERN",
     .help = "Key of a session's log."},
    {.name = "broadcast-log",
     .type = OPTION_LIST,
     .at = AT(broadcast_logs),
     .def = "topic:all",
     .metavar = "KEY",
     .help = "Key that every client follows. May be given several times; empty for none."},
    {.name = "ws-heartbeat-interval",
     .type = OPTION_TIME,
     .at = AT(heartbeat_ms),
     .def = "30s",
     .min = 100,
     .max = HOUR_MS,
     .alias = "WS_HEARTBEAT_INTERVAL",
     .metavar = "TIME",
     .help = "How often a client is pinged; after two intervals without a word it is gone."},
    {.name = "ws-connection-timeout",
     .type = OPTION_TIME,
     .at = AT(idle_timeout_ms),
     .def = "5m",
     .min = 100,
     .max = 24 * HOUR_MS,
     .alias = "WS_CONNECTION_TIMEOUT",
     .metavar = "TIME",
     .help = "A connection without any frame for so long is closed (4408)."},
    {.name = "max-connections",
     .type = OPTION_NUMBER,
     .at = AT(max_connections),
     .def = "1000000",
     .min = 1,
     .max = 10000000,
     .metavar = "N",
     .help = "WebSocket connections at a time; more are refused with 503. The limit on open files "
             "counts, too."},
    {.name = "max-message-bytes",
     .type = OPTION_BYTES,
     .at = AT(max_message_bytes),
     .def = "64K",
     .min = 256,
     .max = 16 * MIB,
     .metavar = "BYTES",
     .help = "A larger message of a client closes its connection (1009)."},
    {.name = "max-subscriptions",
     .type = OPTION_NUMBER,
     .at = AT(max_subscriptions),
     .def = "128",
     .min = 8,
     .max = 10000,
     .metavar = "N",
     .help = "Keys that one connection may follow."},
    {.name = "outbox-bytes",
     .type = OPTION_BYTES,
     .at = AT(outbox_bytes),
     .def = "1M",
     .min = 4096,
     .max = 1024 * MIB,
     .metavar = "BYTES",
     .help = "Queued for one client. Past it the queue is dropped, and the client is refilled from "
             "Redis once its socket drains."},
    {.name = "slow-client-timeout",
     .type = OPTION_TIME,
     .at = AT(slow_timeout_ms),
     .def = "60s",
     .min = 100,
     .max = HOUR_MS,
     .metavar = "TIME",
     .help = "How long a client may take no byte while behind, before it is closed (4413)."},
    {.name = "recent-events",
     .type = OPTION_NUMBER,
     .at = AT(recent_events),
     .def = "256",
     .min = 16,
     .max = 65536,
     .metavar = "N",
     .help = "Events kept per shared key, so that clients who come back need not ask Redis."},
    {.name = "recent-bytes",
     .type = OPTION_BYTES,
     .at = AT(recent_bytes),
     .def = "64M",
     .min = 0,
     .max = 1024 * 1024 * MIB,
     .metavar = "BYTES",
     .help = "The same for all keys together."},
    {.name = "channel-linger",
     .type = OPTION_TIME,
     .at = AT(linger_ms),
     .def = "10s",
     .min = 0,
     .max = HOUR_MS,
     .metavar = "TIME",
     .help = "How long a key that nobody follows any more stays subscribed."},
    {.name = "restart-spread",
     .type = OPTION_TIME,
     .at = AT(restart_spread_ms),
     .def = "2s",
     .min = 0,
     .max = HOUR_MS,
     .metavar = "TIME",
     .help = "On shutdown clients are told to come back after a random part of this."},
    {.name = "shutdown-timeout",
     .type = OPTION_TIME,
     .at = AT(shutdown_timeout_ms),
     .def = "5s",
     .min = 0,
     .max = HOUR_MS,
     .metavar = "TIME",
     .help = "How long closing handshakes may take on shutdown."},
    {.name = "version", .type = OPTION_FLAG, .at = AT(version), .help = "Prints the version."},
    {.name = "help", .type = OPTION_FLAG, .at = AT(help), .help = "Prints this."},
    {.name = "help-markdown",
     .type = OPTION_FLAG,
     .at = AT(help_markdown),
     .help = "Prints this as docs/options.md."},
};

#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

/* Where an option was last set; a weaker source does not come later. */
enum source { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENVIRONMENT, SOURCE_FLAG };

struct reading {
    struct config *config;
    char *error;
    enum source set_by[OPTION_COUNT];
};

static const struct option *find_option(const char *name, size_t len)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (strlen(options[i].name) == len && memcmp(options[i].name, name, len) == 0)
            return &options[i];
    return NULL;
}

static int fail(const struct reading *r, const char *name, const char *expected)
{
    (void)snprintf(r->error, CONFIG_ERROR_MAX, "%s: %s", name, expected); /* cut if too long */
    return -EINVAL;
}

/* Values. */

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit no_units[] = {{"", 1}, {NULL, 0}};
static const struct unit byte_units[] = {
    {"", 1}, {"K", 1024}, {"M", MIB}, {"G", 1024 * MIB}, {NULL, 0}};
static const struct unit time_units[] = {{"", 1000},   {"ms", 1},      {"s", 1000},
                                         {"m", 60000}, {"h", HOUR_MS}, {NULL, 0}};

static bool parse_quantity(const char *text, const struct unit *units, uint64_t *ret)
{
    uint64_t value;
    char *end;

    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    value = strtoull(text, &end, 10);
    for (; errno == 0 && units->name != NULL; units++) {
        if (strcmp(units->name, end) != 0)
            continue;
        *ret = value * units->factor;
        return value <= UINT64_MAX / units->factor;
    }
    return false;
}

static const struct unit *units_of(enum option_type type)
{
    return type == OPTION_BYTES ? byte_units : type == OPTION_TIME ? time_units : no_units;
}

static void format_quantity(char out[32], uint64_t value, enum option_type type)
{
    const struct unit *best = &units_of(type)[type == OPTION_TIME]; /* ms, not the bare seconds */

    for (const struct unit *u = best; u->name != NULL; u++)
        if (value != 0 && value % u->factor == 0 && u->factor >= best->factor)
            best = u;
    (void)snprintf(out, 32, "%" PRIu64 "%s", value / best->factor, best->name);
}

static int set_quantity(const struct reading *r, const struct option *o, const char *value)
{
    uint64_t *at = (void *)((char *)r->config + o->at);
    char low[32], high[32], expected[128];
    uint64_t quantity;

    if (parse_quantity(value, units_of(o->type), &quantity) && quantity >= o->min &&
        quantity <= o->max) {
        *at = quantity;
        return 0;
    }
    format_quantity(low, o->min, o->type);
    format_quantity(high, o->max, o->type);
    (void)snprintf(expected, sizeof(expected), "must be from %s to %s", low, high);
    return fail(r, o->name, expected);
}

static int set_choice(const struct reading *r, const struct option *o, const char *value)
{
    uint64_t *at = (void *)((char *)r->config + o->at);
    char expected[128] = "must be";

    for (size_t i = 0; o->choices[i] != NULL; i++) {
        size_t len = strlen(expected);
        if (*o->choices[i] == '\0') /* stands for "unset", cannot be chosen */
            continue;
        if (strcmp(o->choices[i], value) == 0) {
            *at = i;
            return 0;
        }
        (void)snprintf(expected + len, sizeof(expected) - len, "%s %s",
                       len == strlen("must be") ? "" : " or", o->choices[i]);
    }
    return fail(r, o->name, expected);
}

static int set_text(const struct reading *r, const struct option *o, const char *value)
{
    char **at = (void *)((char *)r->config + o->at);
    char *copy;

    if (o->type == OPTION_KEY && !key_pattern_is_valid(value))
        return fail(r, o->name, "must hold %s exactly once, and no other %");
    copy = strdup(value);
    if (copy == NULL)
        return fail(r, o->name, "out of memory");
    free(*at);
    *at = copy;
    return 0;
}

static void clear_list(struct string_list *list)
{
    for (size_t i = 0; i < list->len; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct string_list){0};
}

static int add_to_list(const struct reading *r, const struct option *o, const char *value)
{
    struct string_list *list = (void *)((char *)r->config + o->at);
    char **items = realloc(list->items, (list->len + 2) * sizeof(char *));

    if (items == NULL)
        return fail(r, o->name, "out of memory");
    list->items = items;
    items[list->len] = *value == '\0' ? NULL : strdup(value);
    if (*value != '\0' && items[list->len] == NULL)
        return fail(r, o->name, "out of memory");
    list->len += *value != '\0';
    items[list->len] = NULL;
    return 0;
}

static int set_flag(const struct reading *r, const struct option *o, const char *value)
{
    bool *at = (void *)((char *)r->config + o->at);

    *at = strcmp(value, "yes") == 0;
    return *at || strcmp(value, "no") == 0 ? 0 : fail(r, o->name, "must be yes or no");
}

static int set_option(struct reading *r, const struct option *o, const char *value,
                      enum source source)
{
    enum source *set_by = &r->set_by[o - options];
    bool first = *set_by != source; /* the first time from here: it replaces, and does not add */

    if (*set_by > source)
        return 0;
    *set_by = source;
    switch (o->type) {
    case OPTION_TEXT:
    case OPTION_KEY:
        return set_text(r, o, value);
    case OPTION_LIST:
        if (first || *value == '\0')
            clear_list((void *)((char *)r->config + o->at));
        return add_to_list(r, o, value);
    case OPTION_NUMBER:
    case OPTION_BYTES:
    case OPTION_TIME:
        return set_quantity(r, o, value);
    case OPTION_CHOICE:
        return set_choice(r, o, value);
    case OPTION_FLAG:
        return set_flag(r, o, value);
    }
    return -EINVAL;
}

/* Sources. */

static int read_defaults(struct reading *r)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < OPTION_COUNT; i++) {
        if (options[i].type == OPTION_LIST)
            result = add_to_list(r, &options[i], options[i].def);
        else if (options[i].def != NULL)
            result = set_option(r, &options[i], options[i].def, SOURCE_DEFAULT);
    }
    return result;
}

static int read_flags(struct reading *r, int argc, char *const *argv)
{
    int result = 0;

    for (int i = 1; result == 0 && i < argc; i++) {
        const char *name = argv[i] + 2;
        const char *equals = strchr(argv[i], '=');
        const struct option *o = NULL;
        if (strncmp(argv[i], "--", 2) == 0)
            o = find_option(name, equals == NULL ? strlen(name) : (size_t)(equals - name));
        if (o == NULL)
            return fail(r, argv[i], "no such option; --help lists them");
        if (equals != NULL)
            result = set_option(r, o, equals + 1, SOURCE_FLAG);
        else if (o->type == OPTION_FLAG)
            result = set_option(r, o, "yes", SOURCE_FLAG);
        else if (i + 1 < argc)
            result = set_option(r, o, argv[++i], SOURCE_FLAG);
        else
            return fail(r, o->name, "needs a value");
    }
    return result;
}

static void environment_name(char out[ENV_NAME_MAX], const struct option *o)
{
    int len = snprintf(out, ENV_NAME_MAX, "NOTIFY_%s", o->name);

    for (int i = 0; i < len; i++)
        out[i] = out[i] == '-' ? '_' : (char)toupper((unsigned char)out[i]);
}

static const char *environment_value(char *const *envp, const char *name)
{
    size_t len = strlen(name);

    for (; *envp != NULL; envp++)
        if (strncmp(*envp, name, len) == 0 && (*envp)[len] == '=')
            return *envp + len + 1;
    return NULL;
}

static int read_environment(struct reading *r, char *const *envp)
{
    char name[ENV_NAME_MAX];
    int result = 0;

    for (size_t i = 0; result == 0 && i < OPTION_COUNT; i++) {
        const char *value;
        environment_name(name, &options[i]);
        value = environment_value(envp, name);
        if (value == NULL && options[i].alias != NULL)
            value = environment_value(envp, options[i].alias);
        if (value != NULL)
            result = set_option(r, &options[i], value, SOURCE_ENVIRONMENT);
    }
    return result;
}

static char *trimmed(char *text)
{
    char *end = text + strlen(text);

    while (end > text && isspace((unsigned char)end[-1]))
        *--end = '\0';
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

static int read_line(struct reading *r, char *line)
{
    char *name = trimmed(line);
    size_t len = strcspn(name, " \t");
    const struct option *o = find_option(name, len);

    if (*name == '\0' || *name == '#')
        return 0;
    if (o == NULL || o == find_option("config", 6))
        return fail(r, name, "no such option in a file");
    return set_option(r, o, trimmed(name + len), SOURCE_FILE);
}

static int read_file(struct reading *r, const char *path)
{
    char line[LINE_MAX_BYTES];
    FILE *file = fopen(path, "re");
    int result = 0;

    if (file == NULL)
        return fail(r, path, strerror(errno));
    while (result == 0 && fgets(line, sizeof(line), file) != NULL) {
        if (strchr(line, '\n') == NULL && !feof(file))
            result = fail(r, path, "a line is too long");
        else
            result = read_line(r, line);
    }
    if (result == 0 && ferror(file))
        result = fail(r, path, "cannot be read");
    (void)fclose(file); /* only read from */
    return result;
}

int config_read(struct config *ret, char error[CONFIG_ERROR_MAX], int argc, char *const *argv,
                char *const *envp)
{
    struct reading r = {.config = ret, .error = error};
    int result;

    *ret = (struct config){0};
    /* Strongest first, so that the file's name is known when its turn comes; set_option() keeps
     * what a stronger source has set. */
    if ((result = read_defaults(&r)) != 0 || (result = read_flags(&r, argc, argv)) != 0 ||
        (result = read_environment(&r, envp)) != 0)
        return result;
    if (ret->config_file != NULL && (result = read_file(&r, ret->config_file)) != 0)
        return result;
    if (ret->auth == CONFIG_AUTH_UNSET && !ret->help && !ret->help_markdown && !ret->version)
        return fail(&r, "auth", "must be given: --auth none (everyone is who they say they are)");
    return 0;
}

void config_release(struct config *config)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        void *at = (char *)config + options[i].at;
        if (options[i].type == OPTION_LIST)
            clear_list(at);
        else if (options[i].type == OPTION_TEXT || options[i].type == OPTION_KEY)
            free(*(char **)at);
    }
}

/* Printing. */

void config_print_help(FILE *out)
{
    fputs("Usage: notify-bridge --auth none [option …]\n\n"
          "Forwards notifications from Redis to WebSocket clients.\n\n",
          out);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &options[i];
        fprintf(out, "  --%s%s%s\n        %s", o->name, o->metavar == NULL ? "" : " ",
                o->metavar == NULL ? "" : o->metavar, o->help);
        if (o->def != NULL)
            fprintf(out, " Default: %s.", o->def);
        fputs("\n", out);
    }
    fputs("\nEvery option can also be set in the environment (--outbox-bytes is "
          "NOTIFY_OUTBOX_BYTES)\n"
          "or in the file of --config. A flag beats the environment, which beats the file.\n"
          "Times take ms, s, m or h (none: seconds), sizes K, M or G.\n"
          "Exit status: 0 clean, 1 runtime failure, 2 wrong usage or configuration.\n",
          out);
}

void config_print_markdown(FILE *out)
{
    char name[ENV_NAME_MAX];

    fputs(
        "# Options of notify-bridge\n\n"
        "Generated from the table that the program runs on: `notify-bridge --help-markdown`.\n\n"
        "A flag beats the environment, which beats the file of `--config` (one `name value` per\n"
        "line, `#` begins a comment), which beats the default. Times take `ms`, `s`, `m` or `h`\n"
        "(none: seconds), sizes `K`, `M` or `G`. Exit status: 0 clean, 1 runtime failure, 2 wrong\n"
        "usage or configuration.\n\n"
        "| flag | environment | default | meaning |\n| --- | --- | --- | --- |\n",
        out);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &options[i];
        environment_name(name, o);
        fprintf(out, "| `--%s%s%s` | `%s`", o->name, o->metavar == NULL ? "" : " ",
                o->metavar == NULL ? "" : o->metavar, name);
        if (o->alias != NULL)
            fprintf(out, ", `%s`", o->alias);
        fprintf(out, " | %s%s%s | %s |\n", o->def == NULL ? "" : "`", o->def == NULL ? "" : o->def,
                o->def == NULL ? "" : "`", o->help);
    }
}
