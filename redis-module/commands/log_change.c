/* log_change -- see log_change.h. */
#include "commands/log_change.h"

#include <errno.h>

#include "base/limits.h"
#include "base/versions.h"
#include "box/cursor_edit.h"
#include "commands/log_args.h"
#include "commands/log_count.h"
#include "server/config.h"
#include "server/replay.h"
#include "server/reply.h"

struct log_change {
    struct change *change;
    struct box_key log;
    struct cursor_edit edit;
};

static void close_keys(struct log_change *lc)
{
    box_key_close(&lc->log);
    box_key_close(&lc->change->bk);
}

static int reply_nothing(struct log_change *lc)
{
    close_keys(lc);
    return rm_ReplyWithLongLong(lc->change->ctx, 0);
}

static int reply_failed(struct log_change *lc, int error)
{
    struct rm_ctx *ctx = lc->change->ctx;

    close_keys(lc);
    if (error != -ENOSPC)
        return reply_no_memory(ctx);
    args_fail(&lc->change->args,
              "LIMIT the read entries of the log are too scattered (more than %d exceptions, or %d "
              "categories): READALL key UPTO id LOG log reads everything before an id",
              LIMIT_EXCEPTIONS, LIMIT_COVERS);
    return reply_args_error(ctx, &lc->change->args);
}

/* Opens the box for writing and the log for reading, unless it lies elsewhere. */
static bool open_or_reply(struct log_change *lc, struct change *change)
{
    *lc = (struct log_change){.change = change};
    if (!log_args_check_or_reply(change->ctx, change->bk.name, change->log))
        return false;
    /* The log first: opening the box may already take expired entries out of it. */
    if (!change->by_name && !box_key_open_or_reply(&lc->log, change->ctx, change->log, RM_READ))
        return false;
    if (change_open_or_reply(change))
        return true;
    box_key_close(&lc->log);
    return false;
}

/* Begins the change. 0; -ENOENT: there is nothing that could change; -ENOMEM. */
static int begin(struct log_change *lc)
{
    struct cursor *cursor = log_cursor(lc->change->bk.box, lc->change->log);

    if (cursor == NULL || (lc->log.box == NULL && !lc->change->by_name))
        return -ENOENT;
    return cursor_edit_begin(&lc->edit, cursor, lc->log.box,
                             lc->log.box == NULL ? BOX_NEVER_EXPIRE : box_key_now(&lc->log));
}

/* The change is done: what messages say, rev, and the keys are closed. */
static int commit(struct log_change *lc)
{
    struct change *change = lc->change;
    int rc = cursor_edit_commit(&lc->edit);

    if (rc != 0)
        return rc;
    lc->log.is_told = true;
    change->box.log = rm_str(change->log);
    change->box.log_is_elsewhere = change->by_name;
    if (!change->by_name)
        change->box.log_unread =
            log_count(lc->edit.cursor, &lc->log, log_wish(change->bk.box, NULL)).unread;
    box_key_close(&lc->log);
    change_commit(change);
    return 0;
}

static void replicate_ids(struct change *change, const struct mark_kind *mark)
{
    struct effect_words tail = change_tail(change);

    change_make_texts(change);
    rm_Replicate(change->ctx, "NOTIFY.MARK", "scvcsv", change->bk.name, mark->name,
                 change->ids.texts, change->ids.count, "LOG", change->log, tail.words, tail.count);
    change_free_texts(change);
}

bool log_change_would_mark(const struct box_entry *entry, enum box_mark mark)
{
    bool is_event = entry->kind == ENTRY_EVENT;

    switch (mark) {
    case BOX_MARK_READ:
        return !is_event && !entry->is_read;
    case BOX_MARK_UNREAD:
        return !is_event && entry->is_read;
    case BOX_MARK_SEEN:
        return !is_event && !entry->is_seen;
    case BOX_MARK_ARCHIVED:
        return !entry->archived;
    case BOX_MARK_UNARCHIVED:
        return entry->archived;
    }
    return false;
}

