/* box_key -- see box_key.h. */
#include "server/box_key.h"

#include <limits.h>

#include "server/box_type.h"
#include "server/clock.h"
#include "server/config.h"
#include "server/epoch.h"
#include "server/info.h"
#include "server/replay.h"
#include "server/reply.h"
#include "base/scratch.h"
#include "base/versions.h"

enum { SWEEP_MAX = 256 }; /* entries that one command takes out */

static void open_key(struct box_key *bk, struct rm_ctx *ctx, struct rm_string *name, int mode)
{
    *bk = (struct box_key){.ctx = ctx, .name = name, .key = rm_OpenKey(ctx, name, mode)};
    if (rm_ModuleTypeGetType(bk->key) != box_type_get()) /* NULL: no key, or no module's */
        return;
    bk->box = bk->stored = rm_ModuleTypeGetValue(bk->key);
}

void box_key_fetch(struct box_key *bk, struct rm_ctx *ctx, struct rm_string *name, int mode)
{
    open_key(bk, ctx, name, mode);
    if (bk->box != NULL)
        box_prefetch_header(bk->box);
}

bool box_key_check_or_reply(struct box_key *bk)
{
    if (bk->box == NULL && bk->key != NULL && rm_KeyType(bk->key) != RM_KEYTYPE_EMPTY &&
        !replay_clears(bk->key)) {
        rm_CloseKey(bk->key);
        bk->key = NULL;
        reply_wrong_type(bk->ctx);
        return false;
    }
    if (bk->box != NULL) {
        bk->live = box_stored(bk->box);
        bk->end_ms = box_key_end_ms(bk->box);
    }
    bk->counted = true;
    return true;
}

bool box_key_open_or_reply(struct box_key *bk, struct rm_ctx *ctx, struct rm_string *name, int mode)
{
    open_key(bk, ctx, name, mode);
    return box_key_check_or_reply(bk);
}

/* ---- what has expired ---- */

/* On a replica only its primary decides. */
static bool may_sweep(const struct box_key *bk)
{
    return !replay_now() && (replay_flags(bk->ctx) & RM_FLAG_REPLICA) == 0;
}

static void replicate_sweep(struct box_key *bk, const struct notify_id *ids, size_t count)
{
    struct rm_string *texts[SWEEP_MAX];

    for (size_t i = 0; i < count; i++) {
        struct notify_str text = scratch_id(ids[i]);
        texts[i] = rm_CreateString(bk->ctx, text.ptr, text.len);
    }
    rm_Replicate(bk->ctx, "NOTIFY.DEL", "scv", bk->name, "EXPIRED", texts, count);
    for (size_t i = 0; i < count; i++)
        rm_FreeString(bk->ctx, texts[i]);
}

void box_key_sweep(struct box_key *bk)
{
    struct notify_id ids[SWEEP_MAX];
    size_t count;

    if (bk->box == NULL || !box_may_expire(bk->box) ||
        !box_has_expired(bk->box, box_key_clock(bk)) || !may_sweep(bk))
        return;
    count = box_sweep_expired(&bk->box, bk->clock_ms, ids, SWEEP_MAX);
    if (count == 0)
        return;
    replicate_sweep(bk, ids, count);
    info_count(INFO_EXPIRED, count);
    bk->swept = true;
}

/* ---- epochs ---- */

static uint32_t new_epoch(const struct box_key *bk)
{
    epoch_enter_database(rm_GetSelectedDb(bk->ctx));
    while (box_has_epoch(bk->box, epoch_now())) /* there are few that it can have */
        epoch_note_gone();
    return epoch_give();
}

/* The epoch under which the box is written now; 0: it stays as it is. */
static uint32_t wanted_epoch(const struct box_key *bk, uint32_t given)
{
    if (replay_now()) {
        epoch_note_seen(given);
        return given;
    }
    if ((epoch_is_present(box_epoch(bk->box)) && !box_epoch_has_ended(bk->box)) ||
        !config_writes(WRITE_VERSION_EPOCHS))
        return 0;
    return new_epoch(bk);
}

