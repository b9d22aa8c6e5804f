/* cmd_restore -- NOTIFY.RESTOREBOX, which an AOF rewrite and Valkey's slot migration consist of. */
#include "commands/commands.h"

#include <errno.h>

#include "server/args.h"
#include "server/box_key.h"
#include "server/box_type.h"
#include "server/reply.h"

/* NOTIFY.RESTOREBOX key block [block …] */
int cmd_restorebox(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct box_key bk;
    struct args args;
    int rc;

    args_init(&args, argv, argc, 2);
    if (!box_key_open_or_reply(&bk, ctx, argv[1], RM_READ | RM_WRITE))
        return RM_OK;
    rc = box_type_restore(&bk.box, &args);
    box_key_close(&bk);
    if (rc != 0)
        return rc == -ENOMEM ? reply_no_memory(ctx) : reply_args_error(ctx, &args);
    rm_Replicate(ctx, BOX_TYPE_RESTORE, "v", argv + 1, (size_t)(argc - 1));
    box_key_changed(&bk, "notify.restorebox");
    return rm_ReplyWithSimpleString(ctx, "OK");
}
