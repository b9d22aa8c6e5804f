/* change -- see change.h. */
#include "commands/change.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/versions.h"
#include "box/box_extra.h"
#include "commands/log_args.h"
#include "server/config.h"
#include "server/info.h"
#include "server/publish.h"
#include "server/replay.h"
#include "server/reply.h"
#include "base/scratch.h"
#include "base/mem.h"

void change_init(struct change *change, struct rm_ctx *ctx, struct rm_string **argv, int argc,
                 int first)
{
    change->ctx = ctx;
    args_init(&change->args, argv, argc, first);
    change->bk = (struct box_key){.ctx = ctx, .name = argv[1]};
    change->at_ms = 0;
    change->box = (struct render_box){.rev = 0};
    change->epoch = 0;
    change->epoch_text = NULL;
    change->nopublish = false;
    change->tells_otherwise = false;
    change->log = NULL;
    change->by_name = false;
    change->target.kind = TARGET_IDS;
    change->ids.count = 0;
    change->ids.memory = NULL;
}

void change_release(struct change *change)
{
    if (change->ids.memory != NULL)
        mem_free(change->ids.memory);
    if (change->epoch_text != NULL)
        rm_FreeString(change->ctx, change->epoch_text);
    scratch_shrink();
}

bool change_take_at(struct args *args, void *into)
{
    struct change *change = into;

    return args_take_number(args, "AT", 1, NOTIFY_ID_MAX_MS, &change->at_ms);
}

bool change_take_nopublish(struct args *args, void *into)
{
    struct change *change = into;

    (void)args;
    change->nopublish = true;
    return true;
}

bool change_take_epoch(struct args *args, void *into)
{
    struct change *change = into;
    uint64_t epoch;

    if (!args_take_number(args, "EPOCH", 1, BOX_EPOCH_MAX, &epoch))
        return false;
    change->epoch = (uint32_t)epoch;
    return true;
}

bool change_take_log(struct args *args, void *into)
{
    struct change *change = into;

    return log_args_take_one(args, &change->log);
}

bool change_take_by_name(struct args *args, void *into)
{
    struct change *change = into;

    (void)args;
    change->by_name = true;
    return true;
}

static const struct arg_option options[] = {
    ARG_OPTION("NOPUBLISH", change_take_nopublish), ARG_OPTION_PART("EPOCH", change_take_epoch),
    ARG_OPTION_INTERNAL("AT", change_take_at),      ARG_OPTION("LOG", change_take_log),
    ARG_OPTION("BYNAME", change_take_by_name),
};
enum { OPTIONS = sizeof options / sizeof options[0], OPTIONS_WITHOUT_MARKS = 2 };

bool change_reserve_ids(struct change *change, size_t max)
{
    struct change_ids *ids = &change->ids;

    ids->ids = ids->inline_ids;
    ids->texts = ids->inline_texts;
    if (max <= CHANGE_INLINE_IDS)
        return true;
    ids->memory = mem_try_alloc(max * (sizeof ids->ids[0] + sizeof ids->texts[0]));
    if (ids->memory == NULL)
        return args_fail(&change->args, "ERR not enough memory; nothing was changed");
    ids->ids = ids->memory;
    ids->texts = (struct rm_string **)(void *)(ids->ids + max);
    return true;
}

bool change_take_ids(struct change *change)
{
    struct change_ids *ids = &change->ids;
    struct args *args = &change->args;

    if (!change_reserve_ids(change, (size_t)(args->argc - args->pos)))
        return false;
    while (!args_done(args) && !args_is_option(args_at(args, args->pos), options, OPTIONS)) {
        ids->texts[ids->count] = args->argv[args->pos];
        if (!args_take_id(args, "id", 0, &ids->ids[ids->count]))
            return false;
        ids->count++;
    }
    if (ids->count == 0)
        return args_fail(args, "ERR syntax error: at least one id is needed");
    return args_check_count(args, ids->count, LIMIT_IDS, "ids");
}

/* ---- targets ---- */

enum { TOKEN_IDS = 2 }; /* entries that one token may be of */

bool change_take_target(struct change *change)
{
    struct change_target *target = &change->target;
    struct args *args = &change->args;

    if (args_take_keyword(args, "TOKEN")) {
        target->kind = TARGET_TOKEN;
        return args_take_str(args, "TOKEN", &target->token);
    }
    if (!args_take_keyword(args, "ENTITY"))
        return change_take_ids(change);
    target->kind = TARGET_ENTITY;
    return args_take_entity(args, &target->entity_type, &target->entity_id);
}

