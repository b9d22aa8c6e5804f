/* pending -- who waits for which reply of a server, in the order of the commands.
 *
 * Most commands have one reply. SUBSCRIBE and its kin are answered by pushes, and by a reply only
 * when they are refused; so a fence is sent behind each of them, an ECHO with a number of its own:
 * when that comes back, everything has come that the command led to. For redis_link alone. */
#ifndef PENDING_H
#define PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PENDING_MAX 100000 /* commands without an answer yet */

struct pending_item;
struct resp;

/* Answer to a command; reply is NULL when the link went down first: it is then unknown whether the
 * server carried it out. An error of the server is a RESP_ERROR. */
typedef void (*redis_reply_fn)(void *ctx, const struct resp *reply);

/* All zero: nobody waits. */
struct pending {
    struct pending_item *items; /* owned ring of cap */
    size_t cap, head, len;
    uint32_t fences; /* made so far */
};

#define PENDING_FENCE_MAX 12 /* bytes of a fence's text, and of the NUL behind it */

/* fn will get the next reply that is not for those before it. 0; -EBUSY when
 * PENDING_MAX wait already; -ENOMEM. */
int pending_push(struct pending *pending, redis_reply_fn fn, void *ctx);
/* fn will get the error with which its command is refused, or else the fence, whose text is written
 * to out. Results as above. */
int pending_push_fenced(struct pending *pending, redis_reply_fn fn, void *ctx,
                        char out[PENDING_FENCE_MAX]);
/* Takes back the last one, for whom nothing could be sent. */
void pending_drop_last(struct pending *pending);

/* Hands a reply, which is no push, to the one who waits for it. False: there is none. */
bool pending_answer(struct pending *pending, const struct resp *reply);
/* Tells everyone that no reply will come. Those who wait since are not told. */
void pending_fail(struct pending *pending);
/* Nobody may wait any more. */
void pending_release(struct pending *pending);

#endif
