/* control -- the channel on which Redis says what has happened to all keys at once: "flushed"
 * (docs/protocol.md, section 1). Whatever is known of any key is to be read anew then.
 *
 * It is heard over a link of its own, unless one hears everything. So whatever was read before it
 * was confirmed is read once more then: what it says may not have been heard. */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>

struct control;
struct loop;
struct redis_link;
struct resp;

#define CONTROL_PAUSE_MS 1000 /* between two times that everything is read anew, at least */

/* fn: everything is to be read anew, as it was said, or as that may have been said while nobody
 * heard it; comes from the loop or from within control_push(). NULL: out of memory. */
typedef void (*control_fn)(void *ctx, bool was_said);
struct control *control_new(struct loop *loop, control_fn fn, void *ctx);
void control_free(struct control *control);

/* What the link reports; before subscriptions of keys hear of it, if they are on the same one. */
void control_up(struct control *control, struct redis_link *link);
void control_down(struct control *control);
/* False: it is none of its. */
bool control_push(struct control *control, const struct resp *push);

#endif
