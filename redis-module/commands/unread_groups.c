/* unread_groups -- see unread_groups.h. */
#include "commands/unread_groups.h"

#include <errno.h>

#include "base/limits.h"
#include "base/scratch.h"
#include "box/body.h"
#include "server/reply.h"

int groups_add_unread(struct groups *groups, const struct box_view *view, uint64_t now_ms,
                      const struct box_filter *filter)
{
    struct box_range range = {.to = NOTIFY_ID_GREATEST, .now_ms = now_ms, .filter = *filter};
    struct box_view_iter iter;
    struct box_entry entry;
    int rc = 0;

    range.filter.state = BOX_UNREAD;
    box_view_iter_init(&iter, view, &range);
    while (rc == 0 && box_view_iter_next(&iter, &entry))
        rc = entry.is_muted ? 0 : groups_add(groups, &entry);
    return rc;
}

static void reply_text(struct rm_ctx *ctx, const struct groups *groups, enum body_field field,
                       struct notify_str stored)
{
    bool is_escaped = groups->by == GROUP_TYPE || groups->by == GROUP_ENTITY;

    if (is_escaped && stored.ptr != NULL)
        stored = body_plain(scratch_body(), field, stored);
    reply_str(ctx, stored);
}

void groups_reply(struct rm_ctx *ctx, const struct groups *groups)
{
    bool is_entity = groups->by == GROUP_ENTITY;

    if (is_entity)
        rm_ReplyWithArray(ctx, (long)groups->count);
    else
        rm_ReplyWithMap(ctx, (long)groups->count);
    for (size_t i = 0; i < groups->count; i++) {
        if (is_entity)
            rm_ReplyWithArray(ctx, 3);
        reply_text(ctx, groups, is_entity ? BODY_ENTITY_TYPE : BODY_TYPE, groups->list[i].name);
        if (is_entity)
            reply_text(ctx, groups, BODY_ENTITY_ID, groups->list[i].id);
        rm_ReplyWithLongLong(ctx, (long long)groups->list[i].count);
    }
}

int groups_reply_failed(struct rm_ctx *ctx, struct args *args, int error)
{
    if (error != -ENOSPC)
        return reply_no_memory(ctx);
    args_fail(args, "LIMIT what is unread is of more than %d groups", LIMIT_GROUPS);
    return reply_args_error(ctx, args);
}
