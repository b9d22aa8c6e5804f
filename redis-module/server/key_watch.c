/* key_watch -- see key_watch.h. */
#include "server/key_watch.h"

#include <string.h>

#include "base/text_buf.h"
#include "message/presence.h"
#include "message/render.h"
#include "server/box_key.h"
#include "server/clock.h"
#include "server/config.h"
#include "server/epoch.h"
#include "server/events.h"
#include "server/info.h"
#include "server/publish.h"
#include "server/sessions_key.h"
#include "server/unlinked.h"
#include "sessions/kicked.h"

static struct text_buf message = TEXT_BUF_INIT; /* others may have theirs in the making */

/* ---- what is told ---- */

static void tell(struct rm_ctx *ctx, struct rm_string *key, enum info_counter counter)
{
    /* Without memory for it the message is lost; the next one about this key shows what is so. */
    if (message.failed)
        return;
    publish_here(ctx, key, text_buf_str(&message));
    info_count(counter, 1);
}

static void tell_gone(struct rm_ctx *ctx, struct rm_string *key, const struct unlinked *note)
{
    uint64_t rev = note->rev < UINT64_MAX ? note->rev + 1 : note->rev;

    text_buf_clear(&message);
    if (note->kind == UNLINKED_BOX)
        render_gone(&message, rm_str(key), rev);
    else
        presence_render_gone(&message, rm_str(key), rev);
    tell(ctx, key, INFO_KEYS_GONE);
}

static void tell_box(struct rm_ctx *ctx, struct rm_string *key, struct box_key *bk)
{
    struct render_box box = {.key = rm_str(key),
                             .rev = box_rev(bk->box),
                             .epoch = box_epoch(bk->box),
                             .unread = box_unread(bk->box, box_key_now(bk))};

    text_buf_clear(&message);
    render_appeared(&message, &box, box_last_id(bk->box));
    tell(ctx, key, INFO_KEYS_CHANGED);
}

static void tell_sessions(struct rm_ctx *ctx, struct rm_string *key, const struct sessions *set)
{
    struct presence_set present = {rm_str(key), sessions_rev(set),
                                   sessions_count(set, clock_now(ctx))};

    text_buf_clear(&message);
    presence_render_appeared(&message, &present);
    tell(ctx, key, INFO_KEYS_CHANGED);
}

/* Something may stand there now. note: what went before; NULL: nothing of ours. */
static void tell_present(struct rm_ctx *ctx, struct rm_string *key, const struct unlinked *note)
{
    struct sessions_key sk;
    struct box_key bk;

    box_key_fetch(&bk, ctx, key, RM_READ | RM_NOTOUCH);
    sessions_key_fetch(&sk, ctx, key, RM_READ | RM_NOTOUCH);
    if (bk.box != NULL)
        tell_box(ctx, key, &bk);
    else if (sk.set != NULL)
        tell_sessions(ctx, key, sk.set);
    else if (note != NULL)
        tell_gone(ctx, key, note);
    box_key_close(&bk);
    sessions_key_close(&sk);
}

static void tell_flushed(struct rm_ctx *ctx)
{
    unlinked_drop(); /* that says it all */
    text_buf_clear(&message);
    render_flushed(&message, (uint64_t)config_get()->database);
    if (message.failed)
        return;
    publish_control(ctx, text_buf_str(&message));
    info_count(INFO_FLUSHES, 1);
}

/* Tells what no event has: values that were overwritten. Before anything else is told, or the box
 * that has come in their place would seem to be gone. */
static void settle(struct rm_ctx *ctx)
{
    struct unlinked note;

    if (unlinked_is_empty())
        return;
    if (!publish_tells_events(ctx)) {
        unlinked_drop();
        return;
    }
    if (unlinked_were_too_many())
        tell_flushed(ctx);
    while (unlinked_pop(&note)) {
        tell_present(ctx, note.key, &note);
        rm_FreeString(NULL, note.key);
    }
}

/* ---- what the server says ---- */

enum {
    WENT = 1,      /* the key is no more */
    CAME = 2,      /* a value stands there that came as a whole */
    KEEPS_END = 4, /* a value stands there whose time to live may be lost */
    RENAMED = 8,   /* a value stands there that had another name */
    RESTORED = 16, /* a value stands there as it was once, and may have gone on since */
};

