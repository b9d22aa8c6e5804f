/* router -- all followed keys of this process, and the way from Redis to the clients that follow
 * them.
 *
 * Owns the channels. A channel is made when its first follow comes and stays a little while after
 * the last one has gone, since clients tend to come back. */
#ifndef ROUTER_H
#define ROUTER_H

#include <stdbool.h>
#include <stddef.h>

#include "channels/linger.h"
#include "notify_str.h"

struct ears;
struct event;
struct follow;
struct follow_handlers;
struct loop;
struct keyspace;
struct keyspace_handlers;
struct keyspace_part;
struct redis_link;
struct redis_link_handlers;
struct resp;
struct router;

#define ROUTER_LINKS_MAX 64

struct router_limits {
    size_t recent_events; /* kept per channel for those who come back */
    size_t recent_bytes;  /* and by all channels together */
    size_t ahead_bytes;   /* of what has come and not been handed on, of all channels */
    struct linger_limits linger;
    size_t plain_bytes; /* of a message on a plain channel; more is dropped */
    size_t patterns;    /* of plain channels, in all */
    bool hears_replicas;
    bool hears_former; /* primaries: in a cluster all servers of a shard hear each other */
    unsigned links;    /* that channels are spread over, and hear nothing else; 0: the one that
                        * hears the rest hears them, too */
};

/* Which channels may be followed without a box. */
struct router_plain {
    bool (*is_plain)(void *ctx, struct notify_str channel);
    void *ctx;
};

/* handlers: of all follows; borrowed for life. plain: asked about the channels that patterns fit.
 * ears: where channels of keys are heard; NULL: where all are (router_subscriber_handlers, or the
 * links that channels are spread over). NULL: out of memory. */
struct router *router_new(struct loop *loop, struct ears *ears, const struct router_limits *limits,
                          const struct router_plain *plain, const struct follow_handlers *handlers);
/* No follow may be left. */
void router_free(struct router *router);

/* fn is told of every event that comes, as channel_watch (channels/channel.h). */
void router_watch(struct router *router,
                  void (*fn)(void *ctx, struct notify_str key, const struct event *event,
                             size_t followers),
                  void *ctx);

/* Has follow follow the key (1 to NOTIFY_KEY_MAX bytes). follow->client, pos, from_now and plain
 * are set; one with plain and a '*' in the key is a pattern. account: of its client, or NULL. 0,
 * -ENOMEM, -EBUSY: Redis has yet to confirm too many others that were left; or -EUSERS: it is one
 * pattern too many. */
int router_add(struct router *router, struct follow *follow, struct notify_str key,
               const struct linger_account *account);
/* account: as in linger_begin(). */
void router_remove(struct router *router, struct follow *follow, struct linger_account **account);

/* Channels that are followed, or were a moment ago. */
size_t router_channel_count(const struct router *router);
/* The keys that most follow, of which there are max at most, first that with the most. No more than
 * looked_at channels are looked at; *ret_whole: these were all. Names are good until something is
 * followed or left. */
struct router_followed {
    struct notify_str key;
    size_t followers;
};
size_t router_most_followed(const struct router *router, struct router_followed *ret, size_t max,
                            size_t looked_at, bool *ret_whole);
/* Bytes of messages that are kept: the newest ones, and what waits until Redis has been asked. */
size_t router_recent_bytes(const struct router *router);
size_t router_stash_bytes(const struct router *router);
size_t router_lingering_count(const struct router *router);
size_t router_ahead_bytes(const struct router *router); /* that have come and not been handed on */

/* What the link that hears tells, and whoever is asked; ctx: the router, here too. */
extern const struct redis_link_handlers router_subscriber_handlers;
/* And what those tell that channels are spread over, 0 to links - 1; ctx: router_hearer(). */
extern const struct redis_link_handlers router_hearer_handlers;
void *router_hearer(struct router *router, unsigned number);
/* And what ears tell, if there are some. */
extern const struct redis_link_handlers router_ears_handlers;
extern const struct keyspace_handlers router_reader_handlers;
void router_subscriber_up(void *router, struct redis_link *link);
void router_subscriber_down(void *router);
void router_push(void *router, const struct resp *push);
void router_batch_end(void *router);
void router_reader_up(void *router, struct keyspace *keys, const struct keyspace_part *part);
void router_reader_down(void *router, struct keyspace *keys, const struct keyspace_part *part);

#endif
