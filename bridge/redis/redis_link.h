/* redis_link -- one connection to one Redis server, kept alive.
 *
 * The only part that knows hiredis. It connects, says HELLO 3 (and AUTH, SELECT), hands pushes and
 * replies upward, notices a server that has gone silent, and reconnects with back-off for as long
 * as it is started. It knows nothing of what is sent over it.
 *
 * It uses hiredis' connection and RESP reader, not its asynchronous API: that one keeps a
 * dictionary entry per channel and cannot take SSUBSCRIBE (see docs/architecture.md). */
#ifndef REDIS_LINK_H
#define REDIS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_str.h"
#include "redis/pending.h"

struct loop;
struct redis_link;
struct redis_route;
struct resp;

/* What a link tells. Each may be NULL; none may free the link. */
struct redis_link_handlers {
    /* Greeted: commands may be sent. */
    void (*on_up)(void *ctx, struct redis_link *link);
    /* Gone. Every command that was waiting has been answered with NULL before. */
    void (*on_down)(void *ctx);
    /* A push message (RESP_PUSH). */
    void (*on_push)(void *ctx, const struct resp *push);
    /* What was read from the socket in this turn of the loop has been worked off. */
    void (*on_batch_end)(void *ctx);
};

#define REDIS_LINK_LISTENERS_MAX 6
#define REDIS_LINK_SLICE_US 8000

/* name: what logs and CLIENT LIST call it. Both are borrowed for the life of the link. NULL: out of
 * memory. */
struct redis_link *redis_link_new(struct loop *loop, const char *name,
                                  const struct redis_route *route);
/* Has another one told, behind those before it. More than REDIS_LINK_LISTENERS_MAX is our own
 * mistake. handlers and ctx are borrowed for the life of the link. */
void redis_link_listen(struct redis_link *link, const struct redis_link_handlers *handlers,
                       void *ctx);
/* It takes in all that the server has written, within REDIS_LINK_SLICE_US of a turn, and not one
 * buffer of it: a server cuts off whoever lets too much wait (client-output-buffer-limit). Those
 * that have so much share that time. */
void redis_link_read_ahead(struct redis_link *link);
/* It does not come up for the same reason as another one, which must outlive it: that is told once
 * for both. */
void redis_link_tell_with(struct redis_link *link, struct redis_link *other);
void redis_link_start(struct redis_link *link);
/* Its route leads elsewhere now: it leaves at once whatever it has, and goes there. Not from within
 * a callback of its own. */
void redis_link_reroute(struct redis_link *link, const char *why);
/* Answers what is waiting with NULL, without calling on_down. */
void redis_link_free(struct redis_link *link);

bool redis_link_is_up(const struct redis_link *link);

/* Sends a command; fn gets its reply, once, from the loop. What is sent in one turn of the loop
 * leaves in one write. 0; -ENOTCONN when not up; -EBUSY when PENDING_MAX commands wait
 * already; -ENOMEM. fn is not called then. */
int redis_link_command(struct redis_link *link, redis_reply_fn fn, void *ctx, size_t argc,
                       const struct notify_str *argv);
/* The same for a command that the server answers by pushes, as SUBSCRIBE and its kin. fn is called
 * once all of them have come: with the error if the server refused the command, otherwise with
 * something else. */
int redis_link_push_command(struct redis_link *link, redis_reply_fn fn, void *ctx, size_t argc,
                            const struct notify_str *argv);

#endif
