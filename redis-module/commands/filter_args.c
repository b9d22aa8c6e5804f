/* filter_args -- see filter_args.h. */
#include "commands/filter_args.h"

#include "base/limits.h"

enum { FEED_COUNT = 100 };

static bool take_count(struct args *args, void *into)
{
    struct filter_args *wanted = into;

    return args_take_number(args, "COUNT", 0, REPLY_ENTRIES_MAX, &wanted->count);
}

static bool set_state(struct args *args, struct filter_args *wanted, enum box_state state)
{
    if (wanted->has_state)
        return args_fail(args, "ERR syntax error: only one of NOTIFICATIONS, UNREAD, READ, UNSEEN, "
                               "ARCHIVED and ALL may be given");
    wanted->has_state = true;
    wanted->filter.state = state;
    return true;
}

static bool take_notifications(struct args *args, void *into)
{
    return set_state(args, into, BOX_NOTIFICATIONS);
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
    wanted->filter.or_above = args_take_keyword(args, ">=");
    return args_take_level(args, &wanted->filter.level);
}

static bool take_entity(struct args *args, void *into)
{
    struct filter_args *wanted = into;

    return args_take_entity(args, &wanted->filter.entity_type, &wanted->filter.entity_id);
}

static bool take_json(struct args *args, void *into)
{
    struct filter_args *wanted = into;

    (void)args;
    wanted->json = true;
    return true;
}

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
static bool take_categories(struct args *args, void *into)
{
    struct filter_args *wanted = into;
    struct notify_str name;

    do {
        if (!args_take_str(args, "CATEGORY", &name) ||
            !add_category(&wanted->categories, args, name))
            return false;
    } while (!args_done(args) &&
             !args_is_option(args_at(args, args->pos), wanted->options, wanted->option_count));
    return true;
}

static bool take_logs(struct args *args, void *into)
{
    struct filter_args *wanted = into;

    return log_args_take(args, &wanted->logs);
}

static bool take_log(struct args *args, void *into)
{
    struct filter_args *wanted = into;

    return log_args_take_one(args, &wanted->log);
}

/* An id, or what a reply said comes next: an id, ':' and the name of a box. */
static bool take_before(struct args *args, void *into)
{
    struct filter_args *wanted = into;
    struct notify_str text;
    const char *colon;
    size_t id_len;

    if (!args_take_str(args, "BEFORE", &text))
        return false;
    colon = text.len == 0 ? NULL : memchr(text.ptr, ':', text.len);
    id_len = colon == NULL ? text.len : (size_t)(colon - text.ptr);
    wanted->has_before = true;
    if (colon != NULL)
        wanted->before.name = notify_str_of(colon + 1, text.len - id_len - 1);
    return notify_id_parse(notify_str_of(text.ptr, id_len), 0, &wanted->before.id) ||
           args_fail_value(args, "BEFORE", "an id, or what a reply says comes next", text);
}

static bool take_offset(struct args *args, void *into)
{
    struct filter_args *wanted = into;

    return args_take_number(args, "OFFSET", 0, REPLY_ENTRIES_MAX, &wanted->offset);
}

static bool take_total(struct args *args, void *into)
{
    struct filter_args *wanted = into;

    (void)args;
    wanted->total = true;
    return true;
}

static bool take_by(struct args *args, void *into)
{
    static const struct notify_str names[] = {
        [GROUP_CATEGORY] = NOTIFY_STR_INIT("CATEGORY"),
        [GROUP_TYPE] = NOTIFY_STR_INIT("TYPE"),
        [GROUP_LEVEL] = NOTIFY_STR_INIT("LEVEL"),
        [GROUP_ENTITY] = NOTIFY_STR_INIT("ENTITY"),
    };
    struct filter_args *wanted = into;
    struct notify_str word;

    wanted->has_by = true;
    if (!args_take_str(args, "BY", &word))
        return false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        wanted->by = (enum group_by)i;
        if (args_is_keyword(word, names[i]))
            return true;
    }
    return args_fail_value(args, "BY", "category, type, level or entity", word);
}

bool filter_args_take_ends(struct args *args, bool reverse, struct box_range *ret_range)
{
    *ret_range = (struct box_range){.reverse = reverse};
    if (reverse)
        return args_take_range_end(args, &ret_range->to) &&
               args_take_range_start(args, &ret_range->from);
    return args_take_range_start(args, &ret_range->from) &&
           args_take_range_end(args, &ret_range->to);
}

