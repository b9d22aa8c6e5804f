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

static bool move_box(void **value, const struct mover *mover, unsigned long *cursor)
{
    struct box *box = *value;
    bool more = box_move(&box, mover, cursor);

    *value = box;
    return more;
}

static bool move_sessions(void **value, const struct mover *mover, unsigned long *cursor)
{
    struct sessions *set = *value;
    bool more = sessions_move(&set, mover, cursor);

    *value = set;
    return more;
}

/* There is a cursor only when the server means to come again; else everything must be moved now. */
static int defrag(struct rm_defrag *ctx, void **value,
                  bool (*move_value)(void **value, const struct mover *mover,
                                     unsigned long *cursor))
{
    struct mover mover = {.move = move, .ctx = ctx};
    unsigned long cursor = 0;
    bool more;

    if (rm_DefragCursorGet(ctx, &cursor) == RM_OK)
        mover.should_stop = should_stop;
    else
        cursor = 0;
    more = move_value(value, &mover, &cursor);
    if (more)
        rm_DefragCursorSet(ctx, cursor);
    return more;
}

int defrag_box(struct rm_defrag *ctx, struct rm_string *key, void **value)
{
    (void)key;
    return defrag(ctx, value, move_box);
}

int defrag_sessions(struct rm_defrag *ctx, struct rm_string *key, void **value)
{
    (void)key;
    return defrag(ctx, value, move_sessions);
}
