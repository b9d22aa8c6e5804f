/* beacon -- a channel that is heard so that others see that we are there: they count who hears what
 * they publish on it.
 *
 * In a cluster a server counts its own listeners alone, so the channel is heard at every primary,
 * and what is published comes once from each. Elsewhere there is one place. */
#ifndef BEACON_H
#define BEACON_H

#include <stdbool.h>

#include "notify_str.h"

struct beacon;
struct ears;
struct loop;
struct redis_link;
struct resp;
struct subscription_handlers;

/* Of on_refused, on_held and so on, as subscription_handlers say, each place tells by itself.
 * channel: 1 to NOTIFY_KEY_MAX bytes. ears: NULL: there is one place, of which beacon_up() and so
 * on tell. NULL: out of memory. */
struct beacon *beacon_new(struct loop *loop, struct ears *ears, struct notify_str channel,
                          const struct subscription_handlers *handlers, void *owner);
/* NULL is fine. */
/* It is heard no more, and others are to notice. To be freed all the same. */
void beacon_end(struct beacon *beacon);
void beacon_free(struct beacon *beacon);

/* Is it heard at the server that has this key? If it was refused there, it is asked for again. */
bool beacon_is_held(struct beacon *beacon, struct notify_str key);
/* Has each of them that we have a link to said whether we may hear it? */
bool beacon_is_settled(const struct beacon *beacon);
/* At all of them? */
bool beacon_is_held_everywhere(const struct beacon *beacon);

/* What the one link tells. */
void beacon_up(struct beacon *beacon, struct redis_link *link);
void beacon_down(struct beacon *beacon);
void beacon_push(struct beacon *beacon, const struct resp *push);

/* What ears tell, of each primary. */
void beacon_place_up(struct beacon *beacon, unsigned primary, struct redis_link *link);
void beacon_place_down(struct beacon *beacon, unsigned primary);
void beacon_place_push(struct beacon *beacon, unsigned primary, const struct resp *push);

#endif
