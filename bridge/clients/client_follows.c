/* What a client follows: from where on, which of it, until when. */
#include <assert.h>
#include <errno.h>

#include "base/counters.h"
#include "base/small.h"
#include "channels/channel.h"
#include "channels/follow.h"
#include "channels/router.h"
#include "clients/client_private.h"
#include "clients/inbox_start.h"
#include "clients/progress.h"
#include "identity/key_names.h"
#include "identity/plain_channels.h"
#include "net/conn.h"
#include "wire/filter.h"

struct follow *client_find_follow(const struct client *client, struct notify_str key)
{
    for (struct follow *f = client->follows; f != NULL; f = f->next)
        if (notify_str_eq(follow_key(f), key))
            return f;
    return NULL;
}

static void stand_at(struct follow *follow, const struct position *position)
{
    follow->pos = position->id;
    follow->epoch = position->epoch;
}

static bool is_filtered(const struct client *client, const struct follow *follow)
{
    return client->filter != NULL && !follow->whole && !follow->plain;
}

/* Where it has been sent that to, if somebody is to know. What it gets of its inbox before it
 * follows that counts as from there. False: a stream of events may not follow so many. */
static bool count_progress(struct client *client, struct follow *follow, struct notify_str key)
{
    const struct inbox_start *start = follow->whole ? client->inbox_start : NULL;
    struct position from = {.id = follow->pos, .epoch = follow->epoch};

    if (!client->sender.marked || follow->plain)
        return true;
    if (start != NULL && start->len > 0)
        from = (struct position){.id = notify_id_before(start->had[start->len - 1])};
    return progress_add(client->sender.progress, follow, key, follow->from_now ? NULL : &from);
}

static void forget_progress(struct client *client, const struct follow *follow)
{
    if (client->sender.marked)
        progress_remove(client->sender.progress, follow);
}

static void count_follows(struct client *client, int more)
{
    client->follow_count += (uint32_t)more;
    client->shared->kinds.follows += (size_t)more;
}

/* The one that was begun last: it cannot be followed. */
static void take_back(struct client *client, struct follow *follow, struct ask *ask)
{
    if (ask != NULL)
        ask_forget(ask, follow);
    forget_progress(client, follow);
    client->follows = follow->next;
    count_follows(client, -1);
    small_give(follow, sizeof(*follow));
}

int client_follow(struct client *client, struct notify_str key, const struct position *from,
                  struct ask *ask)
{
    struct key_buffer buffer;
    struct follow *follow;
    struct notify_str name;
    int error;

    assert(client->shared->told == 0);
    if (client->follow_count >= client->shared->max_subscriptions)
        return -E2BIG;
    follow = small_take(sizeof(*follow));
    if (follow == NULL)
        return -ENOMEM;
    follow->client = client;
    follow->from_now = from == NULL;
    follow->whole = notify_str_eq(key, client_inbox(client, &buffer)); /* with true counts */
    follow->plain = plain_channels_have(client->shared->channels, key);
    follow->session = key_is(client->shared->keys, KEY_SESSION, key, &name);
    follow->picks = client->streams;
    follow->filtered = is_filtered(client, follow);
    if (from != NULL)
        stand_at(follow, from);
    if (!count_progress(client, follow, key)) {
        small_give(follow, sizeof(*follow));
        return -E2BIG;
    }
    follow->next = client->follows;
    client->follows = follow;
    count_follows(client, 1);
    if (ask != NULL)
        ask_await(ask, follow);
    error = router_add(client->shared->router, follow, key, client->left);
    if (error == -EUSERS)
        client_limit_met(client, COUNTER_CHANNEL_PATTERNS);
    if (error != 0)
        take_back(client, follow, ask);
    return error;
}

static bool is_from(void *ctx, const struct outbox_item *item)
{
    return item->source == ctx;
}

static void drop_follow_items(struct client *client, struct follow *follow)
{
    outbox_drop(&client->sender.outbox, is_from, follow);
}

void client_unfollow(struct client *client, struct follow *follow)
{
    struct follow **at = &client->follows;

    assert(client->shared->told == 0);
    while (*at != follow)
        at = &(*at)->next;
    *at = follow->next;
    count_follows(client, -1);
    drop_follow_items(client, follow);
    (void)asks_resolve(&client->asks, follow);
    forget_progress(client, follow);
    router_remove(client->shared->router, follow, &client->left);
    small_give(follow, sizeof(*follow));
}

void client_resume(struct client *client, struct follow *follow, const struct position *pos,
                   struct ask *ask)
{
    assert(client->shared->told == 0);
    drop_follow_items(client, follow);
    ask_await(ask, follow);
    stand_at(follow, pos);
    follow->from_now = follow->gap = follow->gap_said = follow->refilled = false;
    follow->count = 0;
    channel_resume(follow->channel, follow);
}

static bool drop_chosen(void *ctx, const struct outbox_item *item)
{
    const struct follow *follow = item->source;

    return follow->filtered && client_drop_item(ctx, item);
}

void client_set_filter(struct client *client, struct filter *filter)
{
    struct filter *before = client->filter;

    client->filter = filter_ref(filter);
    filter_unref(before);
    for (struct follow *f = client->follows; f != NULL; f = f->next)
        f->filtered = is_filtered(client, f);
    outbox_drop(&client->sender.outbox, drop_chosen, client);
}

static void look_ahead(const struct follow *follow)
{
    const struct client *client = follow->client;

    __builtin_prefetch(client);
    __builtin_prefetch((const char *)client + 63); /* it need not begin at a cache line */
}

static void look_ahead_more(const struct follow *follow)
{
    conn_prefetch(follow->client->sender.conn);
}

static void on_refused(struct follow *follow)
{
    struct client *client = follow->client;

    follow_lose(follow);
    if (!asks_refuse(&client->asks, follow))
        client_tell_error(client, follow_key(follow), "FORBIDDEN", CLIENT_FORBIDDEN_TEXT);
    client_unfollow(client, follow);
}

const struct follow_handlers client_follow_handlers = {
    .deliver = client_deliver,
    .look_ahead = look_ahead,
    .look_ahead_more = look_ahead_more,
    .on_live = client_on_live,
    .on_gap = client_on_gap,
    .on_gap_ahead = client_on_gap_ahead,
    .on_refused = on_refused,
};
