#include "redis/keyspace.h"

#include <assert.h>

#include "redis/command_key.h"
#include "redis/keyspace_kind.h"
#include "redis/slot.h"

bool keyspace_part_has(const struct keyspace_part *part, struct notify_str key)
{
    return part->has == NULL || part->has(part->ctx, slot_of_key(key));
}

void keyspace_listen(struct keyspace *keys, const struct keyspace_handlers *handlers, void *ctx)
{
    assert(keys->listener_count < KEYSPACE_LISTENERS_MAX);
    keys->listeners[keys->listener_count++] = (struct keyspace_listener){handlers, ctx};
}

int keyspace_command(struct keyspace *keys, redis_reply_fn fn, void *ctx, size_t argc,
                     const struct notify_str *argv)
{
    return keys->kind->command(keys, fn, ctx, argc, argv);
}

bool keyspace_is_up(const struct keyspace *keys)
{
    return keys->kind->is_up(keys);
}

bool keyspace_has(const struct keyspace *keys, struct notify_str key)
{
    return keys->kind->has(keys, key);
}

bool keyspace_is_split(const struct keyspace *keys)
{
    return keys->kind->lane != NULL;
}

unsigned keyspace_slot(const struct keyspace *keys, struct notify_str key)
{
    return keyspace_is_split(keys) ? slot_of_key(key) : 0;
}

unsigned keyspace_lane(const struct keyspace *keys, struct notify_str key)
{
    return keyspace_is_split(keys) ? keys->kind->lane(keys, key) : 0;
}

unsigned keyspace_command_lane(const struct keyspace *keys, size_t argc,
                               const struct notify_str *argv)
{
    struct notify_str key = {NULL, 0};

    if (!keyspace_is_split(keys))
        return 0;
    (void)command_key(argc, argv, &key);
    return keys->kind->lane(keys, key);
}

void keyspace_free(struct keyspace *keys)
{
    if (keys != NULL)
        keys->kind->free(keys);
}

/* What is told. */

void keyspace_tell_up(struct keyspace *keys, const struct keyspace_part *part)
{
    for (size_t i = 0; i < keys->listener_count; i++)
        if (keys->listeners[i].handlers->on_up != NULL)
            keys->listeners[i].handlers->on_up(keys->listeners[i].ctx, keys, part);
}

void keyspace_tell_down(struct keyspace *keys, const struct keyspace_part *part)
{
    for (size_t i = 0; i < keys->listener_count; i++)
        if (keys->listeners[i].handlers->on_down != NULL)
            keys->listeners[i].handlers->on_down(keys->listeners[i].ctx, keys, part);
}

void keyspace_tell_batch_end(struct keyspace *keys)
{
    for (size_t i = 0; i < keys->listener_count; i++)
        if (keys->listeners[i].handlers->on_batch_end != NULL)
            keys->listeners[i].handlers->on_batch_end(keys->listeners[i].ctx);
}
