/* backend -- the way to Redis: the links, whose turn it is on the one for commands, whether the
 * server can be used, and the channels that are heard over the others. */
#ifndef BACKEND_H
#define BACKEND_H

#include <stdbool.h>

#include "channels/router.h"
#include "identity/key_names.h"
#include "redis/topology.h"

struct config;
struct followings;
struct keyspace;
struct listening_post;
struct loop;
struct module_check;
struct plain_channels;
struct poll_boxes;
struct redis_link;
struct session_journal;
struct sessions;
struct turns;

struct backend {
    struct topology_config topology_config;
    struct topology *topology;                    /* owned */
    struct redis_link *subscriber, *commands;     /* owned, like most of these; commands: NULL in a
                                                   * cluster, like what is of it alone: */
    struct redis_link *hearers[ROUTER_LINKS_MAX]; /* that channels are spread over, if there are */
    unsigned hearer_count;                        /* any besides the subscriber */
    struct keyspace *own_keys;
    struct listening_post *post; /* NULL: the subscriber listens at the primary */
    struct redis_link *waker;    /* of polls, which count who hears at the primary; NULL: it is the
                                  * subscriber */
    struct module_check *module_check;
    struct keyspace *keys; /* borrowed: own_keys, or of the topology */
    struct turns *turns;   /* of commands */
    struct router *router;
    struct sessions *sessions; /* NULL: nobody keeps them */
    struct poll_boxes *polls;  /* of Socket.IO */
    struct followings *followings;
    struct key_buffer check_key; /* what module_check asks about */
    void (*on_ready)(void *ctx);
    void *ctx;
};

/* channels: which are followed without a box, beside the keys of boxes. journal: of sessions, may
 * be NULL. on_ready: called whenever the server can be used, from now on or again. 0, -ENOMEM, or
 * -EINVAL: files of TLS are no good, which has been logged. Then it must still be released. */
int backend_init(struct backend *ret, struct loop *loop, const struct config *config,
                 const struct plain_channels *channels, struct session_journal *journal,
                 void (*on_ready)(void *ctx), void *ctx);
void backend_start(struct backend *backend);
/* All links are up, and the server lets us use our commands. */
bool backend_is_ready(const struct backend *backend);
/* How many connections to Redis there may be besides the few that there always are; in a cluster,
 * where nobody knows how many primaries there will be, enough for most. */
size_t backend_links_besides(const struct backend *backend);
void backend_set_gauges(const struct backend *backend);
/* Tells those who wait for replies that none will come. No follow may be left. All zero is fine. */
void backend_release(struct backend *backend);

#endif
