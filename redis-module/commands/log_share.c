/* log_share -- see log_share.h. */
#include "commands/log_share.h"

#include "commands/log_count.h"
#include "server/reply.h"

struct log_share log_share_of(const struct cursor *cursor, struct box_key *log,
                              struct category_wish *wish)
{
    struct log_share share = {.name = box_key_name(log), .counts = log_count(cursor, log, wish)};

    if (log->box == NULL)
        return share;
    share.last = box_last_id(log->box);
    share.rev = box_rev(log->box);
    share.epoch = box_epoch(log->box);
    share.next_expiry_ms = box_key_next_expiry(log);
    return share;
}

void log_share_reply(struct rm_ctx *ctx, const struct log_share *share)
{
    reply_field_number(ctx, "unread", share->counts.unread);
    reply_field_number(ctx, "unseen", share->counts.unseen);
    reply_field_id(ctx, "last", share->last);
    reply_field_number(ctx, "rev", share->rev);
    reply_field_number(ctx, "epoch", share->epoch);
    reply_field_number(ctx, "next_expiry", share->next_expiry_ms);
}
