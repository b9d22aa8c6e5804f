/* unread_groups -- how much is unread by category, type, level or entity: counted in views, and
 * replied. What UNREAD … BY and VIEW … BY have in common. */
#ifndef UNREAD_GROUPS_H
#define UNREAD_GROUPS_H

#include "box/box_view.h"
#include "commands/group.h"
#include "server/args.h"

/* Adds what is unread in the view, and not muted, of the filter's categories. The view must stay as
 * long as the groups do. 0, or an error of groups_add. */
int groups_add_unread(struct groups *groups, const struct box_view *view, uint64_t now_ms,
                      const struct box_filter *filter);

/* A map; of entities an array. */
void groups_reply(struct rm_ctx *ctx, const struct groups *groups);
/* Why there is none. Returns RM_OK. */
int groups_reply_failed(struct rm_ctx *ctx, struct args *args, int error);

#endif
