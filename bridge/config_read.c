#include "config_read.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "config.h"
#include "identity/jwt_keys.h"
#include "identity/key_names.h"
#include "net/http_fetch.h"
#include "net/listen_address.h"
#include "net/server_tls_config.h"
#include "options.h"
#include "redis/redis_address.h"
#include "redis/topology_config.h"
#include "wire/entry_uuid.h"

#define LINE_MAX_BYTES 4096

/* Where an option was last set; a weaker source does not come later. */
enum source { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENVIRONMENT, SOURCE_FLAG };

struct reading {
    struct config *config;
    char *error;
    enum source set_by[OPTION_COUNT];
    const char *file; /* that is being read, and the line; NULL: none is */
    unsigned line;
    const char *variable; /* that is being read; NULL: none is */
};

/* Says where it stands: "file:line: " in front, the variable behind. */
static int fail(const struct reading *r, const char *name, const char *expected)
{
    char where[CONFIG_ERROR_MAX / 2] = "";
    bool from_variable = r->variable != NULL;

    if (r->file != NULL && r->line > 0)
        (void)snprintf(where, sizeof(where), "%s:%u: ", r->file, r->line); /* cut, as below */
    (void)snprintf(r->error, CONFIG_ERROR_MAX, "%s%s: %s%s%s%s", where, name, expected,
                   from_variable ? " (" : "", from_variable ? r->variable : "",
                   from_variable ? ")" : "");
    return -EINVAL;
}

/* Values. */

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit no_units[] = {{"", 1}, {NULL, 0}};
static const struct unit byte_units[] = {
    {"", 1}, {"K", 1024}, {"M", 1024 * 1024}, {"G", 1024 * 1024 * 1024}, {NULL, 0}};
static const struct unit time_units[] = {{"", 1000},   {"ms", 1},      {"s", 1000},
                                         {"m", 60000}, {"h", 3600000}, {NULL, 0}};

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

static int check(const struct reading *r, const struct option *o, const char *value)
{
    const char *why = o->check == NULL ? NULL : o->check(value);

    return why == NULL ? 0 : fail(r, o->name, why);
}

