/* cmd_send -- NOTIFY.SEND and NOTIFY.EVENT: store an entry, count it, trim, and publish it.
 *
 * Everything that can be refused is checked before the box is touched. What is replicated is the
 * effect: the same command with the id and the limit that were used, and NOPUBLISH. */
#include "commands.h"

#include <errno.h>

#include "args.h"
#include "body.h"
#include "box_key.h"
#include "config.h"
#include "effect.h"
#include "info.h"
#include "publish.h"
#include "render.h"
#include "reply.h"
#include "scratch.h"
#include "utf8.h"

#define KEPT_MAX 48   /* arguments that are replicated as they came: each option at most once */
#define EFFECT_TAIL 5 /* and what is added to them */

enum {
    OPT_CONTENT,
    OPT_TYPE,
    OPT_CATEGORY,
    OPT_LEVEL,
    OPT_DATA,
    OPT_MAXLEN,
    OPT_EVENT,
    OPT_ACTION,
    OPT_ENTITY,
    OPT_EXCLUDE,
    OPT_ID,
    OPT_NX,
    OPT_XX,
    OPT_NOPUBLISH,
    OPT_WITHINFO,
    OPT_NOSTORE,
    OPT_COUNT
};
#define SEEN(spec, option) (((spec)->seen & (1u << (option))) != 0)

/* What a command asks for. */
struct send_spec {
    const char *command; /* under which it is replicated */
    const char *event;   /* of the keyspace notification */
    struct body body;    /* plain texts, borrowed */
    struct box_entry entry;
    struct notify_str category;
    uint64_t maxlen;
    uint32_t seen; /* bits of OPT_* */
    struct rm_string *kept[KEPT_MAX + EFFECT_TAIL];
    size_t kept_count;
    struct rm_string *id_text; /* owned while a stored entry is told about */
};

/* What came of it. */
struct send_result {
    struct notify_id prev;
    uint64_t rev;
    uint64_t unread;
    int receivers;
};

/* ---- parsing ---- */

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

/* The options of SEND; those of EVENT are the ones that options_of_event names. */
static const struct arg_option options[OPT_COUNT] = {
    [OPT_CONTENT] = ARG_OPTION("CONTENT", take_content),
    [OPT_TYPE] = ARG_OPTION("TYPE", take_type),
    [OPT_CATEGORY] = ARG_OPTION("CATEGORY", take_category),
    [OPT_LEVEL] = ARG_OPTION("LEVEL", take_level),
    [OPT_DATA] = ARG_OPTION("DATA", take_data),
    [OPT_MAXLEN] = ARG_OPTION("MAXLEN", take_maxlen),
    [OPT_EVENT] = ARG_OPTION("EVENT", take_event),
    [OPT_ACTION] = ARG_OPTION("ACTION", take_action),
    [OPT_ENTITY] = ARG_OPTION("ENTITY", take_entity),
    [OPT_EXCLUDE] = ARG_OPTION("EXCLUDE", take_exclude),
    [OPT_ID] = ARG_OPTION("ID", take_id),
    [OPT_NX] = ARG_OPTION("NX", NULL),
    [OPT_XX] = ARG_OPTION("XX", NULL),
    [OPT_NOPUBLISH] = ARG_OPTION("NOPUBLISH", NULL),
    [OPT_WITHINFO] = ARG_OPTION("WITHINFO", NULL),
    [OPT_NOSTORE] = ARG_OPTION("NOSTORE", NULL),
};

#define OPT_BIT(option) (1u << (option))
static const uint32_t only_send = OPT_BIT(OPT_CONTENT) | OPT_BIT(OPT_TYPE) | OPT_BIT(OPT_EVENT) |
                                  OPT_BIT(OPT_ACTION) | OPT_BIT(OPT_ENTITY);
static const uint32_t only_event = OPT_BIT(OPT_NOSTORE);

/* Pairs of options of which one makes the other meaningless. */
static const struct {
    int a, b;
} exclusive[] = {
    {OPT_NX, OPT_XX},
    {OPT_NOSTORE, OPT_NOPUBLISH},
    {OPT_NOSTORE, OPT_ID},
    {OPT_NOSTORE, OPT_MAXLEN},
};

