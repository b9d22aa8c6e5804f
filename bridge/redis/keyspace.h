/* keyspace -- the keys, whichever servers hold them: here commands go in, and find their server.
 *
 * One server (standalone, or the one that Sentinels name) has all keys; in a cluster each primary
 * has some of the 16384 slots. A command goes by its key (command_key.h says which of its words
 * that is; those without one go to any server). What a cluster says instead of an answer while
 * slots move or primaries fail (MOVED, ASK, TRYAGAIN, CLUSTERDOWN) is followed within, up to
 * KEYSPACE_REDIRECTIONS times; the last of these errors is the reply then.
 *
 * Whoever says something of several keys in one command
 *   - joins only keys of one slot (keyspace_slot(); with one server all are in slot 0),
 *   - limits what he has under way by lane (keyspace_lane(): one for each server), so that one that
 *     stands still keeps nobody from the others,
 *   - says it again key by key when the reply is resp_splits() (while a slot moves, a command of
 *     several keys may find some of them here and some there). Only NOTIFY.SINCE gets that at
 *     once; everything else after having been said again for a while. */
#ifndef KEYSPACE_H
#define KEYSPACE_H

#include <stdbool.h>
#include <stddef.h>

#include "notify_str.h"
#include "redis/pending.h"

struct keyspace;
struct keyspace_part;
struct redis_link;

#define KEYSPACE_LANES_MAX 256  /* servers with keys, at a time */
#define KEYSPACE_REDIRECTIONS 5 /* of one command */

/* What it tells. Each may be NULL. */
struct keyspace_handlers {
    /* Commands for the keys of this part may be sent. With one server, it is all keys. In a cluster
     * a part's on_up may come again without an on_down between: its keys are at another server now,
     * or that server has another link, and what it was told before may be lost (a failover), or not
     * (a slot has moved). part: for the call; keyspace_part_has() says what is in it. */
    void (*on_up)(void *ctx, struct keyspace *keys, const struct keyspace_part *part);
    /* Their server is gone. Every command that was waiting there has been answered with NULL. */
    void (*on_down)(void *ctx, struct keyspace *keys, const struct keyspace_part *part);
    /* What one read from a server brought has been worked off. */
    void (*on_batch_end)(void *ctx);
};

/* Of the server at the end of this link, which is borrowed; NULL: out of memory. */
struct keyspace *keyspace_new_single(struct redis_link *link);
/* Links that are its own are freed: those who wait are told that no reply will come. NULL is fine.
 */
void keyspace_free(struct keyspace *keys);

bool keyspace_part_has(const struct keyspace_part *part, struct notify_str key);

/* Has another one told, behind those before it (KEYSPACE_LISTENERS_MAX in all); handlers and ctx
 * are borrowed for life. */
void keyspace_listen(struct keyspace *keys, const struct keyspace_handlers *handlers, void *ctx);

/* Sends a command; fn gets its reply, once, from the loop; NULL: the server was lost first, it is
 * unknown whether it was done. 0; -ENOTCONN: the server of its key is not there; -EBUSY: too many
 * wait for it; -ENOMEM. fn is not called then. */
int keyspace_command(struct keyspace *keys, redis_reply_fn fn, void *ctx, size_t argc,
                     const struct notify_str *argv);

/* Can anything be sent at all? */
bool keyspace_is_up(const struct keyspace *keys);
/* Can something be sent for this key? */
bool keyspace_has(const struct keyspace *keys, struct notify_str key);

/* May keys be at several servers? If not, there is one slot and one lane, 0. */
bool keyspace_is_split(const struct keyspace *keys);
/* 0 to 16383. Keys of one slot may stand in one command. It is the key's for ever. */
unsigned keyspace_slot(const struct keyspace *keys, struct notify_str key);
/* 0 to KEYSPACE_LANES_MAX - 1: the server that the key is at just now; it changes when slots
 * move, so keep the number of what is under way where it was counted. A slot nobody has: lane 0. */
unsigned keyspace_lane(const struct keyspace *keys, struct notify_str key);
/* That of a command. */
unsigned keyspace_command_lane(const struct keyspace *keys, size_t argc,
                               const struct notify_str *argv);

#endif
