/* control -- the channel on which Redis says what has happened to all keys at once: "flushed"
 * (docs/protocol.md, section 1). Whatever is known of any key is to be read anew then.
 *
 * It is asked for before any key's channel, and so is confirmed before them: nothing is known that
 * was read while it could not be heard. */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>

struct control;
struct loop;
struct redis_link;
struct resp;

#define CONTROL_PAUSE_MS 1000 /* between two times that everything is read anew, at least */

/* fn: everything is to be read anew; comes from the loop or from within control_push(). NULL: out
 * of memory. */
struct control *control_new(struct loop *loop, void (*fn)(void *ctx), void *ctx);
void control_free(struct control *control);

/* What the link reports; before subscriptions of keys hear of it. */
void control_up(struct control *control, struct redis_link *link);
void control_down(struct control *control);
/* False: it is none of its. */
bool control_push(struct control *control, const struct resp *push);

#endif