/* What lets an entry through. */
struct sieve {
    bool (*test)(const struct box_entry *entry, enum box_mark mark);
    enum box_mark mark;
};

static void add_id(struct change *change, const struct box_entry *entry, const struct sieve *sieve)
{
    struct change_ids *ids = &change->ids;

    if (sieve->test != NULL && !sieve->test(entry, sieve->mark))
        return;
    ids->ids[ids->count] = entry->id;
    ids->texts[ids->count++] = NULL; /* until change_make_texts */
}

/* A token may be that of one entry as COLLAPSE and that of another as IDEMPOTENT. */
static void find_by_token(struct change *change, const struct box_view *view, uint64_t now_ms,
                          const struct sieve *sieve)
{
    struct notify_id found[TOKEN_IDS], id;
    struct box_entry entry;
    size_t count = 0;

    if (box_find_collapse(view->box, change->target.token, now_ms, &entry))
        found[count++] = entry.id;
    if (box_find_token(view->box, change->target.token, 0, &id) &&
        (count == 0 || notify_id_cmp(found[0], id) != 0))
        found[count++] = id;
    if (count == TOKEN_IDS && notify_id_cmp(found[0], found[1]) > 0) {
        id = found[0];
        found[0] = found[1];
        found[1] = id;
    }
    for (size_t i = 0; i < count; i++)
        if (box_view_find(view, found[i], now_ms, &entry))
            add_id(change, &entry, sieve);
}

static void find_by_entity(struct change *change, const struct box_view *view, uint64_t now_ms,
                           const struct sieve *sieve)
{
    struct box_range range = {.to = NOTIFY_ID_GREATEST,
                              .now_ms = now_ms,
                              .filter = {.state = BOX_ALL,
                                         .entity_type = change->target.entity_type,
                                         .entity_id = change->target.entity_id}};
    struct box_view_iter iter;
    struct box_entry entry;

    box_view_iter_init(&iter, view, &range);
    while (change->ids.count < LIMIT_IDS && box_view_iter_next(&iter, &entry))
        add_id(change, &entry, sieve);
}

bool change_resolve(struct change *change, const struct box_view *view, uint64_t now_ms,
                    bool (*test)(const struct box_entry *entry, enum box_mark mark),
                    enum box_mark mark)
{
    struct sieve sieve = {test, mark};

    if (change->target.kind == TARGET_IDS)
        return true;
    if (!change_reserve_ids(change, change->target.kind == TARGET_TOKEN ? TOKEN_IDS : LIMIT_IDS))
        return false;
    if (view->box == NULL)
        return true;
    if (change->target.kind == TARGET_TOKEN)
        find_by_token(change, view, now_ms, &sieve);
    else
        find_by_entity(change, view, now_ms, &sieve);
    return true;
}

bool change_resolve_own(struct change *change,
                        bool (*test)(const struct box_entry *entry, enum box_mark mark),
                        enum box_mark mark)
{
    struct box_view view;

    box_view_own(&view, change->bk.box);
    if (change_resolve(change, &view, box_key_now(&change->bk), test, mark))
        return true;
    box_key_close(&change->bk);
    return false;
}

void change_make_texts(struct change *change)
{
    char text[NOTIFY_ID_TEXT_MAX + 1];

    for (size_t i = 0; change->target.kind != TARGET_IDS && i < change->ids.count; i++) {
        size_t len = notify_id_format(text, change->ids.ids[i]);
        change->ids.texts[i] = rm_CreateString(change->ctx, text, len);
    }
}

void change_free_texts(struct change *change)
{
    for (size_t i = 0; change->target.kind != TARGET_IDS && i < change->ids.count; i++)
        rm_FreeString(change->ctx, change->ids.texts[i]);
}

struct id_and_text {
    struct notify_id id;
    struct rm_string *text;
};

static int compare_ids(const void *a, const void *b)
{
    return notify_id_cmp(((const struct id_and_text *)a)->id, ((const struct id_and_text *)b)->id);
}

static bool are_sorted(const struct change_ids *ids)
{
    size_t i = 1;

    while (i < ids->count && notify_id_cmp(ids->ids[i - 1], ids->ids[i]) <= 0)
        i++;
    return i >= ids->count;
}

bool change_sort_ids(struct change *change)
{
    struct change_ids *ids = &change->ids;
    struct id_and_text *pairs;

    if (are_sorted(ids))
        return true;
    pairs = mem_try_alloc(ids->count * sizeof pairs[0]);
    if (pairs == NULL)
        return args_fail(&change->args, "ERR not enough memory; nothing was changed");
    for (size_t i = 0; i < ids->count; i++)
        pairs[i] = (struct id_and_text){ids->ids[i], ids->texts[i]};
    qsort(pairs, ids->count, sizeof pairs[0], compare_ids);
    for (size_t i = 0; i < ids->count; i++) {
        ids->ids[i] = pairs[i].id;
        ids->texts[i] = pairs[i].text;
    }
    mem_free(pairs);
    return true;
}

