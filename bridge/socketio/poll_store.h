/* poll_store -- what a session over polling is while none of its GETs is held: a box that any
 * process can take, by the session's id. Two implement it: poll_memory.c, in this process, and
 * clients/poll_box.c, on Redis.
 *
 * A held GET owns what it has taken (struct poll_hold) until it gives that back, or it is lost.
 * POSTs only append to the box's input and move its deadline, so they wait for no holder: he is
 * woken and looks.
 *
 * Who gives a box back may keep the session in his memory (and the hold with it): nothing passes it
 * by then, and he serves the next GET as well, wherever that comes; whose GET that is waits to be
 * woken, and asks. The box has all that somebody else goes on from if the keeper is gone.
 *
 *     open --> [box] --take--> hold --give_back--> [box] …        for each GET
 *                               |  \--and keeps--> [box] --take, look--> hold
 *                                \--a second take--> dropped, the holder is told POLL_OVERLAP
 *     [box] --probe--> [box: GETs are answered at once] --take for good--> upgraded: no GET any
 * more
 *
 * A box is gone when its deadline passes without a pong: the ping interval and the ping time-out
 * after the last one. Everything is told once, through the function that goes with the call, from
 * the loop and never from within the call. */
#ifndef POLL_STORE_H
#define POLL_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_str.h"

struct poll_hold; /* an implementation's */

enum poll_result {
    POLL_DONE,
    POLL_UNKNOWN,   /* there is no such session (any more) */
    POLL_UPGRADED,  /* it goes over a WebSocket now */
    POLL_OVERLAP,   /* another GET was held: both are over now, and the session with them */
    POLL_PROBED,    /* for a GET: an upgrade is under way; to be answered at once, with nothing */
    POLL_CLOSED,    /* for a holder: somebody else has dropped the box */
    POLL_LOST,      /* for a holder: the box is gone, or somebody else's; */
    POLL_ELSEWHERE, /* it is there: somebody else goes on with it */
    POLL_FULL,      /* more than a box holds: it is gone */
    POLL_UNHEARD,   /* for who gives it back: whose GET it was is gone, so nothing was answered */
    POLL_AWAY,      /* cannot be said just now */
    POLL_SERVED,    /* for a GET: who keeps the session serves it; to be asked about when woken */
};

#define POLL_NEVER INT64_MAX /* as a time */

/* What a box says; borrowed for the call. Times are what is left by the store's clock. */
struct poll_taken {
    struct poll_hold *hold;  /* of a take, an ask or a close that is POLL_DONE and not again, or
                              * NULL;  and of POLL_SERVED */
    struct notify_str state; /* what was given back last; empty: nothing yet */
    /* Payloads as they were POSTed, joined by 0x1e, that have not been looked at. */
    struct notify_str input;
    /* It was asked before, by a GET of the same t, and answered so: to be said again as it is. The
     * box is not held. */
    bool again;
    struct notify_str answer;
    bool probed;        /* an upgrade is under way: whoever holds should answer now */
    int64_t ping_in_ms; /* when the next ping is due; POLL_NEVER: it was sent, its pong awaited */
    int64_t dead_in_ms; /* when the session is over unless a pong comes */
    bool known;         /* it is what its keeper has in his memory: state is empty */
    bool missed;  /* nobody had it in his memory: what is not stored may have passed it by, and that
                   * was not said lately */
    bool waits;   /* of a look: somebody's GET is to be answered */
    bool release; /* of a look: a WebSocket wants it from who keeps it */
    bool set_back; /* Redis has lost how far it had come: its client has had more, perhaps */
};

typedef void (*poll_fn)(void *ctx, enum poll_result result, const struct poll_taken *taken);

enum poll_taker {
    POLL_FOR_GET,
    POLL_FOR_UPGRADE, /* for good: the box only says POLL_UPGRADED from then on. No hold comes */
};

