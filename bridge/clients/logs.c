#include "clients/logs.h"

#include "base/counters.h"
#include "clients/client.h"
#include "identity/identity.h"
#include "identity/key_names.h"
#include "wire/entry_uuid.h"

/* One thread; nothing in it outlives what is done with it. */
static struct logs found;
static struct key_buffer buffers[LOGS_MAX + 1]; /* the last one: of what there is no room for */

/* What a walk over names of topics needs to know. */
struct search {
    const struct client_shared *shared;
    const struct identity *identity;
    struct key_buffer inbox_buffer;
    struct notify_str inbox;
};

bool logs_have(const struct logs *logs, struct notify_str key)
{
    for (size_t i = 0; i < logs->len; i++)
        if (notify_str_eq(logs->at[i], key))
            return true;
    return false;
}

size_t logs_find_tag(const struct logs *logs, uint16_t tag, struct notify_str *ret)
{
    size_t count = 0;

    for (size_t i = 0; i < logs->len; i++) {
        if (entry_uuid_tag(logs->at[i]) != tag)
            continue;
        *ret = logs->at[i];
        count++;
    }
    return count;
}

static void begin(struct search *search, const struct client_shared *shared,
                  const struct identity *identity)
{
    search->shared = shared;
    search->identity = identity;
    search->inbox = key_of(shared->keys, KEY_INBOX, identity_user(identity), &search->inbox_buffer);
    found.len = 0;
}

/* An inbox does not follow itself. */
static void add(const struct search *search, struct notify_str key)
{
    if (key.len == 0 || notify_str_eq(key, search->inbox) || logs_have(&found, key))
        return;
    if (found.len == LOGS_MAX)
        counter_add(COUNTER_LOGS, 1);
    else
        found.at[found.len++] = key;
}

static void add_topic(void *ctx, struct notify_str topic)
{
    const struct search *search = ctx;

    if (key_name_is_valid(topic))
        add(search, key_of(search->shared->keys, KEY_TOPIC, topic, &buffers[found.len]));
}

const struct logs *logs_of(const struct client_shared *shared, const struct identity *identity)
{
    struct search search;

    begin(&search, shared, identity);
    if (identity->anonymous)
        return &found;
    for (const char *const *log = shared->broadcast_logs; *log != NULL; log++)
        add(&search, notify_str_z(*log));
    identity_each(identity, RIGHT_FOLLOW, false, add_topic, &search);
    return &found;
}

static bool is_broadcast(const struct client_shared *shared, struct notify_str key)
{
    for (const char *const *log = shared->broadcast_logs; *log != NULL; log++)
        if (notify_str_eq(key, notify_str_z(*log)))
            return true;
    return false;
}

static void add_of_others(void *ctx, struct notify_str topic)
{
    const struct search *search = ctx;
    struct key_buffer buffer;

    if (key_name_is_valid(topic) && !identity_may(search->identity, RIGHT_FOLLOW, topic) &&
        !is_broadcast(search->shared, key_of(search->shared->keys, KEY_TOPIC, topic, &buffer)))
        add_topic(ctx, topic);
}

const struct logs *logs_of_others(const struct client_shared *shared,
                                  const struct identity *identity)
{
    struct search search;

    begin(&search, shared, identity);
    if (!identity->anonymous)
        identity_each_of_book(identity, RIGHT_FOLLOW, LOGS_OF_OTHERS_MAX, add_of_others, &search);
    return &found;
}