static bool check_options(struct args *args, const struct send_spec *spec, bool is_event)
{
    uint32_t foreign = spec->seen & (is_event ? only_send : only_event);

    for (int i = 0; foreign != 0 && i < OPT_COUNT; i++)
        if ((foreign & OPT_BIT(i)) != 0)
            return args_fail(args, "ERR syntax error: %s is no option of %s", options[i].name,
                             spec->command);
    for (size_t i = 0; i < sizeof exclusive / sizeof exclusive[0]; i++)
        if (SEEN(spec, exclusive[i].a) && SEEN(spec, exclusive[i].b))
            return args_fail(args, "ERR syntax error: %s and %s exclude each other",
                             options[exclusive[i].a].name, options[exclusive[i].b].name);
    return true;
}

/* key and title (or event name) stand in argv[1] and argv[2]. */
static bool parse(struct send_spec *spec, struct args *args, bool is_event)
{
    spec->entry.kind = is_event ? ENTRY_EVENT : ENTRY_NOTIFICATION;
    spec->body.field[is_event ? BODY_EVENT : BODY_TITLE] = args_at(args, 2);
    spec->kept[0] = args->argv[1];
    spec->kept[1] = args->argv[2];
    spec->kept_count = 2;
    if (!args_take_options(args, options, OPT_COUNT, spec, &spec->seen) ||
        !check_options(args, spec, is_event))
        return false;
    if (!SEEN(spec, OPT_MAXLEN))
        spec->maxlen = (uint64_t)config_get()->max_entries;
    if (!utf8_is_valid(args_at(args, 1)))
        return args_fail(args, "ERR key must be valid UTF-8");
    return true;
}

/* ---- the body ---- */

static const char *const field_names[BODY_FIELD_COUNT] = {
    [BODY_EVENT] = "EVENT",         [BODY_TITLE] = "title",   [BODY_CONTENT] = "CONTENT",
    [BODY_TYPE] = "TYPE",           [BODY_ACTION] = "ACTION", [BODY_ENTITY_TYPE] = "ENTITY type",
    [BODY_ENTITY_ID] = "ENTITY id", [BODY_DATA] = "DATA",     [BODY_EXCLUDE] = "EXCLUDE",
};

