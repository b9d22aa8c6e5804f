/* session_change -- see session_change.h. */
#include "commands/session_change.h"

#include "server/clock.h"
#include "server/info.h"
#include "message/presence.h"
#include "server/publish.h"
#include "server/replication.h"
#include "server/reply.h"
#include "server/sessions_gone.h"
#include "base/scratch.h"
#include "sessions/kicked.h"

void session_change_init(struct session_change *change, struct rm_ctx *ctx, struct rm_string **argv,
                         int argc)
{
    *change = (struct session_change){.ctx = ctx, .sk = {.ctx = ctx, .name = argv[2]}};
    args_init(&change->args, argv, argc, 3);
}

void session_change_release(struct session_change *change)
{
    if (change->is_planned)
        sessions_plan_drop(change->sk.set);
    sessions_key_close(&change->sk);
    sessions_effect_release(&change->effect);
    scratch_shrink();
}

bool session_change_open_or_reply(struct session_change *change)
{
    if (publish_is_on(change->ctx) && !publish_permitted_or_reply(change->ctx, change->sk.name))
        return false;
    if (!sessions_key_open_or_reply(&change->sk, change->ctx, change->sk.name, RM_READ | RM_WRITE))
        return false;
    change->now_ms = clock_now(change->ctx);
    return true;
}

bool session_change_sweep_or_reply(struct session_change *change,
                                   const struct sessions_connection *keep)
{
    struct sessions_key *sk = &change->sk;

    if (sk->set == NULL)
        sk->set = sessions_new();
    if (sk->set == NULL) {
        (void)reply_no_memory(change->ctx);
        return false;
    }
    sessions_plan_sweep(sk->set, change->now_ms, keep);
    change->is_planned = true;
    return true;
}

/* False: no memory. */
static bool prepare(struct session_change *change, size_t others)
{
    change->is_heard = replication_is_heard(change->ctx);
    return !change->is_heard ||
           sessions_effect_init(&change->effect, sessions_plan_tally(change->sk.set).removed,
                                others);
}

bool session_change_prepare_or_reply(struct session_change *change, size_t others)
{
    if (prepare(change, others))
        return true;
    (void)reply_no_memory(change->ctx);
    return false;
}

bool session_change_fetch(struct session_change *change, size_t others)
{
    struct sessions_key *sk = &change->sk;

    sessions_key_fetch(sk, change->ctx, sk->name, RM_READ | RM_WRITE);
    if (sk->set == NULL)
        return false;
    change->now_ms = clock_now(change->ctx);
    sessions_plan_sweep(sk->set, change->now_ms, NULL);
    change->is_planned = true;
    return prepare(change, others);
}

static uint64_t next_rev(const struct session_change *change, const struct sessions_tally *tally)
{
    uint64_t rev = sessions_rev(change->sk.set);

    if (change->sk.stored == NULL)
        return sessions_gone_first_rev(change->now_ms);
    return rev < UINT64_MAX && tally->removed + tally->put > 0 ? rev + 1 : rev;
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
    struct text_buf *message = scratch_message();

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

static void announce(struct session_change *change)
{
    const struct sessions *set = change->sk.set;
    struct announcement announcement = {
        .change = change,
        .set = {sessions_key_name(&change->sk), sessions_rev(set),
                sessions_count(set, change->now_ms)},
    };

    if (change->kicked.ptr != NULL)
        sessions_plan_each(set, change->now_ms, SESSIONS_WERE_LIVE, on_kicked, &announcement);
    sessions_plan_each(set, change->now_ms, SESSIONS_LEFT, on_left, &announcement);
    sessions_plan_each(set, change->now_ms, SESSIONS_JOINED, on_joined, &announcement);
}

/* ---- kicked ones ---- */

static struct kicked_name kicked_name_of(const struct session_change *change,
                                         struct notify_str connection)
{
    return (struct kicked_name){rm_GetSelectedDb(change->ctx), sessions_key_name(&change->sk),
                                connection};
}

static void on_removed(void *ctx, const struct sessions_connection *connection)
{
    const struct session_change *change = ctx;
    struct kicked_name name = kicked_name_of(change, connection->connection);

    if (connection->lease_ms > change->now_ms) /* else it has expired, and was not kicked */
        kicked_note(&name, connection->lease_ms);
}

static void on_other(void *ctx, const struct sessions_connection *connection)
{
    (void)ctx, (void)connection;
}

/* A KICK removes, and does nothing else. */
static void note_kicked(struct session_change *change)
{
    static const struct sessions_plan_handler handler = {on_removed, on_other, on_other};

    if (change->kicked.ptr != NULL)
        sessions_plan_tell(change->sk.set, &handler, change);
}

bool session_change_was_kicked(const struct session_change *change, struct notify_str connection)
{
    struct kicked_name name = kicked_name_of(change, connection);

    return kicked_has(&name, change->now_ms);
}

/* ---- doing it ---- */

static void on_expired(void *ctx, struct notify_str session)
{
    (void)ctx, (void)session;
    info_count(INFO_SESSIONS_EXPIRED, 1);
}

static void signal_changed(struct session_change *change, const char *event, bool is_gone)
{
    rm_SignalModifiedKey(change->ctx, change->sk.name);
    rm_NotifyKeyspaceEvent(change->ctx, RM_NOTIFY_MODULE, event, change->sk.name);
    if (is_gone)
        rm_NotifyKeyspaceEvent(change->ctx, RM_NOTIFY_GENERIC, "del", change->sk.name);
}

/* As long as the plan is there, and the key's name. */
static void replicate(struct session_change *change)
{
    struct sessions_effect *effect = &change->effect;

    if (!change->is_heard) {
        rm_ReplicateVerbatim(change->ctx);
        return;
    }
    sessions_effect_begin(effect, sessions_key_name(&change->sk), sessions_rev(change->sk.set));
    sessions_effect_add_plan(effect, change->sk.set);
    rm_Replicate(change->ctx, SESSIONS_EFFECT_COMMAND, "v", effect->words, effect->count);
}

void session_change_commit(struct session_change *change, const char *event)
{
    struct sessions_key *sk = &change->sk;
    struct sessions_tally tally = sessions_plan_tally(sk->set);
    bool is_gone;

    if (tally.removed + tally.put + tally.leases == 0)
        return;
    sessions_set_rev(sk->set, next_rev(change, &tally));
    sessions_key_write(sk);
    replicate(change);
    announce(change);
    note_kicked(change);
    sessions_plan_each(sk->set, change->now_ms, SESSIONS_EXPIRED, on_expired, NULL);
    sessions_plan_end(sk->set);
    change->is_planned = false;
    is_gone = sessions_key_settle(sk);
    sessions_key_close(sk);
    signal_changed(change, event, is_gone);
}
