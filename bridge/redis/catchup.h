/* catchup -- asks Redis what stands in a box after a position (NOTIFY.SINCE, docs/protocol.md §2).
 *
 * Questions of one turn of the loop share one command; in a cluster those about keys of one slot,
 * and each server is asked by itself: one that is away keeps nobody from the others. A question is
 * asked until it is answered: over losses of the link, a server that loads its data, a module that
 * is not there yet. Whoever asks need not handle failure, only wait.
 *
 * Answers come in portions, so that Redis, which stands still while it writes one, does not do so
 * for long, and so that none is large in memory. How large entries are shows only when they come:
 * how many the questions of a command may bring together grows from a few while they are small, and
 * shrinks at once when they were large; how many questions share that, as those were that had more
 * to tell. Whoever got a portion and lacks more asks again, behind all others: nobody waits for
 * another's whole box. */
#ifndef CATCHUP_H
#define CATCHUP_H

#include <stdbool.h>
#include <stdint.h>

#include "notify_id.h"
#include "notify_str.h"

struct catchup;
struct loop;
struct keyspace;
struct resp;

struct catchup_result {
    struct notify_id last;    /* the box's last id */
    struct notify_id trimmed; /* entries up to here may have been trimmed away */
    uint64_t rev, unread;     /* of the box; rev 0: as it was asked about, or no box */
    uint32_t epoch;           /* of the box; 0: not known, or no box */
    bool gap;                 /* entries after the position are trimmed, or it is none of the box */
    struct notify_id after;   /* the position, or, if it lies behind its epoch's end, that end */
    bool more;                /* entries is cut short: ask again from its last */
    bool unreadable;          /* no box, or not for us: the channel can only be listened to */
    const struct resp *entries; /* array of messages, borrowed; NULL for none */
};

typedef void (*catchup_fn)(void *owner, const struct catchup_result *result);

/* fn gets every answer. NULL: out of memory. */
struct catchup *catchup_new(struct loop *loop, catchup_fn fn);
void catchup_free(struct catchup *catchup);

/* Where it can ask, from now on until catchup_down(): all of the keys, or one part more, or another
 * one. Borrowed, and always the same. */
void catchup_up(struct catchup *catchup, struct keyspace *keys);
void catchup_down(struct catchup *catchup);

/* Asks for what follows *from in the box key, and for its revision when that is not rev (0: not
 * known); from == NULL: only for where it ends now. owner and key must stay until the answer. 0
 * or -ENOMEM. */
int catchup_ask(struct catchup *catchup, struct notify_str key, const struct notify_id *from,
                uint64_t rev, uint32_t epoch, void *owner);

#endif