static const struct fate {
    const char *event;
    unsigned flags;
} fates[] = {
    {"del", WENT},
    {"expired", WENT},
    {"evicted", WENT},
    {"rename_from", WENT},
    {"move_from", WENT},
    {"rename_to", CAME | RENAMED},
    {"move_to", CAME | RENAMED},
    {"copy_to", CAME | RENAMED},
    {"restore", CAME | KEEPS_END | RESTORED},
    {"persist", KEEPS_END},
};
enum { FATES = sizeof fates / sizeof fates[0] };

static void on_fate(struct rm_ctx *ctx, bool came, struct rm_string *key)
{
    struct unlinked note;
    bool noted = unlinked_take(key, &note);

    if ((!noted && !came) || !publish_tells_events(ctx))
        return;
    if (came)
        tell_present(ctx, key, noted ? &note : NULL);
    else
        tell_gone(ctx, key, &note);
}

static int on_key_event(struct rm_ctx *ctx, int type, const char *event, struct rm_string *key)
{
    int i = 0;

    (void)type;
    while (i < FATES && strcmp(fates[i].event, event) != 0)
        i++;
    if (i == FATES)
        return RM_OK;
    if ((fates[i].flags & KEEPS_END) != 0) {
        box_key_keep_end(ctx, key);
        sessions_key_keep_end(ctx, key);
    }
    if ((fates[i].flags & RENAMED) != 0)
        box_key_forget_epochs(ctx, key);
    if ((fates[i].flags & RESTORED) != 0)
        box_key_end_epoch(ctx, key);
    if ((fates[i].flags & (WENT | CAME)) != 0)
        on_fate(ctx, (fates[i].flags & CAME) != 0, key);
    return RM_OK;
}

static bool is_ours(int database)
{
    return database == config_get()->database;
}

/* Whether the event leaves other contents in our database than followers know. */
static bool exchanges_all(struct rm_event event, uint64_t subevent, const void *data, int flags)
{
    const struct rm_flush_info *flush = data;
    const struct rm_swap_info *swap = data;

    switch (event.id) {
    case RM_EVENT_FLUSHDB:
        /* A replica that is given everything anew empties itself first: that is told when it has
         * loaded. */
        return subevent == RM_FLUSHDB_END && (flags & RM_FLAG_STALE) == 0 &&
               (flush->database < 0 || is_ours(flush->database));
    case RM_EVENT_SWAPDB:
        return is_ours(swap->first) || is_ours(swap->second);
    case RM_EVENT_LOADING: /* what a primary loads when it starts, nobody has known */
        return subevent == RM_LOADING_ENDED && (flags & RM_FLAG_REPLICA) != 0;
    case RM_EVENT_REPL_ASYNC_LOAD:
        return subevent == RM_REPL_ASYNC_LOAD_COMPLETED;
    default:
        return false;
    }
}

static void on_server_event(struct rm_ctx *ctx, struct rm_event event, uint64_t subevent,
                            void *data)
{
    int flags = rm_GetContextFlags(ctx);

    if (event.id == RM_EVENT_LOADING)
        unlinked_drop(); /* what was there while it was loaded, nobody has seen */
    if (event.id == RM_EVENT_FLUSHDB || event.id == RM_EVENT_SWAPDB) {
        epoch_note_gone();
        kicked_release(); /* of sets that are gone; all begins anew */
    }
    rm_SelectDb(ctx, config_get()->database);
    if (exchanges_all(event, subevent, data, flags) && publish_tells_events(ctx))
        tell_flushed(ctx);
}

static void on_cron(struct rm_ctx *ctx, struct rm_event event, uint64_t subevent, void *data)
{
    (void)event, (void)subevent, (void)data;
    if (unlinked_is_empty())
        return;
    rm_SelectDb(ctx, config_get()->database);
    settle(ctx);
}

bool key_watch_init(struct rm_ctx *ctx)
{
    static const uint64_t events[] = {RM_EVENT_FLUSHDB, RM_EVENT_SWAPDB, RM_EVENT_LOADING,
                                      RM_EVENT_REPL_ASYNC_LOAD};
    const int classes = RM_NOTIFY_GENERIC | RM_NOTIFY_EXPIRED | RM_NOTIFY_EVICTED;

    publish_before(settle);
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        if (!events_listen(ctx, events[i], on_server_event))
            return false;
    return events_listen(ctx, RM_EVENT_CRON_LOOP, on_cron) &&
           rm_SubscribeToKeyspaceEvents(ctx, classes, on_key_event) == RM_OK;
}
