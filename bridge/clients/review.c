#include "clients/review.h"

#include "base/loop.h"
#include "channels/channel.h"
#include "channels/follow.h"
#include "clients/categories.h"
#include "clients/client.h"
#include "clients/following.h"
#include "clients/permission.h"
#include "identity/key_names.h"
#include "net/conn.h"

#define REVIEWED_AT_ONCE 64 /* clients in a turn; */
#define REVIEWED_US 2000    /* after so long no other begins: a role may have a thousand patterns */

static void end_what_is_forbidden(struct client *client)
{
    struct follow *next;

    for (struct follow *follow = client->follows; follow != NULL; follow = next) {
        next = follow->next;
        if (client_may_follow(client, follow_key(follow)))
            continue;
        client_tell_error(client, follow_key(follow), "FORBIDDEN", CLIENT_NO_RIGHT_TEXT);
        client_unfollow(client, follow);
    }
}

static void begin_one(void *ctx, struct notify_str topic)
{
    struct client *client = ctx;
    struct key_buffer buffer;
    struct notify_str key = key_of(client->shared->keys, KEY_TOPIC, topic, &buffer);

    if (key_name_is_valid(topic) && key.len > 0 && client_find_follow(client, key) == NULL &&
        client_follow(client, key, NULL, NULL) != 0)
        client_tell_error(client, key, "TOO_MANY_SUBSCRIPTIONS", CLIENT_TOO_MANY_KEYS_TEXT);
}

void review_client(struct client *client)
{
    if (client->identity == NULL || client->streams) /* that was asked when it was allowed */
        return;
    if (!categories_apply(client)) {
        sender_close(&client->sender, CONN_CLOSE_INTERNAL, "out of memory");
        return;
    }
    following_leave_lost(client);
    end_what_is_forbidden(client);
    identity_each(client->identity, RIGHT_FOLLOW, false, begin_one, client);
    following_begin_new(client);
}

static void review_some(void *ctx)
{
    struct client_shared *shared = ctx;
    uint64_t end_us = loop_clock_us() + REVIEWED_US;

    for (int i = 0; (i == 0 || (i < REVIEWED_AT_ONCE && loop_clock_us() < end_us)) &&
                    shared->review_next != NULL;
         i++) {
        struct client *client = shared->review_next;
        shared->review_next = TAILQ_NEXT(client, all_link);
        review_client(client);
    }
    shared->reviewing = shared->review_next != NULL;
    if (shared->reviewing)
        loop_defer(shared->senders.loop, review_some, shared);
}

void review_all(struct client_shared *shared)
{
    shared->review_next = TAILQ_FIRST(&shared->all);
    if (!shared->reviewing)
        loop_defer(shared->senders.loop, review_some, shared);
    shared->reviewing = true;
}

void review_forget(struct client *client)
{
    if (client->shared->review_next == client)
        client->shared->review_next = TAILQ_NEXT(client, all_link);
}
