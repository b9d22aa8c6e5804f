/* cmd_session_apply -- NOTIFY.SESSION APPLY: what another server, the AOF or a slot migration says
 * that a session set has become. No clock, no limits of a caller, nothing is published. */
#include "commands/commands.h"

#include <errno.h>

#include "server/args.h"
#include "server/reply.h"
#include "server/sessions_effect.h"
#include "server/sessions_key.h"

/* NOTIFY.SESSION APPLY key rev [change …] */
int cmd_session_apply(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct sessions_key sk;
    struct args args;
    int rc;

    args_init(&args, argv, argc, 3);
    if (!sessions_key_open_or_reply(&sk, ctx, argv[2], RM_READ | RM_WRITE))
        return RM_OK;
    if (sk.set == NULL)
        sk.set = sessions_new();
    rc = sk.set == NULL ? -ENOMEM : sessions_effect_apply(&sk.set, &args);
    if (rc == 0 && (sk.stored != NULL || sessions_length(sk.set) > 0)) {
        sessions_key_write(&sk);
        (void)sessions_key_settle(&sk);
    }
    sessions_key_close(&sk);
    if (rc != 0)
        return rc == -ENOMEM ? reply_no_memory(ctx) : reply_args_error(ctx, &args);
    rm_Replicate(ctx, SESSIONS_EFFECT_COMMAND, "v", argv + 1, (size_t)(argc - 1));
    rm_SignalModifiedKey(ctx, argv[2]);
    rm_NotifyKeyspaceEvent(ctx, RM_NOTIFY_MODULE, "notify.session.apply", argv[2]);
    return rm_ReplyWithSimpleString(ctx, "OK");
}
