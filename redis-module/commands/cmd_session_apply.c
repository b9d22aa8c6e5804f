/* cmd_session_apply -- NOTIFY.SESSION APPLY: what another server, the AOF or a slot migration says
 * that a session set has become. No clock, no limits of a caller, nothing is published. */
#include "commands/commands.h"

#include <errno.h>

#include "server/args.h"
#include "server/replay.h"
#include "server/reply.h"
#include "server/sessions_effect.h"
#include "server/sessions_key.h"

/* The set to work on. A client's changes that turn out wrong in the middle must not leave a half,
 * so they are worked out on a copy; of an AOF or a primary that need not be feared, and copying a
 * large set for each change would take too long. */
static struct sessions *open_target(const struct sessions_key *sk)
{
    if (sk->set == NULL)
        return sessions_new();
    return replay_now() ? sk->set : sessions_copy(sk->set);
}

/* What came of it becomes the set of the key. */
static void take_over(struct sessions_key *sk, struct sessions *set, bool in_place)
{
    struct sessions *former = in_place ? NULL : sk->set;

    sk->set = set;
    if (sk->stored == NULL && sessions_length(set) == 0)
        return; /* there is nothing to remove */
    sessions_key_write(sk);
    sessions_free(former);
    (void)sessions_key_settle(sk);
}

/* NOTIFY.SESSION APPLY key rev [change …] */
int cmd_session_apply(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct sessions_key sk;
    struct sessions *set;
    struct args args;
    bool in_place;
    int rc;

    args_init(&args, argv, argc, 3);
    if (!sessions_key_open_or_reply(&sk, ctx, argv[2], RM_READ | RM_WRITE))
        return RM_OK;
    set = open_target(&sk);
    in_place = set != NULL && set == sk.set;
    rc = set == NULL ? -ENOMEM : sessions_effect_apply(&set, &args);
    if (rc == 0 || in_place)
        take_over(&sk, set, in_place);
    else
        sessions_free(set);
    sessions_key_close(&sk);
    if (rc != 0)
        return rc == -ENOMEM ? reply_no_memory(ctx) : reply_args_error(ctx, &args);
    rm_Replicate(ctx, SESSIONS_EFFECT_COMMAND, "v", argv + 1, (size_t)(argc - 1));
    rm_SignalModifiedKey(ctx, argv[2]);
    rm_NotifyKeyspaceEvent(ctx, RM_NOTIFY_MODULE, "notify.session.apply", argv[2]);
    return rm_ReplyWithSimpleString(ctx, "OK");
}
