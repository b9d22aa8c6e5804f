#include "requests/far_words.h"

#include "requests/words.h"

enum role { FILTER, LOG, LOGS, FLAG, VALUE };

static const struct option {
    struct notify_str name;
    enum role role;
    bool has_value;
    size_t field; /* of FLAG, a bool, and of VALUE: where it goes */
} options[] = {
    {NOTIFY_STR_INIT("LOG"), LOG, true, 0},
    {NOTIFY_STR_INIT("LOGS"), LOGS, true, 0},
    {NOTIFY_STR_INIT("CATEGORY"), FILTER, true, 0},
    {NOTIFY_STR_INIT("TYPE"), FILTER, true, 0},
    {NOTIFY_STR_INIT("NOTIFICATIONS"), FILTER, false, 0},
    {NOTIFY_STR_INIT("UNREAD"), FILTER, false, 0},
    {NOTIFY_STR_INIT("UNSEEN"), FILTER, false, 0},
    {NOTIFY_STR_INIT("ARCHIVED"), FILTER, false, 0},
    {NOTIFY_STR_INIT("TOTAL"), FLAG, false, offsetof(struct far_words, total)},
    {NOTIFY_STR_INIT("JSON"), FLAG, false, offsetof(struct far_words, json)},
    {NOTIFY_STR_INIT("COUNT"), VALUE, true, offsetof(struct far_words, count)},
    {NOTIFY_STR_INIT("UPTO"), VALUE, true, offsetof(struct far_words, upto)},
    {NOTIFY_STR_INIT("BEFORE"), VALUE, true, offsetof(struct far_words, before)},
    {NOTIFY_STR_INIT("BY"), VALUE, true, offsetof(struct far_words, by)},
};

#define FIRST_ARG 2 /* behind the command and the inbox */

/* NULL: it is none. */
static const struct option *option_of(struct notify_str word)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (notify_str_eq(options[i].name, word))
            return &options[i];
    return NULL;
}

/* A word of a number that we have written. */
static size_t number_of(struct notify_str word)
{
    size_t number = 0;

    for (size_t i = 0; i < word.len; i++)
        number = 10 * number + (size_t)(word.ptr[i] - '0');
    return number;
}

/* A walk over options; what a value looks like does not matter. */
struct walk {
    size_t argc;
    const struct notify_str *argv;
    size_t next;
    const struct option *option; /* the one that was found: its name stands at `at` */
    size_t at, values;           /* and so many words behind it are its own */
};

static struct walk walk_of(size_t fixed, size_t argc, const struct notify_str *argv)
{
    size_t next = FIRST_ARG + fixed;

    while (next < argc && option_of(argv[next]) == NULL)
        next++;
    return (struct walk){.argc = argc, .argv = argv, .next = next};
}

/* False: no more. */
static bool walk_on(struct walk *walk)
{
    if (walk->next >= walk->argc)
        return false;
    walk->at = walk->next;
    walk->option = option_of(walk->argv[walk->at]);
    walk->values = walk->option != NULL && walk->option->has_value;
    if (walk->option != NULL && walk->option->role == LOGS && walk->at + 1 < walk->argc)
        walk->values += number_of(walk->argv[walk->at + 1]);
    if (walk->values > walk->argc - walk->at - 1)
        walk->values = walk->argc - walk->at - 1;
    walk->next = walk->at + 1 + walk->values;
    return true;
}

size_t far_words_logs(size_t fixed, size_t argc, const struct notify_str *argv, size_t *ret_first)
{
    struct walk walk = walk_of(fixed, argc, argv);

    while (walk_on(&walk)) {
        if (walk.option == NULL || walk.values == 0 ||
            (walk.option->role != LOG && walk.option->role != LOGS))
            continue;
        *ret_first = walk.at + 1 + (walk.option->role == LOGS);
        return walk.values - (walk.option->role == LOGS);
    }
    return 0;
}

static void take(struct far_words *ret, const struct walk *walk)
{
    const struct option *option = walk->option;
    char *fields = (char *)ret;

    if (option == NULL)
        return;
    if (option->role == FLAG)
        *(bool *)(fields + option->field) = true;
    else if (option->role == VALUE && walk->values > 0)
        *(struct notify_str *)(void *)(fields + option->field) = walk->argv[walk->at + 1];
    ret->many |= option->role == LOGS;
}

static size_t keep(struct notify_str *at, const struct notify_str *from, size_t len)
{
    if (len > 0)
        memcpy(at, from, len * sizeof(*at));
    return len;
}

void far_words_read(struct far_words *ret, size_t fixed, size_t argc, const struct notify_str *argv,
                    struct notify_str *at)
{
    struct walk walk = walk_of(fixed, argc, argv);
    size_t first = 0;

    *ret = (struct far_words){.name = argv[0], .inbox = argv[1], .args = at};
    ret->args_len = keep(at, argv + FIRST_ARG, walk.next - FIRST_ARG);
    ret->filters = at + ret->args_len;
    while (walk_on(&walk)) {
        if (walk.option != NULL && walk.option->role == FILTER)
            ret->filters_len +=
                keep(at + ret->args_len + ret->filters_len, argv + walk.at, 1 + walk.values);
        take(ret, &walk);
    }
    ret->logs_len = far_words_logs(fixed, argc, argv, &first);
    ret->logs = ret->filters + ret->filters_len;
    (void)keep(at + ret->args_len + ret->filters_len, argv + first, ret->logs_len);
}

void far_words_add_filters(struct words *words, const struct far_words *of)
{
    for (size_t i = 0; i < of->filters_len; i++)
        words_add(words, of->filters[i]);
}
