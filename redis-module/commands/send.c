/* send -- see send.h. */
#include "commands/send.h"

#include <errno.h>

#include "box/box_extra.h"
#include "commands/send_effect.h"
#include "server/info.h"
#include "server/replay.h"
#include "message/render.h"
#include "server/reply.h"
#include "base/limits.h"
#include "base/scratch.h"

/* ---- storing ---- */

static bool fail_append(struct args *args, int rc, const struct box *box)
{
    char last[NOTIFY_ID_TEXT_MAX + 1];

    switch (rc) {
    case -ERANGE:
        notify_id_format(last, box_last_id(box));
        return args_fail(args, "ERR ID must be greater than the box's last id, %s", last);
    case -EOVERFLOW:
        return args_fail(args, "ERR no id is left: the box's last one is the greatest possible");
    case -ENOSPC:
        return args_fail(args, "ERR MAXLEN must be at most %u", BOX_ENTRIES_MAX);
    case -E2BIG:
        return args_fail(args, "ERR CATEGORY must be one of the %d that this box has: no more fit",
                         LIMIT_CATEGORIES);
    default:
        return args_fail(args, "ERR not enough memory; nothing was changed");
    }
}

bool send_check_box(struct box_key *bk, struct args *args, struct send_spec *spec)
{
    int rc = 0;

    if (bk->box == NULL || send_has(spec, SEND_NX))
        return true;
    if (!send_has(spec, SEND_ID))
        rc = box_next_id(bk->box, spec->now_ms, &spec->entry.id);
    else if (send_has(spec, SEND_IDEMPOTENT) &&
             box_find_token(bk->box, spec->token.text, spec->token.after_ms,
                            &(struct notify_id){0}))
        return true;
    if (rc == 0)
        rc = box_check_append(bk->box, &spec->entry);
    return rc == 0 || fail_append(args, rc, bk->box);
}

static int append(struct box_key *bk, struct send_spec *spec, uint64_t now_ms,
                  struct send_result *result)
{
    struct box_appended appended;
    int rc = 0;

    result->prev = box_last_id(bk->box);
    if (!send_has(spec, SEND_ID))
        rc = box_next_id(bk->box, spec->now_ms, &spec->entry.id);
    if (rc == 0 && send_has(spec, SEND_IDEMPOTENT))
        rc = box_reserve_token(&bk->box, spec->token.text.len);
    if (rc == 0)
        rc = box_append_collapsing(&bk->box, &spec->entry, now_ms, &appended);
    if (rc != 0)
        return rc;
    result->replaces = appended.replaced;
    spec->entry.is_muted = appended.is_muted;
    return 0;
}

/* There is room for it. */
static void remember(struct box *box, const struct send_spec *spec)
{
    const struct send_token *given = &spec->token;
    struct token token = {given->text, spec->entry.id, given->at_ms};
    uint64_t until_ms = given->at_ms + (given->at_ms - given->after_ms);

    box_forget_tokens(box, given->after_ms, (size_t)given->max - 1);
    box_add_token(box, &token, until_ms < NOTIFY_ID_MAX_MS ? until_ms : NOTIFY_ID_MAX_MS);
}

/* What has expired and is stored still does not count here, but where no clock has a say. */
static void trim(struct box_key *bk, uint64_t maxlen, uint64_t now_ms, struct send_result *result)
{
    int64_t count = box_trim_maxlen(&bk->box, maxlen, now_ms, NULL);
    uint64_t stored = box_stored(bk->box);

    if (count > 0)
        info_count(INFO_TRIMMED, (uint64_t)count);
    result->maxlen = stored > maxlen ? stored : maxlen;
}

static bool store(struct box_key *bk, struct args *args, struct send_spec *spec,
                  struct send_result *result)
{
    uint64_t now_ms = box_key_now(bk); /* the new entry has not expired, whatever it is */
    bool is_new = bk->box == NULL;
    int rc = -ENOMEM;

    if (is_new)
        bk->box = box_new();
    if (bk->box != NULL)
        rc = append(bk, spec, now_ms, result);
    if (rc != 0) {
        fail_append(args, rc, bk->box);
        if (is_new) {
            box_free(bk->box);
            bk->box = NULL;
        }
        return false;
    }
    if (send_has(spec, SEND_IDEMPOTENT))
        remember(bk->box, spec);
    if (!notify_id_is_zero(result->replaces))
        info_count(INFO_COLLAPSED, 1);
    result->epoch = box_key_begin_epoch(bk, spec->epoch, result->prev);
    trim(bk, spec->maxlen, now_ms, result);
    result->id = spec->entry.id;
    result->rev = box_raise_rev(bk->box);
    result->unread = box_unread(bk->box, now_ms);
    box_key_settle(bk);
    return true;
}

/* ---- publishing and answering ---- */

/* Has the box had no entry before it in its present epoch? */
static bool is_first_of_epoch(const struct box *box, struct notify_id prev)
{
    struct box_past_epoch past[BOX_PAST_EPOCHS_MAX];
    size_t count = box_past_epochs(box, past);

    return notify_id_is_zero(prev) || (count > 0 && notify_id_cmp(past[count - 1].end, prev) == 0);
}

/* The epoch that the message says. The first entry under it does, too: it may have begun with a
 * change of which nothing was published, and whoever takes the entry for one of the epoch before
 * learns of a loss that there is not, or of none. */