static int set_text(const struct reading *r, const struct option *o, const char *value)
{
    char **at = (void *)((char *)r->config + o->at);
    char *copy;

    if (check(r, o, value) != 0)
        return -EINVAL;
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
    char **items;

    if (*value != '\0' && check(r, o, value) != 0)
        return -EINVAL;
    items = realloc(list->items, (list->len + 2) * sizeof(char *));
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

static char *trimmed(char *text)
{
    char *end = text + strlen(text);

    while (end > text && isspace((unsigned char)end[-1]))
        *--end = '\0';
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

/* Items between commas; empty ones are passed over. */
static int add_items(const struct reading *r, const struct option *o, const char *value)
{
    char *copy = strdup(value), *save = NULL;
    int result = copy == NULL ? fail(r, o->name, "out of memory") : 0;

    for (char *item = copy == NULL ? NULL : strtok_r(copy, ",", &save); item != NULL && result == 0;
         item = strtok_r(NULL, ",", &save)) {
        item = trimmed(item);
        if (*item != '\0')
            result = add_to_list(r, o, item);
    }
    free(copy);
    return result;
}

static bool is_list(const struct option *o)
{
    return o->type == OPTION_LIST || o->type == OPTION_ITEMS;
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
        return set_text(r, o, value);
    case OPTION_LIST:
    case OPTION_ITEMS:
        if (first || *value == '\0')
            clear_list((void *)((char *)r->config + o->at));
        return (o->type == OPTION_LIST ? add_to_list : add_items)(r, o, value);
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
        if (options[i].type == OPTION_LIST && options[i].def != NULL)
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
            o = option_find(name, equals == NULL ? strlen(name) : (size_t)(equals - name));
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

/* The value of an option, whose name is written to name; NULL: it is not set. */
static const char *environment_value(char *const *envp, const char *name)
{
    size_t len = strlen(name);

    for (; *envp != NULL; envp++)
        if (strncmp(*envp, name, len) == 0 && (*envp)[len] == '=')
            return *envp + len + 1;
    return NULL;
}

static int read_variable(struct reading *r, const struct option *o, char *const *envp)
{
    char name[OPTION_ENVIRONMENT_NAME_MAX];
    const char *value;
    int result;

    option_environment_name(o, name);
    r->variable = name;
    value = environment_value(envp, name);
    if (value == NULL && o->alias != NULL) {
        r->variable = o->alias;
        value = environment_value(envp, o->alias);
    }
    result = value == NULL ? 0 : set_option(r, o, value, SOURCE_ENVIRONMENT);
    r->variable = NULL;
    return result;
}

static bool is_name_of_option(const char *variable, size_t len)
{
    char name[OPTION_ENVIRONMENT_NAME_MAX];

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        option_environment_name(&options[i], name);
        if (strlen(name) == len && memcmp(name, variable, len) == 0)
            return true;
    }
    return false;
}

/* systemd's, for services (service.h): its name begins as ours do. */
static const char *const not_ours = "NOTIFY_SOCKET";

/* Variables that begin as ours and are none. */
static int note_unknown(struct reading *r, char *const *envp)
{
    static const struct option unknown = {.name = "environment",
                                          .at = offsetof(struct config, unknown)};
    int result = 0;

    for (; result == 0 && *envp != NULL; envp++) {
        size_t len = strcspn(*envp, "=");
        char name[OPTION_ENVIRONMENT_NAME_MAX];
        if (strncmp(*envp, OPTION_ENVIRONMENT_PREFIX, strlen(OPTION_ENVIRONMENT_PREFIX)) != 0 ||
            is_name_of_option(*envp, len) ||
            (len == strlen(not_ours) && memcmp(*envp, not_ours, len) == 0))
            continue;
        (void)snprintf(name, sizeof(name), "%.*s", (int)len, *envp); /* cut if too long */
        result = add_to_list(r, &unknown, name);
    }
    return result;
}

static int read_environment(struct reading *r, char *const *envp)
{
    int result = note_unknown(r, envp);

    for (size_t i = 0; result == 0 && i < OPTION_COUNT; i++)
        result = read_variable(r, &options[i], envp);
    return result;
}

static int read_line(struct reading *r, char *line)
{
    char *name = trimmed(line);
    size_t len = strcspn(name, " \t");
    char *value = trimmed(name + len);
    const struct option *o = option_find(name, len);

    if (*name == '\0' || *name == '#')
        return 0;
    name[len] = '\0';
    if (o == NULL || o == option_find("config", 6))
        return fail(r, name, "no such option in a file");
    return set_option(r, o, value, SOURCE_FILE);
}

static int read_lines(struct reading *r, FILE *file)
{
    char line[LINE_MAX_BYTES];
    int result = 0;

    while (result == 0 && fgets(line, sizeof(line), file) != NULL) {
        r->line++;
        if (strchr(line, '\n') == NULL && !feof(file))
            result = fail(r, "a line", "is too long");
        else
            result = read_line(r, line);
    }
    return result;
}

static int read_file(struct reading *r, const char *path)
{
    FILE *file = fopen(path, "re");
    int result;

    if (file == NULL)
        return fail(r, path, strerror(errno));
    r->file = path;
    result = read_lines(r, file);
    r->file = NULL;
    if (result == 0 && ferror(file))
        result = fail(r, path, strerror(errno));
    (void)fclose(file); /* only read from */
    return result;
}

/* Whoever may follow a topic or a session must not by its name follow somebody's inbox. */
static int check_keys_apart(const struct reading *r)
{
    const struct config *c = r->config;
    const char *patterns[] = {c->topic_key, c->session_key, c->inbox_key};

    for (size_t i = 0; i < 3; i++)
        for (size_t j = i + 1; j < 3; j++)
            if (key_patterns_meet(patterns[i], patterns[j]))
                return fail(r, "inbox-key, topic-key, session-key",
                            "must be such that no key can be of two of them");
    return 0;
}

static int check_jwt(const struct reading *r)
{
    const struct config *c = r->config;

    if (check_keys_apart(r) != 0)
        return -EINVAL;
    if (c->jwt_secrets.len == 0 && c->jwt_key == NULL && c->jwt_jwks == NULL)
        return fail(r, "auth", "is jwt: --jwt-secret, --jwt-key or --jwt-jwks must be given, too");
    for (size_t i = 0; i < c->jwt_secrets.len; i++)
        if (strlen(c->jwt_secrets.items[i]) < JWT_SECRET_MIN)
            return fail(r, "jwt-secret",
                        "must have " TEXT_OF(
                            JWT_SECRET_MIN) " bytes at least: shorter ones can be guessed");
    if (c->jwt_key != NULL && c->jwt_jwks != NULL && !http_fetch_is_url(c->jwt_jwks))
        return fail(r, "jwt-key, jwt-jwks", "cannot both be files: put all keys into one");
    if (c->anonymous_role != NULL && c->roles_file == NULL)
        return fail(r, "anonymous-role", "needs --roles, which says what it may do");
    for (size_t i = 0; c->jwt_cookie != NULL && i < c->cors_origins.len; i++)
        if (strcmp(c->cors_origins.items[i], "*") == 0)
            return fail(r, "jwt-cookie", "cannot be used while --cors-origins lets all pages in");
    return 0;
}

/* Whoever reaches it is who they say they are: that must not be another machine by mistake. */
static int check_no_auth(const struct reading *r)
{
    const struct config *c = r->config;

    for (size_t i = 0; !c->insecure_no_auth && i < c->listen.len; i++)
        if (!listen_address_is_local(c->listen.items[i]))
            return fail(r, "auth",
                        "is none, and other machines can connect to --listen: use "
                        "--auth jwt, or say --insecure-no-auth");
    return 0;
}

/* Whoever reaches it may do all: that is this machine, or somebody with a certificate. */
static int check_admin(const struct reading *r)
{
    const struct config *c = r->config;
    bool certified = c->tls_client_ca != NULL && c->tls_client_auth != SERVER_TLS_OPTIONAL &&
                     c->tls_client_auth != SERVER_TLS_OFF;
    struct listen_kind kind;

    for (size_t i = 0; i < c->admin_listen.len; i++)
        if (!listen_address_is_local(c->admin_listen.items[i]) &&
            !(certified && listen_address_kind(c->admin_listen.items[i], &kind) && kind.tls))
            return fail(r, "admin-listen",
                        "can be reached from other machines: that needs ,tls and --tls-client-ca, "
                        "with certificates required");
    return 0;
}

static int check_auth(const struct reading *r)
{
    switch (r->config->auth) {
    case CONFIG_AUTH_NONE:
        return check_no_auth(r);
    case CONFIG_AUTH_JWT:
        return check_jwt(r);
    default:
        return fail(r, "auth", "must be given: jwt, or none (everyone is who they say they are)");
    }
}

/* Everybody's inbox follows all of them: by a UUID one would be taken for the other. */
static int check_broadcast_logs(const struct reading *r)
{
    const struct string_list *logs = &r->config->broadcast_logs;
    char text[160];

    for (size_t i = 0; i < logs->len; i++)
        for (size_t j = i + 1; j < logs->len; j++) {
            if (strcmp(logs->items[i], logs->items[j]) == 0 ||
                entry_uuid_tag(notify_str_z(logs->items[i])) !=
                    entry_uuid_tag(notify_str_z(logs->items[j])))
                continue;
            (void)snprintf(text, sizeof(text),
                           "%.48s and %.48s cannot be told apart in UUIDs: "
                           "one must have another name",
                           logs->items[i], logs->items[j]);
            return fail(r, "broadcast-log", text);
        }
    return 0;
}

/* What is given for TLS is not to be taken for TLS. */
static int check_redis_tls(const struct reading *r)
{
    const struct config *c = r->config;
    const char *const needing[][2] = {{"redis-tls-ca", c->redis_tls_ca},
                                      {"redis-tls-cert", c->redis_tls_cert},
                                      {"redis-tls-key", c->redis_tls_key},
                                      {"redis-tls-name", c->redis_tls_name}};

    if ((c->redis_tls_cert == NULL) != (c->redis_tls_key == NULL))
        return fail(r, "redis-tls-cert, redis-tls-key", "must be given together");
    if (topology_needs_tls((enum topology_mode)c->redis_mode, c->redis,
                           (enum topology_sentinel_tls)c->sentinel_tls))
        return 0;
    for (size_t i = 0; i < sizeof(needing) / sizeof(needing[0]); i++)
        if (needing[i][1] != NULL)
            return fail(r, needing[i][0], "is given, but --redis does not begin with rediss://");
    return 0;
}

static bool has_tls(const struct string_list *addresses)
{
    struct listen_kind kind;

    for (size_t i = 0; i < addresses->len; i++)
        if (listen_address_kind(addresses->items[i], &kind) && kind.tls)
            return true;
    return false;
}

static bool has_tls_listener(const struct config *config)
{
    return has_tls(&config->listen) || has_tls(&config->metrics_listen) ||
           has_tls(&config->admin_listen);
}

/* Who thinks that clients must show certificates is not to be wrong about it. */
static int check_tls(const struct reading *r)
{
    const struct config *c = r->config;
    bool asked =
        c->tls_client_auth == SERVER_TLS_OPTIONAL || c->tls_client_auth == SERVER_TLS_REQUIRED;

    if (asked && c->tls_client_ca == NULL)
        return fail(r, "tls-client-auth",
                    "needs --tls-client-ca, which says who may vouch for clients");
    if (!has_tls_listener(c))
        return c->tls_client_ca == NULL
                   ? 0
                   : fail(r, "tls-client-ca", "is given, but no address of --listen has ,tls");
    if (c->tls_cert == NULL || c->tls_key == NULL)
        return fail(r, has_tls(&c->listen) ? "listen" : "metrics-listen",
                    "has ,tls: --tls-cert and --tls-key must be given, too");
    return 0;
}

static int check_sentinel(const struct reading *r)
{
    const struct config *c = r->config;

    if (redis_address_count(c->redis) == 0)
        return fail(r, "redis", "must name Sentinels by host and port: --redis-mode is sentinel");
    return c->sentinel_master != NULL && c->sentinel_master[0] != '\0'
               ? 0
               : fail(r, "sentinel-master", "must be given: --redis-mode is sentinel");
}

static int check_cluster(const struct reading *r)
{
    const char *url = r->config->redis;

    if (redis_address_count(url) == 0)
        return fail(r, "redis", "must name servers by host and port: --redis-mode is cluster");
    if (r->config->redis_subscribe == CONFIG_SUBSCRIBE_REPLICAS)
        return fail(r, "redis-subscribe",
                    "is replicas, but --redis-mode is cluster: what a cluster publishes reaches "
                    "replicas apart from what they replicate, and nobody sees what gets lost");
    return redis_address_database(url) == 0
               ? 0
               : fail(r, "redis", "names a database: a cluster has number 0 alone");
}

static int check_topology(const struct reading *r)
{
    const struct config *c = r->config;

    if (c->redis_mode == TOPOLOGY_SENTINEL)
        return check_sentinel(r);
    if (c->sentinel_master != NULL || c->sentinel_user != NULL || c->sentinel_password != NULL)
        return fail(r, "sentinel-master, sentinel-user, sentinel-password",
                    "need --redis-mode sentinel");
    if (c->redis_mode == TOPOLOGY_CLUSTER)
        return check_cluster(r);
    if (redis_address_count(c->redis) > 1)
        return fail(r, "redis",
                    "names several servers: that needs --redis-mode sentinel or cluster");
    return 0;
}

/* What no option can be blamed for alone. */
static int check_together(const struct reading *r)
{
    const struct config *c = r->config;

    if (c->listen.len == 0)
        return fail(r, "listen", "must name at least one address");
    if (check_auth(r) != 0 || check_admin(r) != 0 || check_broadcast_logs(r) != 0 ||
        check_redis_tls(r) != 0 || check_topology(r) != 0 || check_tls(r) != 0)
        return -EINVAL;
    if (strcmp(c->inbox_key, c->topic_key) == 0 || strcmp(c->inbox_key, c->session_key) == 0 ||
        strcmp(c->topic_key, c->session_key) == 0)
        return fail(r, "inbox-key, topic-key, session-key", "must differ from each other");
    return 0;
}

int config_read(struct config *ret, char error[CONFIG_ERROR_MAX], int argc, char *const *argv,
                char *const *envp)
{
    struct reading r = {.config = ret, .error = error};
    int result;

    *ret = (struct config){.argc = argc, .argv = argv, .envp = envp};
    /* Strongest first, so that the file's name is known when its turn comes; set_option() keeps
     * what a stronger source has set. */
    if ((result = read_defaults(&r)) != 0 || (result = read_flags(&r, argc, argv)) != 0 ||
        (result = read_environment(&r, envp)) != 0)
        return result;
    if (ret->config_file != NULL && (result = read_file(&r, ret->config_file)) != 0)
        return result;
    return ret->help || ret->help_markdown || ret->help_as != 0 || ret->metrics_markdown ||
                   ret->version || ret->top != NULL || ret->probe != NULL
               ? 0
               : check_together(&r);
}

void config_release(struct config *config)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        void *at = (char *)config + options[i].at;
        if (is_list(&options[i]))
            clear_list(at);
        else if (options[i].type == OPTION_TEXT)
            free(*(char **)at);
    }
    clear_list(&config->unknown);
}

