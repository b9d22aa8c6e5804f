/* cmd_feed -- NOTIFY.FEED: the page that somebody looks at, of his box and the logs that it
 * follows. */
#include "commands/commands.h"

#include "base/limits.h"
#include "base/scratch.h"
#include "commands/filter_args.h"
#include "commands/inbox.h"
#include "server/config.h"
#include "server/reply.h"

/* How many meet the conditions, on whatever page. */
static uint64_t count_total(struct inbox *inbox, const struct box_filter *filter)
{
    uint64_t total = 0;

    for (size_t i = 0; i < inbox->count; i++) {
        struct feed_source *source = &inbox->sources[i];
        struct box_range range = {
            .to = NOTIFY_ID_GREATEST, .now_ms = source->now_ms, .filter = *filter};
        struct box_entry entry;
        box_view_iter_init(&source->iter, source->view, &range);
        while (box_view_iter_next(&source->iter, &entry))
            total++;
    }
    return total;
}

/* How much of the reply it takes, about. */
static size_t reply_one(struct inbox *inbox, const struct feed_source *source, bool json)
{
    const struct box_entry *entry = &source->entry;

    if (json)
        return reply_entry_json(inbox->ctx, inbox_box(inbox, source), entry,
                                box_id_before(source->view->box, entry->id, source->now_ms));
    reply_entry_of(inbox->ctx, source->name, entry);
    return source->name.len + entry->body.len;
}

/* The page. At least one entry, so that who asks again gets on. *ret_last: where it ends. Whether
 * anything follows. */
static bool reply_page(struct inbox *inbox, struct feed *feed, const struct filter_args *wanted,
                       struct feed_position *ret_last)
{
    size_t bytes_left = (size_t)config_get()->max_reply_bytes;
    struct feed_source *next = NULL;
    uint64_t count = 0;

    for (uint64_t i = 0; i < wanted->offset; i++)
        if (feed_next(feed) == NULL)
            break;
    rm_ReplyWithArray(inbox->ctx, RM_POSTPONED_LEN);
    while (count < wanted->count && (count == 0 || bytes_left > 0)) {
        size_t bytes;
        next = feed_next(feed);
        if (next == NULL)
            break;
        bytes = reply_one(inbox, next, wanted->json);
        bytes_left -= bytes < bytes_left ? bytes : bytes_left;
        *ret_last = (struct feed_position){next->entry.id, next->name};
        count++;
    }
    rm_ReplySetArrayLength(inbox->ctx, (long)count);
    return count > 0 && next != NULL && feed_next(feed) != NULL;
}

/* "<id>:<name>", for BEFORE. */
static void reply_position(struct rm_ctx *ctx, const struct feed_position *position)
{
    struct text_buf *word = scratch_message();

    text_buf_add_id(word, position->id);
    text_buf_add_char(word, ':');
    text_buf_add(word, position->name);
    if (word->failed)
        (void)reply_error(ctx, "ERR not enough memory for the position");
    else
        reply_str(ctx, text_buf_str(word));
}

static void run_feed(struct inbox *inbox, const struct filter_args *wanted)
{
    struct feed_position last = {{0, 0}, {NULL, 0}};
    struct feed feed;
    bool more;
    uint64_t total = wanted->total ? count_total(inbox, &wanted->filter) : 0;

    inbox_feed(inbox, &feed, &wanted->filter, wanted->has_before ? &wanted->before : NULL);
    rm_ReplyWithMap(inbox->ctx, wanted->total ? 3 : 2);
    reply_str(inbox->ctx, NOTIFY_STR("entries"));
    more = reply_page(inbox, &feed, wanted, &last);
    reply_str(inbox->ctx, NOTIFY_STR("next"));
    if (more)
        reply_position(inbox->ctx, &last);
    else
        rm_ReplyWithNull(inbox->ctx);
    if (wanted->total)
        reply_field_number(inbox->ctx, "total", total);
}

/* NOTIFY.FEED key [LOGS numkeys log …] [BEFORE position] [OFFSET n] [COUNT n] [TOTAL] [state]
 * [CATEGORY c …] [TYPE t] [EVENT e] [LEVEL [>=] l] [ENTITY type id] [JSON] */
int cmd_feed(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct filter_args wanted;
    struct inbox inbox;
    struct args args;
    bool parsed;

    args_init(&args, argv, argc, 2);
    parsed = filter_args_take(&wanted, FILTER_FEED, &args);
    if (rm_IsKeysPositionRequest(ctx))
        return log_args_tell_many(ctx, argv, parsed ? &wanted.logs : NULL);
    if (!parsed)
        return reply_args_error(ctx, &args);
    if (!inbox_open_or_reply(&inbox, ctx, argv[1], &wanted.logs))
        return RM_OK;
    run_feed(&inbox, &wanted);
    inbox_close(&inbox);
    scratch_shrink();
    return RM_OK;
}
