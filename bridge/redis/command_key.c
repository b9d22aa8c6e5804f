#include "redis/command_key.h"

#include <strings.h>

/* The words of those whose key is not the second one. subcommand: NULL for any. */
static const struct {
    const char *name, *subcommand;
    size_t key; /* 0: none */
} commands[] = {
    {"NOTIFY.SESSION", "RENEW", 4},                    /* LEASE ms stand between */
    {"NOTIFY.SESSION", NULL, 2},    {"EVAL", NULL, 3}, /* script and number of keys stand between */
    {"EVALSHA", NULL, 3},           {"PUBLISH", NULL, 0}, {"INFO", NULL, 0}, {"SCRIPT", NULL, 0},
    {"CLUSTER", NULL, 0},
};

static bool is_word(struct notify_str word, const char *text)
{
    return strncasecmp(word.ptr, text, word.len) == 0 && text[word.len] == '\0';
}

static size_t position_of_key(size_t argc, const struct notify_str *argv)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (is_word(argv[0], commands[i].name) &&
            (commands[i].subcommand == NULL ||
             (argc > 1 && is_word(argv[1], commands[i].subcommand))))
            return commands[i].key;
    return 1;
}

bool command_key(size_t argc, const struct notify_str *argv, struct notify_str *ret)
{
    size_t at = argc == 0 ? 0 : position_of_key(argc, argv);

    if (at == 0 || at >= argc)
        return false;
    *ret = argv[at];
    return true;
}

bool command_is_split(struct notify_str name)
{
    return is_word(name, "NOTIFY.SINCE");
}
