/* defrag -- see defrag.h. */
#include "server/defrag.h"

#include "box/box.h"
#include "sessions/sessions.h"

static void *move(void *ctx, void *ptr)
{
    return rm_DefragAlloc(ctx, ptr);
}

static bool should_stop(void *ctx)
{
    return rm_DefragShouldStop(ctx) != 0;
}

int defrag_box(struct rm_defrag *ctx, struct rm_string *key, void **value)
{
    struct box_mover mover = {.move = move, .ctx = ctx};
    struct box *box = *value;
    unsigned long cursor = 0;
    bool more;

    (void)key;
    /* There is a cursor only when the server means to come again; else everything must be moved
     * now.
     */
    if (rm_DefragCursorGet(ctx, &cursor) == RM_OK)
        mover.should_stop = should_stop;
    else
        cursor = 0;
    more = box_move(&box, &mover, &cursor);
    *value = box;
    if (more)
        rm_DefragCursorSet(ctx, cursor);
    return more;
}

int defrag_sessions(struct rm_defrag *ctx, struct rm_string *key, void **value)
{
    struct sessions_mover mover = {.move = move, .ctx = ctx};
    struct sessions *set = *value;
    unsigned long cursor = 0;
    bool more;

    (void)key;
    if (rm_DefragCursorGet(ctx, &cursor) == RM_OK)
        mover.should_stop = should_stop;
    else
        cursor = 0;
    more = sessions_move(&set, &mover, &cursor);
    *value = set;
    if (more)
        rm_DefragCursorSet(ctx, cursor);
    return more;
}
