/* cmd_count -- NOTIFY.BADGE, LEN, INFO and VERIFY: numbers about a box. */
#include "commands/commands.h"

#include "server/args.h"
#include "server/box_key.h"
#include "commands/filter_args.h"
#include "commands/log_count.h"
#include "commands/log_share.h"
#include "server/reply.h"
#include "base/mem.h"

/* NOTIFY.LEN key */
int cmd_len(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct box_key bk;
    uint64_t live = 0;

    (void)argc;
    if (!box_key_open_or_reply(&bk, ctx, argv[1], RM_READ))
        return RM_OK;
    if (bk.box != NULL)
        live = box_count(bk.box, box_key_now(&bk)).live;
    box_key_close(&bk);
    return rm_ReplyWithLongLong(ctx, (long long)live);
}

/* The counts of each category of a box. */
struct category_list {
    struct box_category_count *counts; /* owned; NULL when count is 0 */
    size_t count;
};

typedef size_t (*count_categories_fn)(const struct box *box, uint64_t now_ms,
                                      struct box_category_count *counts, size_t capacity);

static bool category_list_init(struct category_list *list, const struct box *box, uint64_t now_ms,
                               count_categories_fn count)
{
    size_t slots = box == NULL ? 0 : box_category_slots(box);

    *list = (struct category_list){NULL, 0};
    if (slots == 0)
        return true;
    list->counts = mem_try_alloc(slots * sizeof list->counts[0]);
    if (list->counts == NULL)
        return false;
    list->count = count(box, now_ms, list->counts, slots);
    return true;
}

static void category_list_release(struct category_list *list)
{
    if (list->counts != NULL)
        mem_free(list->counts);
}

static void reply_by_category(struct rm_ctx *ctx, const struct category_list *list)
{
    reply_str(ctx, NOTIFY_STR("by_category"));
    rm_ReplyWithMap(ctx, (long)list->count);
    for (size_t i = 0; i < list->count; i++) {
        reply_str(ctx, list->counts[i].category);
        rm_ReplyWithLongLong(ctx, (long long)list->counts[i].unread);
    }
}

/* The share of each log. NULL with *ret_replied: one is no box; without: no memory. */
static struct log_share *count_shares(const struct box_key *bk, const struct filter_args *wanted,
                                      bool *ret_replied)
{
    const struct log_args *logs = &wanted->logs;
    struct log_share *shares = mem_try_alloc(logs->count * sizeof shares[0]);
    struct category_wish *wish;

    *ret_replied = false;
    if (shares == NULL)
        return NULL;
    wish = log_wish(bk->box, &wanted->categories);
    for (size_t i = 0; i < logs->count; i++) {
        struct box_key log;
        if (!box_key_open_or_reply(&log, bk->ctx, logs->names[i], RM_READ)) {
            *ret_replied = true;
            mem_free(shares);
            return NULL;
        }
        shares[i] = log_share_of(log_cursor(bk->box, logs->names[i]), &log, wish);
        box_key_close(&log);
    }
    return shares;
}

static void reply_shares(struct rm_ctx *ctx, const struct log_share *shares, size_t count)
{
    reply_str(ctx, NOTIFY_STR("logs"));
    rm_ReplyWithMap(ctx, (long)count);
    for (size_t i = 0; i < count; i++) {
        reply_str(ctx, shares[i].name);
        rm_ReplyWithMap(ctx, LOG_SHARE_FIELDS);
        log_share_reply(ctx, &shares[i]);
    }
}

/* What of the box itself is unread. */
struct own_share {
    uint64_t unread;
    uint64_t unseen;
    int level; /* the highest that is unread; -1: none */
};

static struct own_share count_all(const struct box *box, uint64_t now_ms)
{
    struct box_counts counts = box_count(box, now_ms);

    return (struct own_share){counts.unread, counts.unseen, box_max_unread_level(box, now_ms)};
}

/* The same of some categories, entry by entry. */
static struct own_share count_some(const struct box *box, const struct box_filter *filter,
                                   uint64_t now_ms)
{
    struct box_range range = {.to = NOTIFY_ID_GREATEST, .now_ms = now_ms, .filter = *filter};
    struct own_share share = {0, 0, -1};
    struct box_iter iter;
    struct box_entry entry;

    box_iter_init(&iter, box, &range);
    while (box_iter_next(&iter, &entry)) {
        bool counts = entry.kind == ENTRY_NOTIFICATION && !entry.is_muted;
        share.unseen += counts && !entry.is_seen;
        share.unread += counts && !entry.is_read;
        if (counts && !entry.is_read && (int)entry.level > share.level)
            share.level = (int)entry.level;
    }
    return share;
}