bool change_check_by_name(struct change *change)
{
    struct args *args = &change->args;

    if (!change->by_name || replay_now())
        return true;
    if (!config_writes(WRITE_VERSION_BY_NAME))
        return args_fail(args, "ERR BYNAME needs notify.write-version %d", WRITE_VERSION_BY_NAME);
    if (change->target.kind == TARGET_TOKEN || change->target.kind == TARGET_ENTITY)
        return args_fail(args, "ERR BYNAME goes with ids: only the log itself knows its tokens and "
                               "entities");
    return true;
}

bool change_take_options(struct change *change, bool marks)
{
    struct args *args = &change->args;
    uint32_t seen;

    if (!args_take_options(args, options, marks ? OPTIONS : OPTIONS_WITHOUT_MARKS, change, &seen))
        return false;
    if (change->by_name && change->log == NULL)
        return args_fail(args, "ERR BYNAME goes with LOG: it says that the log lies elsewhere");
    return change_check_by_name(change);
}

static bool publishes(const struct change *change)
{
    return !change->nopublish && publish_is_on(change->ctx);
}

bool change_open_or_reply(struct change *change)
{
    if (publishes(change) && !publish_permitted_or_reply(change->ctx, change->bk.name))
        return false;
    if (!box_key_open_or_reply(&change->bk, change->ctx, change->bk.name, RM_READ | RM_WRITE))
        return false;
    if (change->at_ms == 0)
        change->at_ms = box_key_clock(&change->bk);
    box_key_sweep(&change->bk);
    return true;
}

void change_keep_id(struct change *change, size_t *kept, size_t i)
{
    change->ids.ids[*kept] = change->ids.ids[i];
    change->ids.texts[*kept] = change->ids.texts[i];
    (*kept)++;
}

void change_commit(struct change *change)
{
    struct box_key *bk = &change->bk;

    change->box.key = box_key_name(bk);
    change->box.epoch = box_key_begin_epoch(bk, change->epoch, box_last_id(bk->box));
    change->box.rev = box_raise_rev(bk->box);
    change->box.unread = box_unread(bk->box, box_key_now(bk));
    box_key_settle(bk);
    box_key_close(bk);
    info_count(INFO_STATE_CHANGES, 1);
}

struct effect_words change_tail(struct change *change)
{
    size_t count = 0;

    if (change->by_name)
        change->tail[count++] = effect_word(EFFECT_BY_NAME);
    if (change->box.epoch != 0)
        count += effect_put_epoch(change->tail + count, change->box.epoch, &change->epoch_text);
    if (change->nopublish || change->tells_otherwise || !publish_by_effect())
        change->tail[count++] = effect_word(EFFECT_NOPUBLISH);
    return (struct effect_words){change->tail, count};
}

static void publish(struct change *change, const struct text_buf *message)
{
    /* Without memory for it a message is lost; rev and unread of the next one are right again. */
    if (message->failed)
        return;
    if (change->tells_otherwise)
        publish_message(change->ctx, change->bk.name, text_buf_str(message));
    else
        publish_effect(change->ctx, change->bk.name, text_buf_str(message));
}

void change_publish_ids(struct change *change, enum render_change what)
{
    size_t done = 0;

    while (publishes(change) && done < change->ids.count) {
        struct text_buf *message = scratch_message();

        done += render_change_ids(message, &change->box, what, change->ids.ids + done,
                                  change->ids.count - done);
        publish(change, message);
    }
}

void change_publish_upto(struct change *change, enum render_change what, struct notify_id id,
                         struct notify_str category)
{
    struct text_buf *message = scratch_message();

    if (!publishes(change))
        return;
    render_change_upto(message, &change->box, what, id, category);
    publish(change, message);
}

void change_publish_categories(struct change *change, enum render_change what,
                               const struct notify_str *categories, size_t count)
{
    struct text_buf *message = scratch_message();

    if (!publishes(change))
        return;
    render_change_categories(message, &change->box, what, categories, count);
    publish(change, message);
}

void change_publish_follow(struct change *change, enum render_change what, struct notify_id start)
{
    struct text_buf *message = scratch_message();

    if (!publishes(change))
        return;
    render_follow(message, &change->box, what, start);
    publish(change, message);
}
