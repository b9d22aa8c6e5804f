/* session_change -- see session_change.h. */
#include "commands/session_change.h"

#include "server/info.h"
#include "message/presence.h"
#include "server/publish.h"
#include "base/scratch.h"
#include "sessions/sessions_diff.h"
#include "server/sessions_effect.h"

void session_change_init(struct session_change *change, struct rm_ctx *ctx, struct rm_string **argv,
                         int argc)
{
    *change = (struct session_change){.ctx = ctx, .sk = {.ctx = ctx, .name = argv[2]}};
    args_init(&change->args, argv, argc, 3);
}

void session_change_release(struct session_change *change)
{
    sessions_key_close(&change->sk);
    sessions_free(change->after);
    if (change->before_is_owned)
        sessions_free(change->before);
    scratch_shrink();
}

bool session_change_open_or_reply(struct session_change *change)
{
    if (publish_is_on() && !publish_permitted_or_reply(change->ctx, change->sk.name))
        return false;
    if (!sessions_key_open_or_reply(&change->sk, change->ctx, change->sk.name, RM_READ | RM_WRITE))
        return false;
    change->before = change->sk.set;
    change->now_ms = (uint64_t)rm_Milliseconds();
    return true;
}

/* ---- the copy ---- */

struct sweep {
    uint64_t now_ms;
    const struct sessions_connection *keep; /* or NULL */
};

static bool is_over(void *ctx, const struct sessions_connection *c)
{
    const struct sweep *sweep = ctx;

    if (c->lease_ms > sweep->now_ms)
        return false;
    return sweep->keep == NULL || !notify_str_eq(c->connection, sweep->keep->connection) ||
           !notify_str_eq(c->session, sweep->keep->session);
}

bool session_change_begin(struct session_change *change, const struct sessions_connection *keep)
{
    struct sweep sweep = {change->now_ms, keep};

    change->after = change->before == NULL ? sessions_new() : sessions_copy(change->before);
    if (change->after == NULL)
        return false;
    sessions_remove_if(change->after, is_over, &sweep);
    return true;
}

/* ---- what has changed ---- */

struct tally {
    size_t closed, put, leases;
};

static void on_close(void *ctx, const struct sessions_connection *c)
{
    (void)c;
    ((struct tally *)ctx)->closed++;
}

static void on_put(void *ctx, const struct sessions_connection *c)
{
    (void)c;
    ((struct tally *)ctx)->put++;
}

static void on_lease(void *ctx, const struct sessions_connection *c)
{
    (void)c;
    ((struct tally *)ctx)->leases++;
}

static struct tally count_changes(const struct session_change *change)
{
    static const struct sessions_diff_handler handler = {on_close, on_put, on_lease};
    struct tally tally = {0, 0, 0};

    sessions_diff(change->before, change->after, &handler, &tally);
    return tally;
}

static uint64_t next_rev(const struct session_change *change, const struct tally *tally)
{
    uint64_t rev = change->before == NULL ? 0 : sessions_rev(change->before);

    if (change->before == NULL)
        return sessions_key_first_rev(change->now_ms);
    return rev < UINT64_MAX && tally->closed + tally->put > 0 ? rev + 1 : rev;
}

/* ---- telling others ---- */

struct announcement {
    struct session_change *change;
    struct presence_set set;
};

static void publish(const struct announcement *announcement, const struct text_buf *message)
{
    /* Without memory for it a message is lost; the counts of the next one are right again. */
    if (!message->failed)
        publish_message(announcement->change->ctx, announcement->change->sk.name,
                        text_buf_str(message));
}

static void on_kicked(void *ctx, struct notify_str session)
{
    const struct announcement *announcement = ctx;
    struct notify_str target = announcement->change->kicked;
    struct text_buf *message = scratch_message();

    if (!notify_str_eq(target, NOTIFY_STR("*")) && !notify_str_eq(target, session))
        return;
    presence_render_kick(message, &announcement->set, session);
    publish(announcement, message);
}

static void on_left(void *ctx, struct notify_str session)
{
    const struct announcement *announcement = ctx;
    const struct session_change *change = announcement->change;
    struct text_buf *message = scratch_message();

    if (sessions_connections_of(change->before, session, change->now_ms) == 0)
        info_count(INFO_SESSIONS_EXPIRED, 1);
    presence_render(message, &announcement->set, PRESENCE_LEAVE, session);
    publish(announcement, message);
}

static void on_joined(void *ctx, struct notify_str session)
{
    const struct announcement *announcement = ctx;
    struct text_buf *message = scratch_message();

    info_count(INFO_SESSIONS_OPENED, 1);
    presence_render(message, &announcement->set, PRESENCE_JOIN, session);
    publish(announcement, message);
}

/* after: as stored; NULL when nothing is left. */
static void announce(struct session_change *change, const struct sessions *after, uint64_t rev)
{
    struct announcement announcement = {
        .change = change,
        .set = {sessions_key_name(&change->sk), rev, sessions_count(after, change->now_ms)},
    };

    if (change->kicked.ptr != NULL)
        sessions_each_live(change->before, change->now_ms, on_kicked, &announcement);
    sessions_each_left(change->before, after, change->now_ms, on_left, &announcement);
    sessions_each_joined(change->before, after, change->now_ms, on_joined, &announcement);
}

static void signal_changed(struct session_change *change, const char *event, bool is_gone)
{
    rm_SignalModifiedKey(change->ctx, change->sk.name);
    rm_NotifyKeyspaceEvent(change->ctx, RM_NOTIFY_MODULE, event, change->sk.name);
    if (is_gone)
        rm_NotifyKeyspaceEvent(change->ctx, RM_NOTIFY_GENERIC, "del", change->sk.name);
}

/* ---- doing it ---- */

/* The key gets the new set; the old one is kept for what remains to be told. */
static const struct sessions *store(struct session_change *change)
{
    change->before = sessions_key_store(&change->sk, change->after);
    change->before_is_owned = true;
    change->after = NULL;
    sessions_key_close(&change->sk);
    return change->sk.set;
}

bool session_change_commit(struct session_change *change, const char *event)
{
    struct tally tally = count_changes(change);
    uint64_t rev = next_rev(change, &tally);
    struct sessions_effect effect;
    const struct sessions *after;
    bool ready;

    if (tally.closed + tally.put + tally.leases == 0)
        return true;
    sessions_set_rev(change->after, rev);
    ready = sessions_effect_init(&effect, sessions_key_name(&change->sk), rev, tally.closed,
                                 tally.put + tally.leases);
    if (ready) {
        sessions_effect_add_diff(&effect, change->before, change->after);
        after = store(change);
        rm_Replicate(change->ctx, SESSIONS_EFFECT_COMMAND, "v", effect.words, effect.count);
        announce(change, after, rev);
        signal_changed(change, event, after == NULL);
    }
    sessions_effect_release(&effect);
    return ready;
}
