/* filter_args -- see filter_args.h. */
#include "commands/filter_args.h"

#include "base/limits.h"

static bool take_count(struct args *args, void *into)
{
    struct filter_args *wanted = into;

    return args_take_number(args, "COUNT", 0, REPLY_ENTRIES_MAX, &wanted->count);
}

static bool set_state(struct args *args, struct filter_args *wanted, enum box_state state)
{
    if (wanted->has_state)
        return args_fail(args, "ERR syntax error: only one of UNREAD, READ, UNSEEN, ARCHIVED and "
                               "ALL may be given");
    wanted->has_state = true;
    wanted->filter.state = state;
    return true;
}

static bool take_unread(struct args *args, void *into)
{
    return set_state(args, into, BOX_UNREAD);
}

static bool take_read(struct args *args, void *into)
{
    return set_state(args, into, BOX_READ);
}

static bool take_unseen(struct args *args, void *into)
{
    return set_state(args, into, BOX_UNSEEN);
}

static bool take_archived(struct args *args, void *into)
{
    return set_state(args, into, BOX_ARCHIVED);
}

static bool take_all(struct args *args, void *into)
{
    return set_state(args, into, BOX_ALL);
}

static bool take_type(struct args *args, void *into)
{
    struct filter_args *wanted = into;

    return args_take_str(args, "TYPE", &wanted->filter.type);
}

static bool take_event(struct args *args, void *into)
{
    struct filter_args *wanted = into;

    return args_take_str(args, "EVENT", &wanted->filter.event);
}

static bool take_level(struct args *args, void *into)
{
    struct filter_args *wanted = into;

    wanted->filter.has_level = true;
    return args_take_level(args, &wanted->filter.level);
}

static bool take_json(struct args *args, void *into)
{
    struct filter_args *wanted = into;

    (void)args;
    wanted->json = true;
    return true;
}

static bool take_range_categories(struct args *args, void *into);
static bool take_only_categories(struct args *args, void *into);
static bool take_unread_categories(struct args *args, void *into);
static bool take_unread_logs(struct args *args, void *into);

static const struct arg_option range_options[] = {
    ARG_OPTION("COUNT", take_count),    ARG_OPTION("JSON", take_json),
    ARG_OPTION("UNREAD", take_unread),  ARG_OPTION("READ", take_read),
    ARG_OPTION("UNSEEN", take_unseen),  ARG_OPTION("ARCHIVED", take_archived),
    ARG_OPTION("ALL", take_all),        ARG_OPTION_MANY("CATEGORY", take_range_categories),
    ARG_OPTION_TEXT("TYPE", take_type), ARG_OPTION("EVENT", take_event),
    ARG_OPTION("LEVEL", take_level),
};
static const struct arg_option category_options[] = {
    ARG_OPTION_MANY("CATEGORY", take_only_categories),
};
static const struct arg_option unread_options[] = {
    ARG_OPTION_MANY("CATEGORY", take_unread_categories),
    ARG_OPTION("LOGS", take_unread_logs),
};
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static bool add_category(struct filter_categories *categories, struct args *args,
                         struct notify_str name)
{
    for (size_t i = 0; i < categories->count; i++)
        if (notify_str_eq(categories->list[i], name))
            return true;
    if (categories->count == FILTER_CATEGORIES_MAX)
        return args_fail(args, "ERR CATEGORY must be at most %d names", FILTER_CATEGORIES_MAX);
    categories->list[categories->count++] = name;
    return true;
}

/* CATEGORY's first word is always a name; the list ends at the next word that is an option. A
 * category that is called like an option follows a CATEGORY of its own. */
static bool take_categories(struct filter_categories *categories, struct args *args,
                            const struct arg_option *options, size_t count)
{
    struct notify_str name;

    do {
        if (!args_take_str(args, "CATEGORY", &name) || !add_category(categories, args, name))
            return false;
    } while (!args_done(args) && !args_is_option(args_at(args, args->pos), options, count));
    return true;
}

static bool take_range_categories(struct args *args, void *into)
{
    struct filter_args *wanted = into;

    return take_categories(&wanted->categories, args, range_options, COUNT_OF(range_options));
}

static bool take_only_categories(struct args *args, void *into)
{
    return take_categories(into, args, category_options, COUNT_OF(category_options));
}

static bool take_unread_categories(struct args *args, void *into)
{
    struct filter_unread *wanted = into;

    return take_categories(&wanted->categories, args, unread_options, COUNT_OF(unread_options));
}

static bool take_unread_logs(struct args *args, void *into)
{
    struct filter_unread *wanted = into;

    return log_args_take(args, &wanted->logs);
}

bool filter_args_take(struct filter_args *wanted, struct args *args)
{
    uint32_t seen;

    memset(wanted, 0, sizeof *wanted);
    wanted->count = REPLY_ENTRIES_MAX;
    if (!args_take_options(args, range_options, COUNT_OF(range_options), wanted, &seen))
        return false;
    wanted->filter.categories = wanted->categories.list;
    wanted->filter.category_count = wanted->categories.count;
    return true;
}

bool filter_args_take_categories(struct filter_categories *categories, struct args *args)
{
    uint32_t seen;

    categories->count = 0;
    return args_take_options(args, category_options, COUNT_OF(category_options), categories, &seen);
}

bool filter_args_take_unread(struct filter_unread *wanted, struct args *args)
{
    uint32_t seen;

    wanted->categories.count = 0;
    wanted->logs = (struct log_args){NULL, 0};
    return args_take_options(args, unread_options, COUNT_OF(unread_options), wanted, &seen);
}
