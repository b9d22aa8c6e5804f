/* box_key -- a key of the server seen as a box: opening it with the right errors, writing a moved
 * or new box back, and telling the server that it changed. Replies only with WRONGTYPE. */
#ifndef BOX_KEY_H
#define BOX_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "box/box.h"
#include "server/module_api.h"
#include "notify_str.h"

struct box_key {
    struct rm_ctx *ctx;
    struct rm_string *name; /* borrowed */
    struct rm_key *key;     /* NULL: there is no such key (it was opened for reading), or closed */
    struct box *box;        /* NULL: no box. Belongs to the key once the key is closed */
    struct box *stored;     /* what the key holds at present; NULL: nothing */
    uint64_t live;          /* entries when it was opened, for INFO's total */
    uint64_t clock_ms;      /* of this command; 0: it has not asked yet */
    uint64_t end_ms;        /* of the key, as the box knew it when it was opened */
    bool counted;           /* live is known: the key has been fetched and checked */
    bool settled;           /* the key is to get the end that the box has */
    bool swept;             /* expired entries have been taken out */
    bool is_told;           /* it is looked at for a message, not to change anything */
};

/* Opens name for RM_READ, or RM_READ | RM_WRITE. False: WRONGTYPE has been replied and nothing is
 * open. A missing key is no error: box is NULL then. */
bool box_key_open_or_reply(struct box_key *bk, struct rm_ctx *ctx, struct rm_string *name,
                           int mode);

/* The same in two steps, for a command that has something to do while the box comes from memory:
 * between them nothing but box_key_close may be called. */
void box_key_fetch(struct box_key *bk, struct rm_ctx *ctx, struct rm_string *name, int mode);
bool box_key_check_or_reply(struct box_key *bk);

/* Takes out some of the entries that have expired, so many that each writing command does a little,
 * and replicates that: replicas and the AOF never do it by themselves. To be called by a command
 * that will not be refused any more, before it changes anything. Nobody is told: the messages of
 * these entries said when they end. */
void box_key_sweep(struct box_key *bk);

/* Within a change that will be carried out, before rev is raised: if the box has not been written
 * under this server's epoch, that begins now, behind the id `end`. An effect says so by itself
 * (given; 0: it does not). Returns the epoch that has begun, which the effect and the messages have
 * to tell; 0: none. */
uint32_t box_key_begin_epoch(struct box_key *bk, uint32_t given, struct notify_id end);

/* From an event of the server: a box has come to this key under another name, */
void box_key_forget_epochs(struct rm_ctx *ctx, struct rm_string *name);
/* or as it was at some time. */
void box_key_end_epoch(struct rm_ctx *ctx, struct rm_string *name);

/* After the change, before box_key_close: the key is to expire when the box has an end (box.h).
 * A time to live that somebody else gave to the key, or took from it, is left alone. */
void box_key_settle(struct box_key *bk);

/* From an event of the server: the box at this key, if there is one, may have lost the time to live
 * that its end gave it (RESTORE without one, PERSIST). Gets it back; every server does so by
 * itself.
 */
void box_key_keep_end(struct rm_ctx *ctx, struct rm_string *name);

/* Closes the key. If the box was made or has moved, the key gets its new address first. */
void box_key_close(struct box_key *bk);

/* After box_key_close: invalidates WATCH and client-side caches and sends the keyspace event. */
void box_key_changed(struct box_key *bk, const char *event);

/* The server's clock, asked once in a command, so that all its steps agree. */
uint64_t box_key_clock(struct box_key *bk);

/* The now_ms for functions of the box, which is told it (box_advance): the clock, or
 * BOX_NEVER_EXPIRE where it makes no difference and where a clock may have no say: what a primary
 * or the AOF says is executed as it is said. But a primary counts a log by its clock, and so does a
 * replica that is to tell the same (is_told). */
uint64_t box_key_now(const struct box_key *bk);

/* The next instant at which something in the box expires, or an earlier one; 0: nothing does. */
uint64_t box_key_next_expiry(struct box_key *bk);

struct notify_str box_key_name(const struct box_key *bk);

#endif