/* While a process runs. */

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_list(const struct string_list *a, const struct string_list *b)
{
    if (a->len != b->len)
        return false;
    for (size_t i = 0; i < a->len; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return true;
}

static size_t size_of_value(const struct option *o)
{
    if (is_list(o))
        return sizeof(struct string_list);
    return o->type == OPTION_TEXT   ? sizeof(char *)
           : o->type == OPTION_FLAG ? sizeof(bool)
                                    : sizeof(uint64_t);
}

static bool same_value(const struct option *o, const struct config *a, const struct config *b)
{
    const void *one = (const char *)a + o->at, *other = (const char *)b + o->at;

    if (o->type == OPTION_TEXT)
        return same_text(*(char *const *)one, *(char *const *)other);
    return is_list(o) ? same_list(one, other) : memcmp(one, other, size_of_value(o)) == 0;
}

static void swap_value(const struct option *o, struct config *a, struct config *b)
{
    char *one = (char *)a + o->at, *other = (char *)b + o->at, kept[sizeof(struct string_list)];
    size_t size = size_of_value(o);

    memcpy(kept, one, size);
    memcpy(one, other, size);
    memcpy(other, kept, size);
}

static void swap_live(struct config *a, struct config *b)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (options[i].live)
            swap_value(&options[i], a, b);
}

/* NULL: all that is different may be so. */
static const struct option *find_fixed(const struct config *a, const struct config *b)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (!options[i].live && !same_value(&options[i], a, b))
            return &options[i];
    return NULL;
}

int config_reload(struct config *config, struct config *ret_old, char error[CONFIG_ERROR_MAX])
{
    const struct reading r = {.config = config, .error = error};
    const struct option *fixed;
    int result = config_read(ret_old, error, config->argc, config->argv, config->envp);

    fixed = result == 0 ? find_fixed(config, ret_old) : NULL;
    if (fixed != NULL)
        result = fail(&r, fixed->name, "is another one than at the start: that needs a restart");
    if (result != 0) {
        config_release(ret_old);
        return result;
    }
    swap_live(config, ret_old);
    return 0;
}

void config_undo(struct config *config, struct config *old)
{
    swap_live(config, old);
    config_release(old);
}
