/* idempotency -- what somebody asks for with a key of his own is done once, however often and over
 * whichever bridge it is asked for, and answered alike.
 *
 * Redis holds for each user a box: in it stands, for his last thousand keys, a day long, a hash of
 * what each was first used for; by that another use of it is refused. That it is done once the
 * module sees to: it gets the command with a token made of the key (IDEMPOTENT), and remembers that
 * beside the entry, so nothing can come between the two. */
#ifndef IDEMPOTENCY_H
#define IDEMPOTENCY_H

#include "notify_str.h"

struct call_kind;
struct request;
struct words;

#define IDEMPOTENCY_BOXES "notify:idempotency:" /* what the keys of these begin with */

/* As call_send(); words: of NOTIFY.SEND or NOTIFY.EVENT. key: names what the user asks for; empty:
 * it is done each time. */
void idempotency_send(struct request *r, const struct call_kind *kind, void *ctx,
                      struct words *words, struct notify_str key);

#endif