/* With a target: the ids of its entries. 0 or -ENOMEM. */
static int resolve(struct log_change *lc, const struct mark_kind *mark)
{
    struct box_view view;
    int rc = box_view_follow(&view, lc->log.box, lc->edit.cursor, log_muted(lc->change->bk.box));

    if (rc == 0 &&
        !change_resolve(lc->change, &view, lc->edit.now_ms, log_change_would_mark, mark->mark))
        rc = -ENOMEM;
    box_view_release(&view);
    if (rc != 0)
        cursor_edit_abort(&lc->edit);
    return rc;
}

int log_change_ids(struct change *change, const struct mark_kind *mark)
{
    struct log_change lc;
    size_t kept = 0;
    int rc;

    if (!change_sort_ids(change)) /* exceptions are put in where they belong: at the end, so */
        return reply_args_error(change->ctx, &change->args);
    if (!open_or_reply(&lc, change))
        return RM_OK;
    rc = begin(&lc);
    if (rc == 0)
        rc = resolve(&lc, mark);
    if (rc != 0)
        return rc == -ENOENT ? reply_nothing(&lc) : reply_failed(&lc, rc);
    for (size_t i = 0; i < change->ids.count; i++)
        if (cursor_edit_mark(&lc.edit, change->ids.ids[i], mark->mark))
            change_keep_id(change, &kept, i);
    change->ids.count = kept;
    if (kept == 0 && lc.edit.error == 0) {
        cursor_edit_abort(&lc.edit);
        return reply_nothing(&lc);
    }
    rc = commit(&lc);
    if (rc != 0)
        return reply_failed(&lc, rc);
    replicate_ids(change, mark);
    change_publish_ids(change, mark->change);
    box_key_changed(&change->bk, mark->event);
    return rm_ReplyWithLongLong(change->ctx, (long long)kept);
}

/* ---- up to an id ---- */

static void replicate_upto(struct change *change, struct notify_id upto, const char *command)
{
    struct effect_words tail = change_tail(change);
    char id[NOTIFY_ID_TEXT_MAX + 1];
    size_t len = notify_id_format(id, upto);

    rm_Replicate(change->ctx, command, "scbcsv", change->bk.name, "UPTO", id, len, "LOG",
                 change->log, tail.words, tail.count);
}

/* Ends the change without one. */
static bool end_unchanged(struct log_change *lc)
{
    cursor_edit_abort(&lc->edit);
    close_keys(lc);
    return true;
}

/* Takes the change over. False: the error has been replied. */
static bool commit_or_reply(struct log_change *lc)
{
    int rc = commit(lc);

    if (rc != 0)
        (void)reply_failed(lc, rc);
    return rc == 0;
}

static bool run_upto(struct log_change *lc, const struct log_upto *wanted,
                     const struct mark_kind *mark, const char *command, uint64_t *ret_count)
{
    struct change *change = lc->change;
    struct notify_id upto = {0, 0};

    *ret_count = cursor_edit_upto(&lc->edit, wanted->id, mark->mark, &upto);
    if (*ret_count == 0)
        return end_unchanged(lc);
    if (!commit_or_reply(lc))
        return false;
    replicate_upto(change, upto, command);
    change_publish_upto(change, mark->change, upto, CATEGORY_NONE);
    box_key_changed(&change->bk, mark->event);
    return true;
}

/* Marks every notification of the category, one by one. False: no memory for the list of them. */
static bool mark_category(struct log_change *lc, struct notify_id upto, struct notify_str category,
                          enum box_mark mark)
{
    struct change_ids *ids = &lc->change->ids;
    struct box_range range = {.from = notify_id_after(lc->edit.cursor->start),
                              .to = upto,
                              .now_ms = lc->edit.now_ms,
                              .filter = {.categories = &category, .category_count = 1}};
    struct box_iter iter;
    struct box_entry entry;
    size_t count = 0;

    box_iter_init(&iter, lc->log.box, &range);
    while (box_iter_next(&iter, &entry))
        count++;
    if (!change_reserve_ids(lc->change, count))
        return false;
    lc->change->target.kind = TARGET_CATEGORY; /* so that their texts are made */
    box_iter_init(&iter, lc->log.box, &range);
    while (box_iter_next(&iter, &entry))
        if (cursor_edit_mark(&lc->edit, entry.id, mark))
            ids->ids[ids->count++] = entry.id;
    return true;
}

