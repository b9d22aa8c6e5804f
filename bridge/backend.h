/* backend -- the way to Redis: two links, whose turn it is on the one for commands, whether the
 * server can be used, and the channels that are heard over the other. */
#ifndef BACKEND_H
#define BACKEND_H

#include <stdbool.h>

#include "identity/key_names.h"
#include "redis/redis_address.h"

struct config;
struct followings;
struct loop;
struct module_check;
struct plain_channels;
struct redis_link;
struct router;
struct sessions;
struct turns;

struct backend {
    struct redis_address address;
    struct redis_link *subscriber, *commands; /* owned, like all of these */
    struct turns *turns;                      /* of commands */
    struct module_check *module_check;
    struct router *router;
    struct sessions *sessions; /* NULL: nobody keeps them */
    struct followings *followings;
    struct key_buffer check_key; /* what module_check asks about */
    void (*on_ready)(void *ctx);
    void *ctx;
};

/* channels: which are followed without a box, beside the keys of boxes. on_ready: called whenever
 * the server can be used, from now on or again. 0 or -ENOMEM: then it must still be released. */
int backend_init(struct backend *ret, struct loop *loop, const struct config *config,
                 const struct plain_channels *channels, void (*on_ready)(void *ctx), void *ctx);
void backend_start(struct backend *backend);
/* Both links are up, and the server lets us use our commands. */
bool backend_is_ready(const struct backend *backend);
void backend_set_gauges(const struct backend *backend);
/* Tells those who wait for replies that none will come. No follow may be left. All zero is fine. */
void backend_release(struct backend *backend);

#endif
