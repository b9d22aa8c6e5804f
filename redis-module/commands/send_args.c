/* send_args -- see send_args.h. */
#include "commands/send_args.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "server/clock.h"
#include "server/config.h"
#include "server/replay.h"
#include "base/limits.h"
#include "base/scratch.h"
#include "box/tokens.h"
#include "message/state_types.h"
#include "base/utf8.h"

/* ---- options ---- */

static void keep(struct send_spec *spec, struct args *args, int from)
{
    for (int i = from; i < args->pos; i++)
        spec->kept[spec->kept_count++] = args->argv[i];
}

/* A value that goes into the body. The keyword stands right before the cursor. */
static bool take_field(struct args *args, struct send_spec *spec, const char *name,
                       enum body_field field)
{
    if (!args_take_str(args, name, &spec->body.field[field]))
        return false;
    keep(spec, args, args->pos - 2);
    return true;
}

static bool take_content(struct args *args, void *into)
{
    return take_field(args, into, "CONTENT", BODY_CONTENT);
}

static bool take_type(struct args *args, void *into)
{
    return take_field(args, into, "TYPE", BODY_TYPE);
}

static bool take_event(struct args *args, void *into)
{
    return take_field(args, into, "EVENT", BODY_EVENT);
}

static bool take_action(struct args *args, void *into)
{
    return take_field(args, into, "ACTION", BODY_ACTION);
}

static bool take_data(struct args *args, void *into)
{
    return take_field(args, into, "DATA", BODY_DATA);
}

static bool take_exclude(struct args *args, void *into)
{
    return take_field(args, into, "EXCLUDE", BODY_EXCLUDE);
}

static bool take_collapse(struct args *args, void *into)
{
    return take_field(args, into, "COLLAPSE", BODY_COLLAPSE);
}

static bool take_entity(struct args *args, void *into)
{
    struct send_spec *spec = into;

    if (!args_take_str(args, "ENTITY type", &spec->body.field[BODY_ENTITY_TYPE]) ||
        !args_take_str(args, "ENTITY id", &spec->body.field[BODY_ENTITY_ID]))
        return false;
    keep(spec, args, args->pos - 3);
    return true;
}

static bool take_category(struct args *args, void *into)
{
    struct send_spec *spec = into;

    if (!args_take_str(args, "CATEGORY", &spec->category))
        return false;
    keep(spec, args, args->pos - 2);
    return true;
}

static bool take_level(struct args *args, void *into)
{
    struct send_spec *spec = into;

    if (!args_take_level(args, &spec->entry.level))
        return false;
    keep(spec, args, args->pos - 2);
    return true;
}

static bool take_maxlen(struct args *args, void *into)
{
    struct send_spec *spec = into;

    return args_take_number(args, "MAXLEN", 1, BOX_ENTRIES_MAX, &spec->maxlen);
}

static bool take_id(struct args *args, void *into)
{
    struct send_spec *spec = into;

    return args_take_id(args, "ID", 0, &spec->entry.id);
}

/* base_ms: when the time begins to count. */
static bool take_expiry(struct args *args, struct send_spec *spec, const char *name,
                        uint64_t unit_ms, uint64_t base_ms)
{
    uint64_t max = (NOTIFY_ID_MAX_MS - base_ms) / unit_ms;
    struct notify_str text;
    uint64_t value;

    if (!args_take_str(args, name, &text))
        return false;
    if (!notify_id_take_number(&text, &value) || text.len > 0 || value < 1 || value > max)
        return args_fail(args,
                         "ERR invalid expire time in '%s' command: %s must be an integer from 1 "
                         "to %" PRIu64,
                         spec->command, name, max);
    spec->entry.expire_ms = base_ms + value * unit_ms;
    return true;
}

static bool take_ex(struct args *args, void *into)
{
    struct send_spec *spec = into;

    return take_expiry(args, spec, "EX", 1000, spec->now_ms);
}

static bool take_px(struct args *args, void *into)
{
    struct send_spec *spec = into;

    return take_expiry(args, spec, "PX", 1, spec->now_ms);
}

