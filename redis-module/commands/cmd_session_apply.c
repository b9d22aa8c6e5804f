/* cmd_session_apply -- NOTIFY.SESSION APPLY: what another server, the AOF or a slot migration says
 * that a session set has become. No clock, no limits of a caller, nothing is published. */
#include "commands/commands.h"

#include <errno.h>

#include "server/args.h"
#include "server/reply.h"
#include "server/sessions_effect.h"
#include "server/sessions_key.h"

/* The set with the changes, in a copy, so that an error in the middle leaves no half. */
static int make_set(const struct sessions *before, struct args *args, struct sessions **ret_set)
{
    struct sessions *set = before == NULL ? sessions_new() : sessions_copy(before);
    int rc = set == NULL ? -ENOMEM : sessions_effect_apply(&set, args);

    if (rc == 0)
        *ret_set = set;
    else
        sessions_free(set);
    return rc;
}

static void store(struct sessions_key *sk, struct sessions *set)
{
    if (sk->set == NULL && sessions_length(set) == 0)
        sessions_free(set); /* there is nothing to remove */
    else
        sessions_free(sessions_key_store(sk, set));
}

/* NOTIFY.SESSION APPLY key rev [change …] */
int cmd_session_apply(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct sessions *set = NULL;
    struct sessions_key sk;
    struct args args;
    int rc;

    args_init(&args, argv, argc, 3);
    if (!sessions_key_open_or_reply(&sk, ctx, argv[2], RM_READ | RM_WRITE))
        return RM_OK;
    rc = make_set(sk.set, &args, &set);
    if (rc == 0)
        store(&sk, set);
    sessions_key_close(&sk);
    if (rc != 0)
        return rc == -ENOMEM ? reply_no_memory(ctx) : reply_args_error(ctx, &args);
    rm_Replicate(ctx, SESSIONS_EFFECT_COMMAND, "v", argv + 1, (size_t)(argc - 1));
    rm_SignalModifiedKey(ctx, argv[2]);
    rm_NotifyKeyspaceEvent(ctx, RM_NOTIFY_MODULE, "notify.session.apply", argv[2]);
    return rm_ReplyWithSimpleString(ctx, "OK");
}
