/* cmd_restore -- NOTIFY.RESTOREBOX, which an AOF rewrite and Valkey's slot migration consist of. */
#include "commands/commands.h"

#include <errno.h>

#include "server/args.h"
#include "server/box_key.h"
#include "server/box_type.h"
#include "server/replay.h"
#include "server/reply.h"

/* The box to restore into. A client's payload that turns out wrong in the middle must not leave a
 * half, so it is worked out on a copy; of an AOF or a primary that need not be feared, and copying
 * a large box for each of its parts would take too long. */
static bool open_target(struct box_key *bk, struct box **ret_box)
{
    *ret_box = bk->box == NULL || replay_now() ? bk->box : box_copy(bk->box);
    return *ret_box != NULL || bk->box == NULL;
}

/* NOTIFY.RESTOREBOX key block [block …] */
int cmd_restorebox(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct box_key bk;
    struct box *box;
    struct args args;
    bool in_place;
    int rc = -ENOMEM;

    args_init(&args, argv, argc, 2);
    if (!box_key_open_or_reply(&bk, ctx, argv[1], RM_READ | RM_WRITE))
        return RM_OK;
    if (open_target(&bk, &box)) {
        in_place = box == bk.box && box != NULL;
        rc = box_type_restore(&box, &args);
        if (in_place)
            bk.box = box; /* it may have moved, also when it failed */
        else if (rc != 0)
            box_free(box);
        else {
            box_free(bk.box);
            bk.box = box;
        }
    }
    box_key_close(&bk);
    if (rc != 0)
        return rc == -ENOMEM ? reply_no_memory(ctx) : reply_args_error(ctx, &args);
    rm_Replicate(ctx, BOX_TYPE_RESTORE, "v", argv + 1, (size_t)(argc - 1));
    box_key_changed(&bk, "notify.restorebox");
    return rm_ReplyWithSimpleString(ctx, "OK");
}
