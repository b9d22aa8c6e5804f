/* cmd_count -- NOTIFY.UNREAD, BADGE, LEN, INFO and VERIFY: numbers about a box. */
#include "commands.h"

#include "args.h"
#include "box_key.h"
#include "filter_args.h"
#include "reply.h"

static uint64_t unread_of(const struct box *box, const struct filter_categories *categories,
                          uint64_t now_ms)
{
    uint64_t unread = 0;

    if (categories->count == 0)
        return box_unread(box, now_ms);
    for (size_t i = 0; i < categories->count; i++)
        if (categories->list[i] != CATEGORY_NONE)
            unread += box_unread_of(box, categories->list[i], now_ms);
    return unread;
}

/* NOTIFY.UNREAD key [CATEGORY c …] */
int cmd_unread(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct filter_categories categories = {.count = 0};
    struct box_key bk;
    struct args args;
    uint64_t unread = 0;

    args_init(&args, argv, argc, 2);
    if (!filter_args_take_categories(&categories, &args))
        return reply_args_error(ctx, &args);
    if (!box_key_open_or_reply(&bk, ctx, argv[1], RM_READ))
        return RM_OK;
    if (bk.box != NULL)
        unread = unread_of(bk.box, &categories, box_key_now(&bk));
    box_key_close(&bk);
    return rm_ReplyWithLongLong(ctx, (long long)unread);
}

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

static bool category_list_init(struct category_list *list, const struct box *box, uint64_t now_ms)
{
    size_t slots = box == NULL ? 0 : box_category_slots(box);

    *list = (struct category_list){NULL, 0};
    if (slots == 0)
        return true;
    list->counts = rm_TryAlloc(slots * sizeof list->counts[0]);
    if (list->counts == NULL)
        return false;
    list->count = box_count_categories(box, now_ms, list->counts, slots);
    return true;
}

static void category_list_release(struct category_list *list)
{
    if (list->counts != NULL)
        rm_Free(list->counts);
}

static void reply_by_category(struct rm_ctx *ctx, const struct category_list *list)
{
    long fields = 0;

    reply_str(ctx, NOTIFY_STR("by_category"));
    rm_ReplyWithMap(ctx, RM_POSTPONED_LEN);
    for (size_t i = 0; i < list->count; i++) {
        if (list->counts[i].unread == 0)
            continue;
        reply_str(ctx, category_name(list->counts[i].category));
        rm_ReplyWithLongLong(ctx, (long long)list->counts[i].unread);
        fields++;
    }
    rm_ReplySetMapLength(ctx, fields);
}

static void reply_badge(struct box_key *bk, const struct category_list *list, uint64_t now_ms)
{
    struct box_counts counts = {0, 0, 0};
    struct notify_id last = {0, 0};
    int level = -1;

    if (bk->box != NULL) {
        counts = box_count(bk->box, now_ms);
        last = box_last_id(bk->box);
        level = box_max_unread_level(bk->box, now_ms);
    }
    rm_ReplyWithMap(bk->ctx, 6);
    reply_field_number(bk->ctx, "unread", counts.unread);
    reply_field_number(bk->ctx, "unseen", counts.unseen);
    reply_by_category(bk->ctx, list);
    reply_str(bk->ctx, NOTIFY_STR("max_level"));
    if (level < 0)
        rm_ReplyWithNull(bk->ctx);
    else
        reply_str(bk->ctx, render_level((enum entry_level)level));
    reply_field_id(bk->ctx, "last", last);
    reply_field_number(bk->ctx, "rev", bk->box == NULL ? 0 : box_rev(bk->box));
}

/* NOTIFY.BADGE key */
int cmd_badge(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct category_list list;
    struct box_key bk;
    uint64_t now_ms;

    (void)argc;
    if (!box_key_open_or_reply(&bk, ctx, argv[1], RM_READ))
        return RM_OK;
    now_ms = box_key_now(&bk);
    if (category_list_init(&list, bk.box, now_ms))
        reply_badge(&bk, &list, now_ms);
    else
        (void)reply_no_memory(ctx);
    category_list_release(&list);
    box_key_close(&bk);
    return RM_OK;
}

static void reply_categories(struct rm_ctx *ctx, const struct category_list *list)
{
    reply_str(ctx, NOTIFY_STR("categories"));
    rm_ReplyWithMap(ctx, (long)list->count);
    for (size_t i = 0; i < list->count; i++) {
        reply_str(ctx, category_name(list->counts[i].category));
        rm_ReplyWithMap(ctx, 2);
        reply_field_number(ctx, "length", list->counts[i].total);
        reply_field_number(ctx, "unread", list->counts[i].unread);
    }
}

static void reply_info(struct box_key *bk, const struct category_list *list, uint64_t now_ms)
{
    const struct box *box = bk->box;
    struct box_counts counts = box_count(box, now_ms);
    struct rm_ctx *ctx = bk->ctx;

    rm_ReplyWithMap(ctx, 11);
    reply_field_number(ctx, "length", counts.live);
    reply_field_number(ctx, "unread", counts.unread);
    reply_field_number(ctx, "unseen", counts.unseen);
    reply_field_id(ctx, "first", box_first_visible(box, now_ms));
    reply_field_id(ctx, "last", box_last_id(box));
    reply_field_id(ctx, "trimmed", box_trimmed_id(box));
    reply_field_number(ctx, "rev", box_rev(box));
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
    if (category_list_init(&list, bk.box, now_ms))
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
    rm_ReplyWithMap(ctx, 8);
    reply_field_number(ctx, "sound", audit.sound);
    reply_pair(ctx, "length", audit.stored.live, audit.actual.live);
    reply_pair(ctx, "unread", audit.stored.unread, audit.actual.unread);
    reply_pair(ctx, "unseen", audit.stored.unseen, audit.actual.unseen);
    reply_pair(ctx, "min_expire_ms", audit.stored_min_expire_ms, audit.actual_min_expire_ms);
    reply_field_number(ctx, "categories", audit.categories);
    reply_field_number(ctx, "categories_wrong", audit.categories_wrong);
    reply_field_number(ctx, "order_ok", audit.order_ok);
    return RM_OK;
}
