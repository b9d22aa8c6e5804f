/* keyspace_single -- one server that has all keys, at the end of one link. */
#include <stdlib.h>

#include "redis/keyspace.h"
#include "redis/keyspace_kind.h"
#include "redis/redis_link.h"

struct single {
    struct keyspace keys;    /* first */
    struct redis_link *link; /* borrowed */
};

static const struct keyspace_part everything = {0};

static int command(struct keyspace *keys, redis_reply_fn fn, void *ctx, size_t argc,
                   const struct notify_str *argv)
{
    return redis_link_command(((struct single *)keys)->link, fn, ctx, argc, argv);
}

static bool is_up(const struct keyspace *keys)
{
    return redis_link_is_up(((const struct single *)keys)->link);
}

static bool has(const struct keyspace *keys, struct notify_str key)
{
    (void)key;
    return is_up(keys);
}

static void free_it(struct keyspace *keys)
{
    free(keys);
}

static const struct keyspace_kind kind = {
    .command = command, .is_up = is_up, .has = has, .free = free_it};

static void on_up(void *ctx, struct redis_link *link)
{
    (void)link;
    keyspace_tell_up(ctx, &everything);
}

static void on_down(void *ctx)
{
    keyspace_tell_down(ctx, &everything);
}

static void on_batch_end(void *ctx)
{
    keyspace_tell_batch_end(ctx);
}

static const struct redis_link_handlers handlers = {
    .on_up = on_up, .on_down = on_down, .on_batch_end = on_batch_end};

struct keyspace *keyspace_new_single(struct redis_link *link)
{
    struct single *single = calloc(1, sizeof(*single));

    if (single == NULL)
        return NULL;
    single->keys.kind = &kind;
    single->link = link;
    redis_link_listen(link, &handlers, single);
    return &single->keys;
}