uint32_t box_key_begin_epoch(struct box_key *bk, uint32_t given, struct notify_id end)
{
    uint32_t epoch = wanted_epoch(bk, given);

    if (epoch == 0 || epoch == box_epoch(bk->box))
        return 0;
    /* Without memory it begins with the next change. */
    return box_begin_epoch(&bk->box, epoch, end) == 0 ? epoch : 0;
}

void box_key_forget_epochs(struct rm_ctx *ctx, struct rm_string *name)
{
    struct box_key bk;

    open_key(&bk, ctx, name, RM_READ | RM_WRITE | RM_NOTOUCH);
    if (bk.box != NULL)
        box_forget_epochs(bk.box);
    box_key_close(&bk);
}

void box_key_end_epoch(struct rm_ctx *ctx, struct rm_string *name)
{
    struct box_key bk;

    open_key(&bk, ctx, name, RM_READ | RM_WRITE | RM_NOTOUCH);
    if (bk.box != NULL)
        (void)box_end_epoch(&bk.box); /* without memory it goes on as it was */
    box_key_close(&bk);
}

/* ---- the end of the key ---- */

void box_key_settle(struct box_key *bk)
{
    /* Without memory the key just stays: the next command settles it. */
    (void)box_settle_key_end(&bk->box);
    bk->settled = true;
}

static long long as_expire(uint64_t end_ms)
{
    return end_ms == 0 ? RM_NO_EXPIRE : (long long)end_ms;
}

/* A time to live that somebody else gave to the key stays. */
static void apply_end(struct box_key *bk)
{
    uint64_t end_ms = box_key_end_ms(bk->box);
    long long present;

    if (end_ms == 0 && bk->end_ms == 0)
        return;
    present = rm_GetAbsExpire(bk->key);
    if (present != as_expire(end_ms) &&
        (present == RM_NO_EXPIRE || present == as_expire(bk->end_ms)))
        rm_SetAbsExpire(bk->key, as_expire(end_ms));
}

void box_key_keep_end(struct rm_ctx *ctx, struct rm_string *name)
{
    struct box_key bk;

    open_key(&bk, ctx, name, RM_READ | RM_WRITE | RM_NOTOUCH);
    if (bk.box != NULL) {
        bk.end_ms = box_key_end_ms(bk.box);
        apply_end(&bk);
    }
    box_key_close(&bk);
}

/* ---- closing ---- */

static void write_back(struct box_key *bk)
{
    void *old;

    if (bk->stored == NULL) {
        rm_ModuleTypeSetValue(bk->key, box_type_get(), bk->box);
        info_add_box();
    } else {
        rm_ModuleTypeReplaceValue(bk->key, box_type_get(), bk->box, &old);
    }
    bk->stored = bk->box;
}

void box_key_close(struct box_key *bk)
{
    if (bk->key == NULL)
        return;
    if (bk->box != bk->stored)
        write_back(bk);
    if (bk->settled)
        apply_end(bk);
    if (bk->box != NULL && bk->counted)
        info_add_entries((long long)box_stored(bk->box) - (long long)bk->live);
    rm_CloseKey(bk->key);
    bk->key = NULL;
    if (bk->swept)
        box_key_changed(bk, "notify.expired");
}

void box_key_changed(struct box_key *bk, const char *event)
{
    rm_SignalModifiedKey(bk->ctx, bk->name);
    rm_NotifyKeyspaceEvent(bk->ctx, RM_NOTIFY_MODULE, event, bk->name);
}

uint64_t box_key_now(const struct box_key *bk)
{
    uint64_t now_ms;

    if (bk->box == NULL || !box_may_expire(bk->box) || (replay_now() && !bk->is_told))
        return BOX_NEVER_EXPIRE;
    now_ms = bk->clock_ms != 0 ? bk->clock_ms : clock_now(bk->ctx);
    box_advance(bk->box, now_ms);
    return now_ms;
}

uint64_t box_key_clock(struct box_key *bk)
{
    if (bk->clock_ms == 0)
        bk->clock_ms = clock_now(bk->ctx);
    return bk->clock_ms;
}

uint64_t box_key_next_expiry(struct box_key *bk)
{
    if (bk->box == NULL || box_min_expire_ms(bk->box) == 0)
        return 0;
    return box_next_expiry_ms(bk->box, box_key_clock(bk));
}

struct notify_str box_key_name(const struct box_key *bk)
{
    return rm_str(bk->name);
}