static bool names(const struct filter_categories *categories, struct notify_str name)
{
    for (size_t i = 0; i < categories->count; i++)
        if (notify_str_eq(categories->list[i], name))
            return true;
    return false;
}

/* Leaves those that are asked for. */
static void choose(struct category_list *list, const struct filter_categories *categories)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++)
        if (categories->count == 0 || names(categories, list->counts[i].category))
            list->counts[kept++] = list->counts[i];
    list->count = kept;
}

/* The members of every badge; the map has begun. */
static void reply_badge(struct box_key *bk, const struct category_list *list,
                        const struct filter_args *wanted)
{
    struct own_share share = {0, 0, -1};
    struct notify_id last = {0, 0};

    if (bk->box != NULL) {
        uint64_t now_ms = box_key_now(bk);
        share = wanted->categories.count == 0 ? count_all(bk->box, now_ms)
                                              : count_some(bk->box, &wanted->filter, now_ms);
        last = box_last_id(bk->box);
    }
    reply_field_number(bk->ctx, "unread", share.unread);
    reply_field_number(bk->ctx, "unseen", share.unseen);
    reply_by_category(bk->ctx, list);
    reply_str(bk->ctx, NOTIFY_STR("max_level"));
    if (share.level < 0)
        rm_ReplyWithNull(bk->ctx);
    else
        reply_str(bk->ctx, render_level((enum entry_level)share.level));
    reply_field_id(bk->ctx, "last", last);
    reply_field_number(bk->ctx, "rev", bk->box == NULL ? 0 : box_rev(bk->box));
    reply_field_number(bk->ctx, "epoch", bk->box == NULL ? 0 : box_epoch(bk->box));
    reply_field_number(bk->ctx, "next_expiry", box_key_next_expiry(bk));
}

static void run_badge(struct box_key *bk, const struct filter_args *wanted)
{
    size_t log_count = wanted->logs.count;
    struct log_share *shares = NULL;
    struct category_list list = {NULL, 0};
    bool replied = false;

    if (log_count > 0)
        shares = count_shares(bk, wanted, &replied);
    if ((log_count > 0 && shares == NULL) ||
        !category_list_init(&list, bk->box, box_key_now(bk), box_unread_categories)) {
        if (!replied)
            (void)reply_no_memory(bk->ctx);
    } else {
        choose(&list, &wanted->categories);
        rm_ReplyWithMap(bk->ctx, log_count > 0 ? 9 : 8);
        reply_badge(bk, &list, wanted);
        if (log_count > 0)
            reply_shares(bk->ctx, shares, log_count);
    }
    category_list_release(&list);
    mem_free(shares);
}

/* NOTIFY.BADGE key [CATEGORY c …] [LOGS numkeys log …] */
int cmd_badge(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct filter_args wanted;
    struct box_key bk;
    struct args args;
    bool taken;

    args_init(&args, argv, argc, 2);
    taken = filter_args_take(&wanted, FILTER_BADGE, &args);
    if (rm_IsKeysPositionRequest(ctx))
        return log_args_tell_many(ctx, argv, taken ? &wanted.logs : NULL);
    if (!taken)
        return reply_args_error(ctx, &args);
    if (!box_key_open_or_reply(&bk, ctx, argv[1], RM_READ))
        return RM_OK;
    run_badge(&bk, &wanted);
    box_key_close(&bk);
    return RM_OK;
}

static void reply_categories(struct rm_ctx *ctx, const struct category_list *list)
{
    reply_str(ctx, NOTIFY_STR("categories"));
    rm_ReplyWithMap(ctx, (long)list->count);
    for (size_t i = 0; i < list->count; i++) {
        reply_str(ctx, list->counts[i].category);
        rm_ReplyWithMap(ctx, 3);
        reply_field_number(ctx, "length", list->counts[i].total);
        reply_field_number(ctx, "unread", list->counts[i].unread);
        reply_field_number(ctx, "muted", list->counts[i].muted);
    }
}

