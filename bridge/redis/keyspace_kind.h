/* keyspace_kind -- what kinds of keyspaces share. For keyspace*.c alone. */
#ifndef KEYSPACE_KIND_H
#define KEYSPACE_KIND_H

#include <stdbool.h>
#include <stddef.h>

#include "notify_str.h"
#include "redis/pending.h"

#define KEYSPACE_LISTENERS_MAX 6

struct keyspace;
struct keyspace_handlers;
struct keyspace_part;

struct keyspace_kind {
    int (*command)(struct keyspace *keys, redis_reply_fn fn, void *ctx, size_t argc,
                   const struct notify_str *argv);
    bool (*is_up)(const struct keyspace *keys);
    bool (*has)(const struct keyspace *keys, struct notify_str key);
    /* NULL: all keys are at one server. A key whose ptr is NULL: of commands without one. */
    unsigned (*lane)(const struct keyspace *keys, struct notify_str key);
    void (*free)(struct keyspace *keys);
};

/* The first member of each kind's own. */
struct keyspace {
    const struct keyspace_kind *kind;
    struct keyspace_listener {
        const struct keyspace_handlers *handlers; /* borrowed */
        void *ctx;
    } listeners[KEYSPACE_LISTENERS_MAX];
    size_t listener_count;
};

/* Which slots are meant; all NULL: all of them. */
struct keyspace_part {
    bool (*has)(const void *ctx, unsigned slot);
    const void *ctx;
};

void keyspace_tell_up(struct keyspace *keys, const struct keyspace_part *part);
void keyspace_tell_down(struct keyspace *keys, const struct keyspace_part *part);
void keyspace_tell_batch_end(struct keyspace *keys);

#endif
