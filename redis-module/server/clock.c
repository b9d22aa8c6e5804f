/* clock -- see clock.h. From 7.2 on the server tells the time at which the present command, script
 * or transaction has begun. Before, nobody says when one ends: the time is kept until the loop
 * turns or a command comes by itself, whichever is first. */
#include "server/clock.h"

#include <stdbool.h>

#include "server/replay.h"

static uint64_t kept_ms; /* 0: none */
static bool turn_awaited;

static void on_turn(struct rm_ctx *ctx, void *data)
{
    (void)ctx, (void)data;
    kept_ms = 0;
    turn_awaited = false;
}

static uint64_t keep(struct rm_ctx *ctx)
{
    if (kept_ms == 0)
        kept_ms = (uint64_t)rm_Milliseconds();
    if (!turn_awaited)
        rm_CreateTimer(ctx, 0, on_turn, NULL);
    turn_awaited = true;
    return kept_ms;
}

uint64_t clock_now(struct rm_ctx *ctx)
{
    if (rm_CachedMicroseconds != NULL)
        return (uint64_t)rm_CachedMicroseconds() / 1000;
    if ((replay_flags(ctx) & (RM_FLAG_MULTI | RM_FLAG_LUA)) != 0)
        return keep(ctx);
    kept_ms = 0;
    return (uint64_t)rm_Milliseconds();
}