/* The present epoch, and those before it with the last id of each, oldest first. */
static void reply_epochs(struct rm_ctx *ctx, const struct box *box)
{
    struct box_past_epoch past[BOX_PAST_EPOCHS_MAX];
    size_t count = box_past_epochs(box, past);

    reply_field_number(ctx, "epoch", box_epoch(box));
    reply_str(ctx, NOTIFY_STR("past_epochs"));
    rm_ReplyWithArray(ctx, (long)count);
    for (size_t i = 0; i < count; i++) {
        rm_ReplyWithMap(ctx, 2);
        reply_field_number(ctx, "epoch", past[i].epoch);
        reply_field_id(ctx, "last", past[i].end);
    }
}

static void reply_info(struct box_key *bk, const struct category_list *list, uint64_t now_ms)
{
    const struct box *box = bk->box;
    struct box_counts counts = box_count(box, now_ms);
    struct rm_ctx *ctx = bk->ctx;

    rm_ReplyWithMap(ctx, 13);
    reply_field_number(ctx, "length", counts.live);
    reply_field_number(ctx, "unread", counts.unread);
    reply_field_number(ctx, "unseen", counts.unseen);
    reply_field_id(ctx, "first", box_first_visible(box, now_ms));
    reply_field_id(ctx, "last", box_last_id(box));
    reply_field_id(ctx, "trimmed", box_trimmed_id(box));
    reply_field_number(ctx, "rev", box_rev(box));
    reply_epochs(ctx, box);
    reply_categories(ctx, list);
    reply_field_number(ctx, "segments", box_segments(box));
    reply_field_number(ctx, "allocations", box_allocations(box));
    reply_field_number(ctx, "bytes", box_bytes(box));
}

/* NOTIFY.INFO key */
int cmd_info(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct category_list list;
    struct box_key bk;
    uint64_t now_ms;

    (void)argc;
    if (!box_key_open_or_reply(&bk, ctx, argv[1], RM_READ))
        return RM_OK;
    now_ms = box_key_now(&bk);
    if (bk.box == NULL) {
        box_key_close(&bk);
        return reply_error(ctx, "ERR no such key");
    }
    if (category_list_init(&list, bk.box, now_ms, box_count_categories))
        reply_info(&bk, &list, now_ms);
    else
        (void)reply_no_memory(ctx);
    category_list_release(&list);
    box_key_close(&bk);
    return RM_OK;
}

static void reply_pair(struct rm_ctx *ctx, const char *name, uint64_t stored, uint64_t actual)
{
    reply_str(ctx, notify_str_z(name));
    rm_ReplyWithArray(ctx, 2);
    rm_ReplyWithLongLong(ctx, (long long)stored);
    rm_ReplyWithLongLong(ctx, (long long)actual);
}

/* NOTIFY.VERIFY key: each pair is what the box keeps, and what a recount gives. */
int cmd_verify(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct box_audit audit;
    struct box_key bk;
    int rc;

    (void)argc;
    if (!box_key_open_or_reply(&bk, ctx, argv[1], RM_READ))
        return RM_OK;
    if (bk.box == NULL) {
        box_key_close(&bk);
        return reply_error(ctx, "ERR no such key");
    }
    rc = box_verify(bk.box, &audit);
    box_key_close(&bk);
    if (rc != 0)
        return reply_no_memory(ctx);
    rm_ReplyWithMap(ctx, 11);
    reply_field_number(ctx, "sound", audit.sound);
    reply_pair(ctx, "length", audit.stored.live, audit.actual.live);
    reply_pair(ctx, "unread", audit.stored.unread, audit.actual.unread);
    reply_pair(ctx, "unseen", audit.stored.unseen, audit.actual.unseen);
    reply_pair(ctx, "min_expire_ms", audit.stored_min_expire_ms, audit.actual_min_expire_ms);
    reply_field_number(ctx, "categories", audit.categories);
    reply_field_number(ctx, "categories_wrong", audit.categories_wrong);
    reply_field_number(ctx, "order_ok", audit.order_ok);
    reply_field_number(ctx, "collapse_ok", audit.collapse_ok);
    reply_field_number(ctx, "key_end_ok", audit.key_end_ok);
    reply_field_number(ctx, "cursors_ok", audit.cursors_ok);
    return RM_OK;
}