static bool fail_body(struct args *args, const struct send_spec *spec,
                      const struct body_error *error)
{
    bool is_name = spec->entry.kind == ENTRY_EVENT && error->field == BODY_EVENT;
    const char *name = is_name ? "name" : field_names[error->field];
    size_t max = body_field_max(error->field);

    switch (error->fault) {
    case BODY_EMPTY:
    case BODY_TOO_LONG:
        return args_fail(args, "ERR %s must have %s%zu %s", name,
                         error->field == BODY_TITLE || error->field == BODY_EVENT ? "1 to "
                                                                                  : "at most ",
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

/* A replica and an AOF take what was accepted once, whatever their own setting. */
static bool is_too_big(struct rm_ctx *ctx, size_t bytes)
{
    if (bytes > BOX_BODY_MAX)
        return true;
    return bytes > (uint64_t)config_get()->max_entry_bytes &&
           (rm_GetContextFlags(ctx) & (RM_FLAG_REPLICATED | RM_FLAG_LOADING)) == 0;
}

static bool set_category(struct args *args, struct send_spec *spec)
{
    if (!SEEN(spec, OPT_CATEGORY))
        return true;
    switch (category_intern(spec->category, &spec->entry.category)) {
    case 0:
        return true;
    case -ENOSPC:
        return args_fail(args, "ERR CATEGORY must be one of the %d that exist: no more fit",
                         CATEGORY_LIMIT);
    case -ENOMEM:
        return args_fail(args, "ERR not enough memory; nothing was changed");
    default:
        return args_fail(args,
                         "ERR CATEGORY must have 1 to %d bytes of UTF-8 without control characters",
                         NOTIFY_CATEGORY_MAX);
    }
}

static bool make_body(struct rm_ctx *ctx, struct args *args, struct send_spec *spec)
{
    struct text_buf *out = scratch_body();
    struct body_error error;

    if (!body_build(out, &spec->body, &error))
        return fail_body(args, spec, &error);
    if (is_too_big(ctx, out->len))
        return args_fail(args, "ERR entry must have at most %lld bytes (notify.max-entry-bytes)",
                         config_get()->max_entry_bytes);
    spec->entry.body = text_buf_str(out);
    return set_category(args, spec);
}

/* ---- storing ---- */

static bool fail_append(struct args *args, int rc, const struct box *box)
{
    char last[NOTIFY_ID_TEXT_MAX + 1];

    switch (rc) {
    case -ERANGE:
        notify_id_format(last, box_last_id(box));
        return args_fail(args, "ERR ID must be greater than the box's last id, %s", last);
    case -ENOSPC:
        return args_fail(args, "ERR MAXLEN must be at most %u", BOX_ENTRIES_MAX);
    case -E2BIG:
        return args_fail(args, "ERR CATEGORY must be one of the %d that this box has: no more fit",
                         BOX_CATEGORIES_MAX);
    default:
        return args_fail(args, "ERR not enough memory; nothing was changed");
    }
}

static int append(struct box_key *bk, struct send_spec *spec)
{
    int rc = 0;

    if (!SEEN(spec, OPT_ID))
        rc = box_next_id(bk->box, (uint64_t)rm_Milliseconds(), &spec->entry.id);
    return rc != 0 ? rc : box_append(&bk->box, &spec->entry);
}

static bool store(struct box_key *bk, struct args *args, struct send_spec *spec,
                  struct send_result *ret_result)
{
    bool is_new = bk->box == NULL;
    int64_t trimmed;
    int rc = -ENOMEM;

    if (is_new)
        bk->box = box_new();
    if (bk->box != NULL) {
        ret_result->prev = box_last_id(bk->box);
        rc = append(bk, spec);
    }
    if (rc != 0) {
        fail_append(args, rc, bk->box);
        if (is_new) {
            box_free(bk->box);
            bk->box = NULL;
        }
        return false;
    }
    trimmed = box_trim_maxlen(&bk->box, spec->maxlen, NULL);
    if (trimmed > 0)
        info_count(INFO_TRIMMED, (uint64_t)trimmed);
    ret_result->rev = box_raise_rev(bk->box);
    ret_result->unread = box_unread(bk->box, box_key_now(bk));
    return true;
}

static void replicate(struct rm_ctx *ctx, struct send_spec *spec)
{
    struct rm_string **end = spec->kept + spec->kept_count;

    end[0] = effect_word(EFFECT_ID);
    end[1] = spec->id_text;
    end[2] = effect_word(EFFECT_MAXLEN);
    end[3] = effect_number(spec->maxlen);
    end[4] = effect_word(EFFECT_NOPUBLISH);
    rm_Replicate(ctx, spec->command, "v", spec->kept, spec->kept_count + EFFECT_TAIL);
}

static struct rm_string *make_id_text(struct rm_ctx *ctx, struct notify_id id)
{
    struct notify_str text = scratch_id(id);

    return rm_CreateString(ctx, text.ptr, text.len);
}

/* ---- publishing and answering ---- */

static bool publishes(const struct send_spec *spec)
{
    return !SEEN(spec, OPT_NOPUBLISH) && publish_is_on();
}

static int announce(struct box_key *bk, const struct send_spec *spec,
                    const struct send_result *result)
{
    struct text_buf *message = scratch_message();
    struct render_box box = {.key = box_key_name(bk), .rev = result->rev, .unread = result->unread};

    if (SEEN(spec, OPT_NOSTORE))
        render_unstored(message, &box, &spec->entry, (uint64_t)rm_Milliseconds());
    else
        render_entry(message, &box, &spec->entry, result->prev, (struct notify_id){0, 0});
    /* Without memory for the message the entry is stored all the same: receivers see the gap by
     * the next one's prev and ask. */
    return message->failed ? 0 : publish_message(bk->ctx, bk->name, text_buf_str(message));
}

static int reply_result(struct rm_ctx *ctx, const struct send_spec *spec,
                        const struct send_result *result)
{
    bool stored = !SEEN(spec, OPT_NOSTORE);

    if (!SEEN(spec, OPT_WITHINFO)) {
        if (!stored)
            return rm_ReplyWithSimpleString(ctx, "OK");
        return rm_ReplyWithString(ctx, spec->id_text);
    }
    rm_ReplyWithMap(ctx, 4);
    reply_str(ctx, NOTIFY_STR("id"));
    if (stored)
        rm_ReplyWithString(ctx, spec->id_text);
    else
        rm_ReplyWithNull(ctx);
    reply_field_number(ctx, "unread", result->unread);
    reply_field_number(ctx, "receivers", (uint64_t)result->receivers);
    reply_field_number(ctx, "duplicate", 0);
    return RM_OK;
}

/* NOSTORE: nothing changes, and what it says about the box is its present state. */
static int run_unstored(struct box_key *bk, const struct send_spec *spec)
{
    struct send_result result = {{0, 0}, 0, 0, 0};

    if (bk->box != NULL) {
        result.rev = box_rev(bk->box);
        result.unread = box_unread(bk->box, box_key_now(bk));
    }
    box_key_close(bk);
    info_count(INFO_EVENTS, 1);
    if (publish_is_on())
        result.receivers = announce(bk, spec, &result);
    return reply_result(bk->ctx, spec, &result);
}

static int run_stored(struct box_key *bk, struct args *args, struct send_spec *spec)
{
    struct send_result result = {{0, 0}, 0, 0, 0};

    if (!store(bk, args, spec, &result)) {
        box_key_close(bk);
        return reply_args_error(bk->ctx, args);
    }
    box_key_close(bk);
    info_count(spec->entry.kind == ENTRY_EVENT ? INFO_EVENTS : INFO_SENDS, 1);
    spec->id_text = make_id_text(bk->ctx, spec->entry.id);
    replicate(bk->ctx, spec);
    if (publishes(spec))
        result.receivers = announce(bk, spec, &result);
    box_key_changed(bk, spec->event);
    (void)reply_result(bk->ctx, spec, &result);
    rm_FreeString(bk->ctx, spec->id_text);
    return RM_OK;
}

/* Everything that may refuse the command, before the box is touched. */
static bool check_or_reply(struct box_key *bk, struct args *args, struct send_spec *spec)
{
    box_prefetch(bk->box, BOX_PREFETCH_RING);
    if (publishes(spec) && !publish_permitted_or_reply(bk->ctx, bk->name))
        return false;
    box_prefetch(bk->box, BOX_PREFETCH_SEGMENTS);
    if (!make_body(bk->ctx, args, spec)) {
        (void)reply_args_error(bk->ctx, args);
        return false;
    }
    box_prefetch(bk->box, BOX_PREFETCH_ENTRIES);
    if ((SEEN(spec, OPT_NX) && bk->box != NULL) || (SEEN(spec, OPT_XX) && bk->box == NULL)) {
        (void)rm_ReplyWithNull(bk->ctx);
        return false;
    }
    return true;
}

static int run(struct rm_ctx *ctx, struct args *args, struct send_spec *spec)
{
    struct box_key bk;

    if (!box_key_open_or_reply(&bk, ctx, args->argv[1], RM_READ | RM_WRITE))
        return RM_OK;
    if (!check_or_reply(&bk, args, spec)) {
        box_key_close(&bk);
        return RM_OK;
    }
    return SEEN(spec, OPT_NOSTORE) ? run_unstored(&bk, spec) : run_stored(&bk, args, spec);
}

static int send_entry(struct rm_ctx *ctx, struct rm_string **argv, int argc, bool is_event)
{
    struct send_spec spec;
    struct args args;

    memset(&spec, 0, offsetof(struct send_spec, kept));
    spec.command = is_event ? "NOTIFY.EVENT" : "NOTIFY.SEND";
    spec.event = is_event ? "notify.event" : "notify.send";
    args_init(&args, argv, argc, 3);
    if (!parse(&spec, &args, is_event))
        return reply_args_error(ctx, &args);
    (void)run(ctx, &args, &spec);
    scratch_shrink();
    return RM_OK;
}

/* NOTIFY.SEND key title [option …] */
int cmd_send(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    return send_entry(ctx, argv, argc, false);
}

/* NOTIFY.EVENT key name [option …] */
int cmd_event(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    return send_entry(ctx, argv, argc, true);
}