static bool take_exat(struct args *args, void *into)
{
    return take_expiry(args, into, "EXAT", 1000, 0);
}

static bool take_pxat(struct args *args, void *into)
{
    return take_expiry(args, into, "PXAT", 1, 0);
}

/* What AS says of one key. */
struct as {
    struct notify_id id;
    uint64_t maxlen;
    uint64_t epoch; /* 0: none begins */
};

/* id/maxlen[/epoch]. */
static bool parse_as(struct notify_str text, struct as *ret)
{
    struct notify_str id = args_cut(&text, '/');
    struct notify_str maxlen = args_cut(&text, '/');

    ret->epoch = 0;
    return notify_id_parse(id, 0, &ret->id) &&
           args_is_number(maxlen, 1, BOX_ENTRIES_MAX, &ret->maxlen) &&
           (text.len == 0 || args_is_number(text, 1, BOX_EPOCH_MAX, &ret->epoch));
}

/* AS id/maxlen[/epoch] …, one for each key: what was given to it, its limit, the epoch that begins.
 */
static bool take_as(struct args *args, void *into)
{
    struct send_spec *spec = into;
    struct notify_str text;
    struct as as;

    spec->as = args->argv + args->pos;
    for (size_t i = 0; i < spec->key_count; i++) {
        if (!args_take_str(args, "AS", &text))
            return false;
        if (!parse_as(text, &as))
            return args_fail_value(args, "AS", "id/maxlen[/epoch]", text);
    }
    return true;
}

static bool take_idempotent(struct args *args, void *into)
{
    struct send_spec *spec = into;
    struct notify_str text;

    if (!args_take_str(args, "IDEMPOTENT", &text))
        return false;
    if (text.len == 0 || text.len > TOKEN_BOUND || limits_forbid(text.len, LIMIT_TOKEN) ||
        !utf8_is_valid(text))
        return args_fail(args, "ERR IDEMPOTENT must have 1 to %d bytes of UTF-8", LIMIT_TOKEN);
    spec->token.text = text;
    keep(spec, args, args->pos - 2);
    return true;
}

/* REMEMBER at after max: what a primary has decided about tokens. */
static bool take_remember(struct args *args, void *into)
{
    struct send_token *token = &((struct send_spec *)into)->token;

    return args_take_number(args, "REMEMBER at", 0, NOTIFY_ID_MAX_MS, &token->at_ms) &&
           args_take_number(args, "REMEMBER after", 0, token->at_ms, &token->after_ms) &&
           args_take_number(args, "REMEMBER max", 1, UINT32_MAX, &token->max);
}

/* The options of SEND; those of EVENT are these without the ones in only_send. */
static const struct arg_option options[SEND_OPTIONS] = {
    [SEND_CONTENT] = ARG_OPTION_TEXT("CONTENT", take_content),
    [SEND_TYPE] = ARG_OPTION_TEXT("TYPE", take_type),
    [SEND_CATEGORY] = ARG_OPTION_TEXT("CATEGORY", take_category),
    [SEND_LEVEL] = ARG_OPTION("LEVEL", take_level),
    [SEND_DATA] = ARG_OPTION_TEXT("DATA", take_data),
    [SEND_MAXLEN] = ARG_OPTION("MAXLEN", take_maxlen),
    [SEND_EVENT] = ARG_OPTION("EVENT", take_event),
    [SEND_ACTION] = ARG_OPTION_TEXT("ACTION", take_action),
    [SEND_ENTITY] = ARG_OPTION_TEXT("ENTITY", take_entity),
    [SEND_EXCLUDE] = ARG_OPTION("EXCLUDE", take_exclude),
    [SEND_ID] = ARG_OPTION("ID", take_id),
    [SEND_NX] = ARG_OPTION("NX", NULL),
    [SEND_XX] = ARG_OPTION("XX", NULL),
    [SEND_NOPUBLISH] = ARG_OPTION("NOPUBLISH", NULL),
    [SEND_WITHINFO] = ARG_OPTION("WITHINFO", NULL),
    [SEND_NOSTORE] = ARG_OPTION("NOSTORE", NULL),
    [SEND_EX] = ARG_OPTION("EX", take_ex),
    [SEND_PX] = ARG_OPTION("PX", take_px),
    [SEND_EXAT] = ARG_OPTION("EXAT", take_exat),
    [SEND_PXAT] = ARG_OPTION("PXAT", take_pxat),
    [SEND_COLLAPSE] = ARG_OPTION_TEXT("COLLAPSE", take_collapse),
    [SEND_IDEMPOTENT] = ARG_OPTION_TEXT("IDEMPOTENT", take_idempotent),
    [SEND_REMEMBER] = ARG_OPTION_INTERNAL("REMEMBER", take_remember),
    [SEND_AS] = ARG_OPTION_INTERNAL("AS", take_as),
};