/* As the marks of these entries: what a server before level 2 can read. */
static bool run_category_by_ids(struct log_change *lc, const struct log_upto *wanted,
                                const struct mark_kind *mark, uint64_t *ret_count)
{
    struct change *change = lc->change;
    struct notify_id upto = wanted->id;
    size_t count;

    if (notify_id_cmp(upto, box_last_id(lc->log.box)) > 0)
        upto = box_last_id(lc->log.box);
    if (!mark_category(lc, upto, wanted->category, mark->mark)) {
        cursor_edit_abort(&lc->edit);
        (void)reply_failed(lc, -ENOMEM);
        return false;
    }
    *ret_count = count = change->ids.count;
    if (count == 0 && lc->edit.error == 0)
        return end_unchanged(lc);
    if (!commit_or_reply(lc))
        return false;
    change->tells_otherwise = true;
    replicate_ids(change, mark);
    change_publish_upto(change, mark->change, upto, wanted->category);
    box_key_changed(&change->bk, mark->event);
    return true;
}

static void replicate_category(struct change *change, struct notify_id upto,
                               struct notify_str category)
{
    struct effect_words tail = change_tail(change);
    char id[NOTIFY_ID_TEXT_MAX + 1];
    size_t len = notify_id_format(id, upto);

    rm_Replicate(change->ctx, "NOTIFY.READALL", "scbcbcsv", change->bk.name, "UPTO", id, len,
                 "CATEGORY", category.ptr, category.len, "LOG", change->log, tail.words,
                 tail.count);
}

static bool run_category(struct log_change *lc, const struct log_upto *wanted,
                         const struct mark_kind *mark, uint64_t *ret_count)
{
    struct change *change = lc->change;
    struct notify_id upto = {0, 0};

    *ret_count = cursor_edit_category(&lc->edit, wanted->category, wanted->id, &upto);
    if (*ret_count == 0 && lc->edit.error == 0)
        return end_unchanged(lc);
    if (!commit_or_reply(lc))
        return false;
    replicate_category(change, upto, wanted->category);
    change_publish_upto(change, mark->change, upto, wanted->category);
    box_key_changed(&change->bk, mark->event);
    return true;
}

static bool covers_categories(void)
{
    return replay_now() || config_writes(WRITE_VERSION_COVERS);
}

bool log_change_upto(struct change *change, const struct log_upto *wanted,
                     const struct mark_kind *mark, const char *command, uint64_t *ret_count)
{
    struct log_change lc;
    int rc;

    *ret_count = 0;
    if (!open_or_reply(&lc, change))
        return false;
    rc = begin(&lc);
    if (rc != 0) {
        if (rc == -ENOENT)
            close_keys(&lc);
        else
            (void)reply_failed(&lc, rc);
        return rc == -ENOENT;
    }
    if (wanted->category.ptr == NULL)
        return run_upto(&lc, wanted, mark, command, ret_count);
    if (covers_categories())
        return run_category(&lc, wanted, mark, ret_count);
    return run_category_by_ids(&lc, wanted, mark, ret_count);
}

/* What run_category would be refused for: 0, or the error. */
static int try_category(struct log_change *lc, const struct log_upto *wanted)
{
    struct notify_id upto = wanted->id;
    int rc = begin(lc);

    if (rc != 0)
        return rc == -ENOENT ? 0 : rc;
    if (covers_categories())
        (void)cursor_edit_category(&lc->edit, wanted->category, upto, &upto);
    else if (!mark_category(lc, upto, wanted->category, BOX_MARK_READ))
        rc = -ENOMEM;
    if (rc == 0)
        rc = cursor_edit_condense(&lc->edit);
    cursor_edit_abort(&lc->edit);
    return rc;
}

bool log_change_check_or_reply(struct change *change, const struct log_upto *wanted)
{
    struct log_change lc;
    int rc;

    if (!open_or_reply(&lc, change))
        return false;
    rc = wanted->category.ptr == NULL ? 0 : try_category(&lc, wanted);
    if (rc == 0)
        close_keys(&lc);
    else
        (void)reply_failed(&lc, rc);
    return rc == 0;
}
