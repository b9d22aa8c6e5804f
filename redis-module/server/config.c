/* config -- see config.h. */
#include "server/config.h"

#include <strings.h>

#include "base/limits.h"
#include "base/versions.h"
#include "box/tokens.h"
#include "server/args.h"
#include "sessions/sessions.h"

static struct config config;

/* A setting that is a number. */
static struct config_number {
    const char *name;
    long long def, min, max;
    unsigned int flags;
    long long *value;
} numbers[] = {
    {"max-entries", 1000, 1, 10000000, RM_CONFIG_DEFAULT, &config.max_entries},
    {"max-entry-bytes", 64 * 1024, 1024, 16 * 1024 * 1024, RM_CONFIG_MEMORY,
     &config.max_entry_bytes},
    {"max-reply-bytes", 4 * 1024 * 1024, 64 * 1024, 512 * 1024 * 1024, RM_CONFIG_MEMORY,
     &config.max_reply_bytes},
    {"idempotency-window-ms", 24 * 60 * 60 * 1000, 1, INT32_MAX, RM_CONFIG_DEFAULT,
     &config.idempotency_window_ms},
    {"database", 0, 0, INT32_MAX, RM_CONFIG_DEFAULT, &config.database},
    {"idempotency-max", 1000, 1, LIMIT_TOKENS, RM_CONFIG_DEFAULT, &config.idempotency_max},
    {"session-max-connections", 1024, 1, LIMIT_CONNECTIONS, RM_CONFIG_DEFAULT,
     &config.session_max_connections},
    {"write-version", WRITE_VERSION_LATEST, WRITE_VERSION_FIRST, WRITE_VERSION_LATEST,
     RM_CONFIG_DEFAULT, &config.write_version},
};
enum { NUMBERS = sizeof numbers / sizeof numbers[0] };

static const char *publish_names[] = {"auto", "channel", "shard", "off"};
static const int publish_values[] = {CONFIG_PUBLISH_AUTO, CONFIG_PUBLISH_CHANNEL,
                                     CONFIG_PUBLISH_SHARD, CONFIG_PUBLISH_OFF};
enum { PUBLISH_NAMES = sizeof publish_values / sizeof publish_values[0] };

const struct config *config_get(void)
{
    return &config;
}

bool config_writes(int version)
{
    return config.write_version >= version;
}

static long long on_get_number(const char *name, void *privdata)
{
    (void)name;
    return *((struct config_number *)privdata)->value;
}

static int on_set_number(const char *name, long long value, void *privdata,
                         struct rm_string **error)
{
    (void)name, (void)error; /* the server has checked the range */
    *((struct config_number *)privdata)->value = value;
    return RM_OK;
}

static int on_get_publish(const char *name, void *privdata)
{
    (void)name, (void)privdata;
    return config.publish;
}

static int on_set_publish(const char *name, int value, void *privdata, struct rm_string **error)
{
    (void)name, (void)privdata, (void)error;
    config.publish = value;
    return RM_OK;
}

/* Bytes with the units of redis.conf; *ret_value is untouched when text is no such number. */
static bool parse_amount(struct notify_str text, bool is_memory, long long *ret_value)
{
    static const struct {
        const char *name;
        long long factor;
    } units[] = {{"b", 1}, {"k", 1000}, {"kb", 1024}, {"m", 1000 * 1000}, {"mb", 1024 * 1024}};
    uint64_t value;

    if (!notify_id_take_number(&text, &value) || value > INT32_MAX)
        return false;
    if (text.len == 0) {
        *ret_value = (long long)value;
        return true;
    }
    for (size_t i = 0; is_memory && i < sizeof units / sizeof units[0]; i++) {
        if (text.len == strlen(units[i].name) &&
            strncasecmp(text.ptr, units[i].name, text.len) == 0) {
            *ret_value = (long long)value * units[i].factor;
            return true;
        }
    }
    return false;
}

static bool set_number_default(struct config_number *number, struct notify_str value)
{
    long long amount;

    if (!parse_amount(value, number->flags == RM_CONFIG_MEMORY, &amount) || amount < number->min ||
        amount > number->max)
        return false;
    number->def = amount;
    return true;
}

static bool set_publish_default(struct notify_str value)
{
    for (int i = 0; i < PUBLISH_NAMES; i++) {
        if (value.len == strlen(publish_names[i]) &&
            strncasecmp(value.ptr, publish_names[i], value.len) == 0) {
            config.publish = publish_values[i];
            return true;
        }
    }
    return false;
}

static bool names(struct notify_str given, const char *name)
{
    static const char prefix[] = "notify.";
    size_t skip = 0;

    if (given.len >= sizeof prefix - 1 && strncasecmp(given.ptr, prefix, sizeof prefix - 1) == 0)
        skip = sizeof prefix - 1;
    return given.len - skip == strlen(name) &&
           strncasecmp(given.ptr + skip, name, given.len - skip) == 0;
}

static bool set_default(struct notify_str name, struct notify_str value)
{
    if (names(name, "publish"))
        return set_publish_default(value);
    for (int i = 0; i < NUMBERS; i++)
        if (names(name, numbers[i].name))
            return set_number_default(&numbers[i], value);
    return false;
}

static bool read_arguments(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct args args;

    args_init(&args, argv, argc, 0);
    for (int i = 0; i < argc; i += 2) {
        struct notify_str name = args_at(&args, i), value = {NULL, 0};

        if (i + 1 < argc)
            value = args_at(&args, i + 1);
        if (!set_default(name, value)) {
            rm_Log(ctx, "warning", "notify: no such setting, or a wrong value: %.*s %.*s",
                   (int)name.len, name.ptr, (int)value.len, value.len > 0 ? value.ptr : "");
            return false;
        }
    }
    return true;
}

bool config_init(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    if (!read_arguments(ctx, argv, argc))
        return false;
    for (int i = 0; i < NUMBERS; i++) {
        struct config_number *n = &numbers[i];
        if (n->def > n->max) /* a module with hardly any room: limits.h */
            n->def = n->max;
        if (rm_RegisterNumericConfig(ctx, n->name, n->def, n->flags, n->min, n->max, on_get_number,
                                     on_set_number, NULL, n) != RM_OK)
            return false;
    }
    if (rm_RegisterEnumConfig(ctx, "publish", config.publish, RM_CONFIG_DEFAULT, publish_names,
                              publish_values, PUBLISH_NAMES, on_get_publish, on_set_publish, NULL,
                              NULL) != RM_OK)
        return false;
    return rm_LoadConfigs(ctx) == RM_OK;
}
