/* A client that takes less than is said: its queue is dropped, its places stay, and what is missing
 * is read from Redis once everything else is out. */
#include <assert.h>

#include "base/counters.h"
#include "base/log.h"
#include "channels/channel.h"
#include "channels/follow.h"
#include "clients/client_private.h"

static void leave_behind(struct client *client, struct follow *follow)
{
    if (follow->state == FOLLOW_BEHIND)
        return;
    channel_fall_behind(follow);
    if (follow->picks)
        inquiries_fell_behind(&client->inquiries);
    asks_fell_behind(&client->asks, follow);
}

bool client_drop_item(void *ctx, const struct outbox_item *item)
{
    struct client *client = ctx;
    struct follow *follow = item->source;

    leave_behind(client, follow);
    counter_add(notify_id_is_zero(item->id) ? COUNTER_DROPPED_SLOW : COUNTER_DROPPED_BEHIND, 1);
    if (notify_id_is_zero(item->id))
        counter_add(COUNTER_EVENTS_LOST_VOLATILE, 1);
    else if (notify_id_cmp(item->id, OUTBOX_WHOLE_BOX) == 0)
        follow_lose(follow); /* it will not be said again */
    else
        follow_keep_before(follow, item->id);
    return true;
}

void client_drop_queue(struct client *client)
{
    outbox_drop(&client->sender.outbox, client_drop_item, client);
}

/* A live client's queue is dropped as a whole. Dropping only its oldest part would leave a hole in
 * the middle of what the client sees; like this everything after pos is missing and nothing else,
 * and that is exactly what one read brings back. While a follow is being served from a read, its
 * queue is such a whole already: it stays, and only the rest comes later. */
void client_fall_behind(struct client *client, struct follow *follow)
{
    if (follow->state == FOLLOW_LIVE) {
        client_limit_met(client, COUNTER_CLIENTS_BEHIND);
        client_drop_queue(client);
        log_debug("client_behind", "client", log_int((int64_t)client->number));
    }
    leave_behind(client, follow);
}

/* Everything is out: those whose queue was dropped go on from where they were, until the socket is
 * full again. */
void client_refill(struct client *client)
{
    assert(client->shared->told == 0);
    if (!sender_is_idle(&client->sender))
        return;
    for (struct follow *f = client->follows; f != NULL && sender_is_idle(&client->sender);
         f = f->next) {
        if (f->state != FOLLOW_BEHIND)
            continue;
        channel_resume(f->channel, f);
    }
}