static bool take_range_option(struct args *args, struct filter_args *wanted, bool reverse)
{
    if (wanted->has_range)
        return args_fail(args, "ERR syntax error: only one of RANGE and REVRANGE may be given");
    wanted->has_range = true;
    return filter_args_take_ends(args, reverse, &wanted->range);
}

static bool take_range(struct args *args, void *into)
{
    return take_range_option(args, into, false);
}

static bool take_revrange(struct args *args, void *into)
{
    return take_range_option(args, into, true);
}

#define STATES                                                                                     \
    ARG_OPTION("NOTIFICATIONS", take_notifications), ARG_OPTION("UNREAD", take_unread),            \
        ARG_OPTION("READ", take_read), ARG_OPTION("UNSEEN", take_unseen),                          \
        ARG_OPTION("ARCHIVED", take_archived), ARG_OPTION("ALL", take_all)
#define CATEGORIES ARG_OPTION_MANY("CATEGORY", take_categories)
#define FILTERS                                                                                    \
    STATES, CATEGORIES, ARG_OPTION_TEXT("TYPE", take_type), ARG_OPTION("EVENT", take_event),       \
        ARG_OPTION("LEVEL", take_level), ARG_OPTION("ENTITY", take_entity)

static const struct arg_option range_options[] = {
    FILTERS,
    ARG_OPTION("COUNT", take_count),
    ARG_OPTION("JSON", take_json),
    ARG_OPTION("LOG", take_log),
};
static const struct arg_option count_options[] = {FILTERS, ARG_OPTION("LOG", take_log)};
static const struct arg_option feed_options[] = {
    FILTERS,
    ARG_OPTION("COUNT", take_count),
    ARG_OPTION("JSON", take_json),
    ARG_OPTION("LOGS", take_logs),
    ARG_OPTION("BEFORE", take_before),
    ARG_OPTION("OFFSET", take_offset),
    ARG_OPTION("TOTAL", take_total),
};
static const struct arg_option view_options[] = {
    FILTERS,
    ARG_OPTION("COUNT", take_count),
    ARG_OPTION("JSON", take_json),
    ARG_OPTION("RANGE", take_range),
    ARG_OPTION("REVRANGE", take_revrange),
    ARG_OPTION("TOTAL", take_total),
    ARG_OPTION("BY", take_by),
};
static const struct arg_option unread_options[] = {CATEGORIES, ARG_OPTION("LOGS", take_logs),
                                                   ARG_OPTION("BY", take_by)};
static const struct arg_option badge_options[] = {CATEGORIES, ARG_OPTION("LOGS", take_logs)};

#define TABLE(array)                                                                               \
    {                                                                                              \
        (array), sizeof(array) / sizeof((array)[0])                                                \
    }
static const struct {
    const struct arg_option *options;
    size_t count;
} tables[] = {
    [FILTER_RANGE] = TABLE(range_options), [FILTER_COUNT] = TABLE(count_options),
    [FILTER_FEED] = TABLE(feed_options),   [FILTER_UNREAD] = TABLE(unread_options),
    [FILTER_BADGE] = TABLE(badge_options), [FILTER_VIEW] = TABLE(view_options),
};

/* What chooses entries says nothing where none are asked for. */
static bool check_view(const struct filter_args *wanted, struct args *args)
{
    bool chooses = !filter_args_are_plain(wanted) || wanted->json || wanted->total ||
                   wanted->count != REPLY_ENTRIES_MAX;

    if (wanted->has_range || !chooses)
        return true;
    return args_fail(args, "ERR syntax error: RANGE or REVRANGE is needed with filters, COUNT, "
                           "TOTAL and JSON");
}

bool filter_args_take(struct filter_args *wanted, enum filter_use use, struct args *args)
{
    uint32_t seen;

    memset(wanted, 0, sizeof *wanted);
    wanted->options = tables[use].options;
    wanted->option_count = tables[use].count;
    wanted->count = use == FILTER_FEED ? FEED_COUNT : REPLY_ENTRIES_MAX;
    if (!args_take_options(args, wanted->options, wanted->option_count, wanted, &seen))
        return false;
    wanted->filter.categories = wanted->categories.list;
    wanted->filter.category_count = wanted->categories.count;
    return use != FILTER_VIEW || check_view(wanted, args);
}

bool filter_args_are_plain(const struct filter_args *wanted)
{
    const struct box_filter *filter = &wanted->filter;

    return !wanted->has_state && !filter->has_level && filter->type.ptr == NULL &&
           filter->event.ptr == NULL && filter->entity_type.ptr == NULL;
}
