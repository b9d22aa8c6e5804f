#include "clients/client.h"

#include "base/counters.h"
#include "base/log.h"
#include "base/small.h"
#include "channels/router.h"
#include "identity/key_names.h"
#include "net/conn.h"
#include "wire/filter.h"

struct notify_str client_user(const struct client *client)
{
    return client->identity == NULL ? (struct notify_str){NULL, 0}
                                    : identity_user(client->identity);
}

struct notify_str client_inbox(const struct client *client, struct key_buffer *buffer)
{
    return key_of(client->shared->keys, KEY_INBOX, client_user(client), buffer);
}

struct notify_str client_id(const struct client *client)
{
    return notify_str_of(client->id, client->id_len);
}

struct notify_str client_session(const struct client *client)
{
    return client_id(client);
}

bool client_is_closed(const struct client *client)
{
    return client->sender.state == SENDER_CLOSED;
}

void client_limit_met(struct client *client, enum counter limit)
{
    if (!client_is_closed(client))
        conn_limit_met(client->sender.conn, limit);
}

/* Its life. */

void client_on_drained(void *peer)
{
    struct client *client = peer;

    sender_on_drained(&client->sender);
    client_refill(client);
}

struct client *client_new(struct client_shared *shared, struct conn *conn, struct notify_str id)
{
    struct client *client = small_take(sizeof(*client) + id.len);

    if (client == NULL)
        return NULL;
    client->sender.conn = conn;
    client->sender.deflates = conn_deflates(conn);
    client->sender.shared = &shared->senders;
    client->shared = shared;
    client->id_len = (uint8_t)id.len;
    memcpy(client->id, id.ptr, id.len);
    client->number = ++shared->next_number;
    TAILQ_INSERT_TAIL(&shared->all, client, all_link);
    client_kinds_add(&shared->kinds, client->sender.dialect);
    counter_add(COUNTER_CLIENTS_OPENED, 1);
    return client;
}

void client_speak(struct client *client, enum dialect dialect)
{
    client_kinds_remove(&client->shared->kinds, client->sender.dialect);
    client->sender.dialect = (uint8_t)dialect & 15;
    client_kinds_add(&client->shared->kinds, dialect);
}

void client_open_call(struct client *client, struct open_call *call)
{
    LIST_INSERT_HEAD(&client->calls, call, link);
    call->open = true;
}

void client_end_call(struct open_call *call)
{
    if (!call->open)
        return;
    LIST_REMOVE(call, link);
    call->open = false;
}

/* Whoever asked is not there any more. */
static void forget_calls(struct client *client)
{
    while (!LIST_EMPTY(&client->calls))
        client_end_call(LIST_FIRST(&client->calls));
}

void client_call_end(struct client *client, size_t bytes)
{
    sender_call_end(&client->sender, bytes);
    if (!client_is_closed(client) || client->sender.calls > 0)
        return;
    identity_unref(client->identity);
    small_give(client, sizeof(*client) + client->id_len);
}

void client_on_beat(void *peer)
{
    sender_beat(&((struct client *)peer)->sender);
}

void client_on_closed(void *peer, int code)
{
    struct client *client = peer;
    struct client_shared *shared = client->shared;

    log_debug("client_closed", "client", log_int((int64_t)client->number), "code", log_int(code));
    sender_call_begin(&client->sender, 0); /* it is needed until the end of this */
    forget_calls(client);
    shared->on_leaving(client, code);
    sender_on_closed(&client->sender);
    asks_free(&client->asks);
    while (client->follows != NULL)
        client_unfollow(client, client->follows);
    linger_account_release(client->left);
    client->filter = filter_unref(client->filter);
    TAILQ_REMOVE(&shared->all, client, all_link);
    client_kinds_remove(&shared->kinds, client->sender.dialect);
    client_call_end(client, 0);
    shared->on_closed(shared->ctx);
}

int client_shared_init(struct client_shared *shared)
{
    TAILQ_INIT(&shared->all);
    return senders_init(&shared->senders);
}

void client_shared_release(struct client_shared *shared)
{
    senders_release(&shared->senders);
}
