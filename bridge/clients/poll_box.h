/* poll_box -- sessions over polling between two polls, as boxes in Redis: any bridge goes on with
 * any session (socketio/poll_store.h).
 *
 * A box is a hash, eio:{<sid>}, that is read and written by scripts alone (poll_box/common.lua says
 * what is in it), each of which does all of one thing. Who holds a box is named in it, by bridge
 * and number, and only he can give it back. Each bridge listens to one channel, eio:<bridge>, on
 * which holders are told to look again; what is said there is believed no further than that. A
 * bridge that nobody can tell anything any more is gone, and what it held is free: so no hold has
 * to be renewed, and none outlives its holder. */
#ifndef POLL_BOX_H
#define POLL_BOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "socketio/poll_store.h"

struct ears;
struct loop;
struct poll_boxes;
struct redis_link_handlers;
struct turns;

/* Input and state come in one reply of Redis, which may have REDIS_REPLY_BYTES_MAX. */
#define POLL_BOX_PART_MAX 16777216
#define POLL_INPUT_ITEMS 256 /* POSTs that wait in one box */

struct poll_boxes_config {
    struct loop *loop;      /* borrowed, as are turns */
    struct turns *commands; /* what is sent goes there */
    struct ears *ears;      /* that hear, borrowed; NULL: poll_boxes_subscriber_handlers are told */
    uint64_t ping_interval_ms, ping_timeout_ms, upgrade_timeout_ms;
    size_t input_max; /* bytes of input that wait in one box: at least those of one POST; */
    size_t state_max; /* and of a state. Neither is more than POLL_BOX_PART_MAX */
    void (*on_settled)(void *ctx); /* poll_boxes_settled() has become true. NULL: nobody minds */
    void *ctx;
};

/* config is copied. NULL: out of memory. */
struct poll_boxes *poll_boxes_new(const struct poll_boxes_config *config);
/* Nobody is told anything any more: those who wait are about to be freed, and so is the link. */
void poll_boxes_stop(struct poll_boxes *boxes);
/* Nobody may hold a box or wait for an answer but from links that have been freed before. NULL is
 * fine. */
void poll_boxes_free(struct poll_boxes *boxes);
struct poll_store poll_boxes_store(struct poll_boxes *boxes);

/* What the link that hears tells (redis/redis_link.h); ctx: the boxes. */
extern const struct redis_link_handlers poll_boxes_subscriber_handlers;

/* Has Redis said, since the link that hears is up, whether we may hear? Before, a GET is answered
 * by POLL_AWAY. */
bool poll_boxes_settled(const struct poll_boxes *boxes);
size_t poll_boxes_held(const struct poll_boxes *boxes);

#endif