static uint32_t told_epoch(const struct box_key *bk, const struct send_result *result)
{
    if (result->outcome != SEND_PUBLISHED && is_first_of_epoch(bk->box, result->prev))
        return box_epoch(bk->box);
    return result->epoch;
}

static int announce(struct box_key *bk, const struct send_spec *spec,
                    const struct send_result *result)
{
    struct text_buf *message = scratch_message();
    struct render_box box = {.key = box_key_name(bk),
                             .rev = result->rev,
                             .unread = result->unread,
                             .epoch = told_epoch(bk, result)};

    if (result->outcome == SEND_PUBLISHED)
        render_unstored(message, &box, &spec->entry, spec->now_ms);
    else
        render_entry(message, &box, &spec->entry, result->prev, result->replaces);
    /* Without memory for the message the entry is stored all the same: receivers see the gap by
     * the next one's prev and ask. */
    if (message->failed)
        return 0;
    return result->outcome == SEND_PUBLISHED
               ? publish_message(bk->ctx, bk->name, text_buf_str(message))
               : publish_effect(bk->ctx, bk->name, text_buf_str(message));
}

/* What is said about the box as it is. */
static void take_present(struct box_key *bk, struct send_result *result)
{
    if (bk->box == NULL)
        return;
    result->rev = box_rev(bk->box);
    result->unread = box_unread(bk->box, box_key_now(bk));
}

/* NOSTORE: nothing changes. */
static void publish_only(struct box_key *bk, struct send_spec *spec, struct send_result *result)
{
    result->outcome = SEND_PUBLISHED;
    take_present(bk, result);
    if (bk->box != NULL)
        spec->entry.is_muted = box_is_muted(bk->box, spec->entry.category);
    box_key_close(bk);
    info_count(INFO_EVENTS, 1);
    if (publish_is_on(bk->ctx))
        result->receivers = announce(bk, spec, result);
}

static void store_and_tell(struct box_key *bk, struct args *args, struct send_spec *spec,
                           struct send_result *result)
{
    struct rm_ctx *ctx = bk->ctx;
    bool stored;

    box_key_sweep(bk);
    stored = store(bk, args, spec, result);
    box_key_close(bk);
    result->outcome = stored ? SEND_STORED : SEND_FAILED;
    if (!stored)
        return;
    info_count(spec->entry.kind == ENTRY_EVENT ? INFO_EVENTS : INFO_SENDS, 1);
    if (!spec->replicates_later)
        send_effect_replicate(ctx, spec, result);
    if (send_publishes(spec, ctx))
        result->receivers = announce(bk, spec, result);
    box_key_changed(bk, spec->event);
}

/* Whether it has been done before: an effect whose entry is there already. An AOF that tells twice
 * of an entry may also tell, in between, of its end. */
static bool is_done(const struct box_key *bk, const struct send_spec *spec)
{
    struct box_entry entry;

    if (bk->box == NULL || !send_has(spec, SEND_ID) || !replay_now() ||
        notify_id_cmp(spec->entry.id, box_last_id(bk->box)) > 0)
        return false;
    return replay_now_from_file() || box_find(bk->box, spec->entry.id, BOX_NEVER_EXPIRE, &entry);
}

void send_run(struct box_key *bk, struct args *args, struct send_spec *spec,
              struct send_result *ret_result)
{
    struct send_result *result = ret_result;

    *result = (struct send_result){.outcome = SEND_SKIPPED};
    bk->clock_ms = spec->now_ms;
    if (send_has(spec, SEND_NOSTORE) && !send_has(spec, SEND_NX) && !send_has(spec, SEND_XX)) {
        publish_only(bk, spec, result);
        return;
    }
    if (send_has(spec, SEND_IDEMPOTENT) && bk->box != NULL &&
        box_find_token(bk->box, spec->token.text, spec->token.after_ms, &result->id)) {
        result->outcome = SEND_DUPLICATE;
        take_present(bk, result);
        info_count(INFO_DUPLICATES, 1);
    } else if (is_done(bk, spec)) {
        result->id = spec->entry.id;
    } else if ((!send_has(spec, SEND_NX) || bk->box == NULL) &&
               (!send_has(spec, SEND_XX) || bk->box != NULL)) {
        if (send_has(spec, SEND_NOSTORE))
            publish_only(bk, spec, result);
        else
            store_and_tell(bk, args, spec, result);
        return;
    }
    box_key_close(bk);
}

static void reply_id_of(struct rm_ctx *ctx, const struct send_result *result)
{
    if (result->outcome == SEND_STORED || result->outcome == SEND_DUPLICATE)
        reply_id(ctx, result->id);
    else
        rm_ReplyWithNull(ctx);
}

void send_reply(struct rm_ctx *ctx, const struct args *args, const struct send_spec *spec,
                const struct send_result *result)
{
    if (result->outcome == SEND_FAILED)
        (void)reply_args_error(ctx, args);
    else if (result->outcome == SEND_SKIPPED)
        rm_ReplyWithNull(ctx);
    else if (send_has(spec, SEND_WITHINFO)) {
        rm_ReplyWithMap(ctx, 4);
        reply_str(ctx, NOTIFY_STR("id"));
        reply_id_of(ctx, result);
        reply_field_number(ctx, "unread", result->unread);
        reply_field_number(ctx, "receivers", (uint64_t)result->receivers);
        reply_field_number(ctx, "duplicate", result->outcome == SEND_DUPLICATE);
    } else if (result->outcome == SEND_PUBLISHED)
        rm_ReplyWithSimpleString(ctx, "OK");
    else
        reply_id_of(ctx, result);
}
