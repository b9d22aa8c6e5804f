#include "clients/permission.h"

#include "clients/client.h"
#include "identity/identity.h"
#include "identity/key_names.h"
#include "identity/plain_channels.h"

static bool is_broadcast(const struct client_shared *shared, struct notify_str key)
{
    for (const char *const *log = shared->broadcast_logs; *log != NULL; log++)
        if (notify_str_eq(key, notify_str_z(*log)))
            return true;
    return false;
}

static bool is_own_inbox(const struct client_shared *shared, const struct identity *identity,
                         struct notify_str key)
{
    struct key_buffer buffer;

    return !identity->anonymous &&
           notify_str_eq(key, key_of(shared->keys, KEY_INBOX, identity_user(identity), &buffer));
}

bool may_follow(const struct client_shared *shared, const struct identity *identity,
                struct notify_str key)
{
    const struct key_names *names = shared->keys;
    struct notify_str name;

    if (is_own_inbox(shared, identity, key) || is_broadcast(shared, key))
        return true;
    if (key_is(names, KEY_TOPIC, key, &name))
        return key_name_is_valid(name) && (identity_may(identity, RIGHT_SUBSCRIBE, name) ||
                                           identity_may(identity, RIGHT_FOLLOW, name));
    if (key_is(names, KEY_SESSION, key, &name))
        return key_name_is_valid(name) && identity_may(identity, RIGHT_SESSIONS, name);
    return plain_channels_have(shared->channels, key) &&
           identity_may_all(identity, RIGHT_CHANNELS, key);
}

bool client_may_follow(const struct client *client, struct notify_str key)
{
    return may_follow(client->shared, client->identity, key);
}