#define BIT(option) (1u << (option))
#define OF_ALL                                                                                     \
    (BIT(SEND_CATEGORY) | BIT(SEND_LEVEL) | BIT(SEND_DATA) | BIT(SEND_EXCLUDE) | BIT(SEND_WITHINFO))
#define OF_STORED                                                                                  \
    (BIT(SEND_MAXLEN) | BIT(SEND_ID) | BIT(SEND_NX) | BIT(SEND_XX) | BIT(SEND_NOPUBLISH) |         \
     BIT(SEND_EX) | BIT(SEND_PX) | BIT(SEND_EXAT) | BIT(SEND_PXAT) | BIT(SEND_COLLAPSE) |          \
     BIT(SEND_IDEMPOTENT) | BIT(SEND_REMEMBER) | BIT(SEND_AS))
#define OF_NOTIFICATIONS                                                                           \
    (BIT(SEND_CONTENT) | BIT(SEND_TYPE) | BIT(SEND_EVENT) | BIT(SEND_ACTION) | BIT(SEND_ENTITY))

/* What the kinds of sending differ in. */
static const struct kind {
    const char *command;
    const char *event;
    enum entry_kind entry;
    enum body_field subject; /* the first argument */
    uint32_t options;        /* that it has */
    uint32_t implied;        /* as if it had been given */
} kinds[] = {
    [SEND_A_NOTIFICATION] = {"NOTIFY.SEND", "notify.send", ENTRY_NOTIFICATION, BODY_TITLE,
                             OF_ALL | OF_STORED | OF_NOTIFICATIONS, 0},
    [SEND_TO_MANY] = {"NOTIFY.SEND", "notify.send", ENTRY_NOTIFICATION, BODY_TITLE,
                      OF_ALL | OF_STORED | OF_NOTIFICATIONS, 0},
    [SEND_AN_EVENT] = {"NOTIFY.EVENT", "notify.event", ENTRY_EVENT, BODY_EVENT,
                       OF_ALL | OF_STORED | BIT(SEND_NOSTORE), 0},
    [SEND_A_SIGNAL] = {"NOTIFY.SIGNAL", "notify.signal", ENTRY_EVENT, BODY_EVENT, OF_ALL,
                       BIT(SEND_NOSTORE)},
};

/* Sets of options of which at most one may be given. */
static const uint32_t exclusive[] = {
    BIT(SEND_NX) | BIT(SEND_XX),
    BIT(SEND_ID) | BIT(SEND_AS),
    BIT(SEND_MAXLEN) | BIT(SEND_AS),
    BIT(SEND_EX) | BIT(SEND_PX) | BIT(SEND_EXAT) | BIT(SEND_PXAT),
};

/* What says how something is stored. */
#define NOT_WITH_NOSTORE                                                                           \
    (BIT(SEND_NOPUBLISH) | BIT(SEND_ID) | BIT(SEND_MAXLEN) | BIT(SEND_EX) | BIT(SEND_PX) |         \
     BIT(SEND_EXAT) | BIT(SEND_PXAT) | BIT(SEND_COLLAPSE) | BIT(SEND_IDEMPOTENT))