struct poll_taking {
    struct notify_str sid; /* as the client says it: anything */
    struct notify_str t;   /* of the GET; may be empty */
    enum poll_taker taker;
    struct poll_hold *kept; /* for a GET, of who keeps the session; it stays his. NULL: a new one */
    /* A holder is to look again. */
    void (*on_wake)(void *ctx);
    void *ctx; /* of on_wake and of the poll_fn */
};

enum poll_push {
    POLL_PONG = 1, /* the payload has a pong in it: deadline and next ping move */
};

struct poll_giving {
    struct notify_str state;  /* for the next who takes */
    struct notify_str answer; /* what the GET will be answered with */
    bool pinged;              /* there is a ping in it: the next is due after its pong */
    bool answers;             /* there is an answer; else it is given away by who has kept it */
    bool keeps;               /* the hold stays his who gives it back */
};

/* sid, and all that a call is given, is copied. fn NULL: nobody minds. */
struct poll_store_ops {
    void (*open)(void *store, struct notify_str sid, poll_fn fn, void *ctx);
    void (*take)(void *store, const struct poll_taking *taking, poll_fn fn);
    /* What has come since: input, times, probed. Anything but POLL_DONE and POLL_AWAY: the hold is
     * over, and must not be used any more. Not while another look is under way. */
    void (*look)(void *store, struct poll_hold *hold, poll_fn fn, void *ctx);
    /* The hold's GET is served by somebody else (POLL_SERVED): how does that stand? Told as take
     * is: answered, still served, or its from now on. Anything else: the hold is over. leaves: it
     * is not to be served any more, and answered with nothing. */
    void (*ask)(void *store, struct poll_hold *hold, bool leaves, poll_fn fn, void *ctx);
    /* Gives the box back, all that was looked at being consumed. The hold is over with the call,
     * unless he keeps it; then it is over if this is not POLL_DONE. POLL_DONE: the answer may go
     * out. */
    void (*give_back)(void *store, struct poll_hold *hold, const struct poll_giving *giving,
                      poll_fn fn, void *ctx);
    /* A POST: a whole, checked payload. flags: of enum poll_push. */
    void (*push)(void *store, struct notify_str sid, struct notify_str payload, unsigned flags,
                 poll_fn fn, void *ctx);
    /* A POST after which the client is gone. Whoever holds the box reads it; if nobody does, the
     * caller holds it from now on, who does what is still to be done. POLL_DONE: hold says which.
     */
    void (*close)(void *store, const struct poll_taking *taking, struct notify_str payload,
                  poll_fn fn);
    /* Is it there, so that a WebSocket may ask for it? POLL_DONE, POLL_UNKNOWN, POLL_UPGRADED. */
    void (*check)(void *store, struct notify_str sid, poll_fn fn, void *ctx);
    /* A WebSocket has asked for the session (POLL_PROBED: another one has already); and it has gone
     * before it took it. */
    void (*probe)(void *store, struct notify_str sid, poll_fn fn, void *ctx);
    void (*unprobe)(void *store, struct notify_str sid);
    /* The session is over by an answer to a GET that came elsewhere; so is the hold. NULL: nobody
     * keeps sessions here, and there is no ask either. */
    void (*finish)(void *store, struct poll_hold *hold, struct notify_str answer);
    /* The session is over. hold: the caller's, which is over with it; or NULL. */
    void (*drop)(void *store, struct notify_str sid, struct poll_hold *hold);
    /* Is anybody else there who could go on with what is given back? POLL_DONE, or POLL_UNKNOWN;
     * asked once, by a process that is about to end: nobody counts on it any more. */
    void (*others)(void *store, poll_fn fn, void *ctx);
    /* The holder has gone (is freed) without giving back: nothing is called for it any more. */
    void (*forget)(void *store, struct poll_hold *hold);
};

struct poll_store {
    const struct poll_store_ops *ops;
    void *store;
};

#endif
