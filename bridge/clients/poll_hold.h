/* poll_hold -- who in this process holds a box of a polled session (poll_box.h), or is about to: by
 * number, which is what others wake him by. */
#ifndef POLL_HOLD_H
#define POLL_HOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/hash_table.h"
#include "base/number.h"
#include "notify_str.h"
#include "socketio/engineio.h"
#include "socketio/poll_store.h"

struct loop;

#define POLL_NODE_BYTES 8
#define POLL_NODE_MAX (2 * POLL_NODE_BYTES + 1)
#define POLL_TOKEN_MAX (POLL_NODE_MAX + 1 + NUMBER_TEXT_MAX)
#define POLL_T_MAX 64 /* bytes of what names a GET; a longer name is none */

struct poll_hold {
    struct hash_node node; /* first */
    STAILQ_ENTRY(poll_hold) woken_link;
    struct poll_holds *all;
    void *boxes; /* for whoever made it */
    uint64_t number;
    uint64_t seen;  /* the last item of input that its holder has been given */
    uint64_t given; /* g of the box (poll_box/common.lua) when its holder had it last, */
    uint64_t said;  /* and when more than a ping had been said last, as far as he knows */
    void (*on_wake)(void *ctx);
    void *wake_ctx;
    poll_fn fn; /* of the call under way */
    void *ctx;
    unsigned under_way;   /* calls */
    enum poll_result why; /* it has lost the box, if it has: as far as was told */
    bool taken;           /* the box is its, */
    bool asks;            /* for a GET of its own, which shows that what was answered was heard */
    bool looking, giving;
    bool keeps;         /* it stays when the box has been given back */
    bool says;          /* what is given back says more than a ping */
    bool woken, queued; /* it is to look; and stands among those to be told so */
    bool blind;         /* it has looked, and Redis did not answer */
    bool over;          /* its holder knows it no more */
    uint8_t t_len;
    char sid[ENGINEIO_SID_LEN];
    char t[POLL_T_MAX];
};

struct poll_holds {
    struct loop *loop;       /* borrowed */
    struct hash_table table; /* by number */
    STAILQ_HEAD(poll_hold_queue, poll_hold) woken;
    uint64_t numbers; /* given so far */
    bool waking;
    char node[POLL_NODE_MAX]; /* the name of this process in boxes */
};

/* 0 or -ENOMEM. */
int poll_holds_init(struct poll_holds *holds, struct loop *loop);
/* There may be no hold. */
void poll_holds_release(struct poll_holds *holds);

/* Never NULL. */
struct poll_hold *poll_hold_new(struct poll_holds *holds, const struct poll_taking *taking);
/* NULL: there is none of this number. */
struct poll_hold *poll_hold_find(const struct poll_holds *holds, uint64_t number);
/* Its holder knows it no more: it goes once nothing is under way for it. */
void poll_hold_end(struct poll_hold *hold);

struct notify_str poll_hold_sid(const struct poll_hold *hold);
struct notify_str poll_hold_t(const struct poll_hold *hold);
/* What names the GET that it is for; too long a name is none. */
void poll_hold_set_t(struct poll_hold *hold, struct notify_str t);
/* What it is called in its box. */
struct notify_str poll_hold_token(const struct poll_hold *hold, char out[POLL_TOKEN_MAX]);
/* The same of one of a number that may be there no more. */
struct notify_str poll_holds_token(const struct poll_holds *holds, uint64_t number,
                                   char out[POLL_TOKEN_MAX]);

/* Its holder is to look again, in the next turn: unless it is looking, or has not got the box yet;
 * then the next one is for poll_hold_wake_if_told(). */
void poll_hold_wake(struct poll_hold *hold);
void poll_hold_wake_if_told(struct poll_holds *holds, uint64_t number);
void poll_holds_wake_all(struct poll_holds *holds);
void poll_holds_wake_blind(struct poll_holds *holds);
/* What was said on our channel, by a script or by anybody: "<number> <why>", and where somebody is
 * to do something the session's sid behind that. */
struct poll_wake {
    uint64_t number;
    struct notify_str why, sid; /* sid: empty if there is none */
};

/* False: it is nothing of that kind. */
bool poll_wake_read(struct poll_wake *ret, struct notify_str message);
/* False: there is nobody of this number. */
bool poll_holds_wake(struct poll_holds *holds, const struct poll_wake *wake);

#endif