/* The name of the first option of the set, which loses it. */
static const char *take_name(uint32_t *set)
{
    for (int i = 0; i < SEND_OPTIONS; i++) {
        if ((*set & BIT(i)) == 0)
            continue;
        *set &= ~BIT(i);
        return options[i].name;
    }
    return "";
}

static bool fail_exclusive(struct args *args, uint32_t given)
{
    const char *first = take_name(&given);

    return args_fail(args, "ERR syntax error: %s and %s exclude each other", first,
                     take_name(&given));
}

static bool check_exclusive(struct args *args, uint32_t seen)
{
    for (size_t i = 0; i < sizeof exclusive / sizeof exclusive[0]; i++) {
        uint32_t given = seen & exclusive[i];
        if ((given & (given - 1)) != 0)
            return fail_exclusive(args, given);
    }
    if ((seen & BIT(SEND_NOSTORE)) == 0 || (seen & NOT_WITH_NOSTORE) == 0)
        return true;
    return fail_exclusive(args, seen & (BIT(SEND_NOSTORE) | NOT_WITH_NOSTORE));
}

static bool check_options(struct args *args, const struct send_spec *spec, const struct kind *kind)
{
    uint32_t foreign = spec->seen & ~kind->options;

    if (foreign != 0)
        return args_fail(args, "ERR syntax error: %s is no option of %s", take_name(&foreign),
                         kind->command);
    if (!check_exclusive(args, spec->seen))
        return false;
    if (send_has(spec, SEND_REMEMBER) && !send_has(spec, SEND_IDEMPOTENT))
        return args_fail(args, "ERR syntax error: REMEMBER needs IDEMPOTENT");
    return true;
}

static void set_defaults(struct send_spec *spec)
{
    const struct config *config = config_get();
    uint64_t window_ms = (uint64_t)config->idempotency_window_ms;

    if (!send_has(spec, SEND_MAXLEN))
        spec->maxlen = (uint64_t)config->max_entries;
    if (send_has(spec, SEND_REMEMBER))
        return;
    spec->token.at_ms = spec->now_ms;
    spec->token.after_ms = spec->now_ms > window_ms ? spec->now_ms - window_ms : 0;
    spec->token.max = (uint64_t)config->idempotency_max;
}

void send_args_choose(struct send_spec *spec, struct rm_string **keys, size_t index)
{
    struct as as;

    spec->kept[0] = keys[index];
    if (spec->as == NULL)
        return;
    (void)parse_as(rm_str(spec->as[index]), &as); /* checked when it was taken */
    spec->entry.id = as.id;
    spec->maxlen = as.maxlen;
    spec->epoch = (uint32_t)as.epoch;
}

bool send_args_choose_checked(struct send_spec *spec, struct args *args, struct rm_string **keys,
                              size_t index)
{
    send_args_choose(spec, keys, index);
    return args_check_key(args, keys[index]);
}

/* Not for what is replayed: it was taken once, by a server that knew fewer of them. */
static bool check_event_name(struct args *args, const struct send_spec *spec,
                             const struct kind *kind)
{
    struct notify_str name = spec->body.field[BODY_EVENT];

    return name.ptr == NULL || replay_now() || !state_types_have(name) ||
           args_fail(args, "ERR %s must not be '%.*s', which tells of a change of state",
                     kind->subject == BODY_EVENT ? "name" : "EVENT", (int)name.len, name.ptr);
}

bool send_args_take(struct send_spec *spec, struct args *args, struct rm_ctx *ctx,
                    enum send_kind which, struct rm_string **keys, size_t key_count)
{
    const struct kind *kind = &kinds[which];
    bool is_event = kind->subject == BODY_EVENT;

    memset(spec, 0, offsetof(struct send_spec, kept));
    spec->command = kind->command;
    spec->event = kind->event;
    spec->entry.kind = kind->entry;
    spec->now_ms = clock_now(ctx);
    spec->key_count = key_count;
    spec->kept[1] = args->argv[args->pos];
    spec->kept_count = 2;
    if (!(is_event ? args_take_str : args_take_text)(args, is_event ? "name" : "title",
                                                     &spec->body.field[kind->subject]) ||
        !args_take_options(args, options, SEND_OPTIONS, spec, &spec->seen) ||
        !check_options(args, spec, kind) || !check_event_name(args, spec, kind))
        return false;
    spec->seen |= kind->implied;
    if (send_has(spec, SEND_AS))
        spec->seen |= BIT(SEND_ID) | BIT(SEND_MAXLEN);
    set_defaults(spec);
    return which == SEND_TO_MANY || send_args_choose_checked(spec, args, keys, 0);
}

/* ---- the entry ---- */

static const char *const field_names[BODY_FIELD_COUNT] = {
    [BODY_COLLAPSE] = "COLLAPSE",       [BODY_EVENT] = "EVENT",         [BODY_TITLE] = "title",
    [BODY_CONTENT] = "CONTENT",         [BODY_TYPE] = "TYPE",           [BODY_ACTION] = "ACTION",
    [BODY_ENTITY_TYPE] = "ENTITY type", [BODY_ENTITY_ID] = "ENTITY id", [BODY_DATA] = "DATA",
    [BODY_EXCLUDE] = "EXCLUDE",
};

static bool fail_body(struct args *args, const struct send_spec *spec,
                      const struct body_error *error)
{
    bool is_name = spec->entry.kind == ENTRY_EVENT && error->field == BODY_EVENT;
    bool is_needed = error->field <= BODY_TITLE; /* may not be empty */
    const char *name = is_name ? "name" : field_names[error->field];
    size_t max = body_field_max(error->field);

    switch (error->fault) {
    case BODY_EMPTY:
    case BODY_TOO_LONG:
        return args_fail(args, "ERR %s must have %s%zu %s", name, is_needed ? "1 to " : "at most ",
                         max, error->field == BODY_TITLE ? "characters" : "bytes");
    case BODY_NOT_UTF8:
        return args_fail(args, "ERR %s must be valid UTF-8", name);
    case BODY_NOT_NAME:
        return args_fail(args, "ERR %s must consist of letters, digits and _ . : -", name);
    case BODY_NOT_JSON:
        return args_fail(args, "ERR %s must be valid JSON", name);
    case BODY_OK:
    case BODY_NO_MEMORY:
        break;
    }
    return args_fail(args, "ERR not enough memory; nothing was changed");
}

/* A replica and an AOF take what was accepted once, whatever their own settings and clock. */
static bool is_too_big(size_t bytes)
{
    return bytes > BOX_BODY_BOUND || limits_forbid(bytes, LIMIT_BODY) ||
           limits_forbid(bytes, (uint64_t)config_get()->max_entry_bytes);
}

static bool set_category(struct args *args, struct send_spec *spec)
{
    if (!send_has(spec, SEND_CATEGORY))
        return true;
    spec->entry.category = spec->category;
    return category_is_valid(spec->category) ||
           args_fail(args,
                     "ERR CATEGORY must have 1 to %d bytes of UTF-8 without control characters",
                     LIMIT_CATEGORY);
}

bool send_args_make_entry(struct send_spec *spec, struct args *args)
{
    struct text_buf *out = scratch_body();
    struct body_error error;

    if (spec->entry.expire_ms != 0 && spec->entry.expire_ms <= spec->now_ms && !replay_now())
        return args_fail(args, "ERR invalid expire time in '%s' command: %s must lie in the future",
                         spec->command, send_has(spec, SEND_EXAT) ? "EXAT" : "PXAT");
    if (!body_build(out, &spec->body, &error))
        return fail_body(args, spec, &error);
    if (is_too_big(out->len))
        return args_fail(args, "ERR entry must have at most %lld bytes (notify.max-entry-bytes)",
                         config_get()->max_entry_bytes);
    spec->entry.body = text_buf_str(out);
    return set_category(args, spec);
}
