/* poll_private -- a session over polling in this process: while a GET of it is held, and between
 * two GETs for as long as it is kept; and what poll.c and the files around it ask of each other.
 * Private to them: poll.c, polls.c, and poll_*.c but for poll_memory.c. */
#ifndef POLL_PRIVATE_H
#define POLL_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/hash_table.h"
#include "base/heartbeat.h"
#include "base/loop.h"
#include "notify_str.h"
#include "socketio/backlog.h"
#include "socketio/parcel.h"
#include "socketio/poll.h"
#include "socketio/reply.h"
#include "socketio/session.h"

struct exchange;
struct http_request;

#define NEVER_MS UINT64_MAX /* of the loop's clock */

enum poll_state {
    POLL_TAKING,
    POLL_HELD,
    POLL_GIVING,
    POLL_KEPT,
    POLL_LENT, /* its GET is served by who keeps the session, elsewhere */
    POLL_ENDED
};

struct poll {
    struct hash_node node;     /* first; in engine->kept, if is_kept */
    struct engineio *engine;   /* borrowed */
    struct exchange *exchange; /* NULL: the client has gone, or its GET came elsewhere */
    struct address *address;   /* owned reference; what limits count the session by */
    poll_fn fn;                /* of poll_close(), and its ctx; NULL: nobody minds */
    void *ctx;
    struct poll_hold *hold;  /* of the box, while HELD, KEPT or LENT */
    struct session *session; /* owned, while HELD, GIVING and to be kept, or KEPT */
    void *seed;              /* owned, until the session has it */
    char sid[ENGINEIO_SID_ROOM];
    enum poll_state state;
    TAILQ_ENTRY(poll) link;
    struct heartbeat_node deadline;
    uint64_t ping_ms, dead_ms; /* loop clock; NEVER_MS: the ping has been sent */
    uint64_t hold_until_ms;    /* NEVER_MS: nothing waits to be said */
    uint64_t keep_until_ms;    /* while KEPT; while LENT: when to ask again */
    struct parcel out;         /* packets to be said, with separators between them */
    size_t out_count;
    struct backlog in;    /* of what was taken */
    struct parcel answer; /* while GIVING */
    int holds;
    bool looking, look_again; /* at the box; once more after that */
    bool parting;  /* nothing is said any more: it is over once its input is dealt with */
    bool closing;  /* the session is over once this turn is */
    bool left;     /* as its client wants */
    bool building; /* it was not built up yet: it is unknown then */
    bool probed, pinged;
    bool deferred;
    size_t said;   /* bytes of out that are in the answer */
    bool is_kept;  /* it is in engine->kept */
    bool remote;   /* the GET that it serves came elsewhere */
    bool released; /* it is given away, without an answer */
    bool waited;   /* for what was still to be said, long enough for this answer */
};

static inline const struct poll_store *poll_store_of(const struct poll *poll)
{
    return &poll->engine->config.store;
}

static inline uint64_t poll_now_ms(const struct poll *poll)
{
    return loop_now_ms(poll->engine->config.loop);
}

/* A GET's life (poll.c). */

/* One that takes a box as req says. NULL: the session cannot be gone on with by this request. */
struct poll *poll_new(struct engineio *engine, const struct http_request *req,
                      enum engineio_error *ret_error);
/* Builds the session up from its box, which it holds from now on. */
void poll_go_on(struct poll *poll, const struct poll_taken *taken);
/* The store has something for ctx, a poll. */
void poll_on_wake(void *ctx);
/* Sets the deadline by what is due first. */
void poll_plan(struct poll *poll);
/* The process ends, and nobody else goes on with it. */
void poll_tell_end(struct poll *poll);

/* What is said, and the answer (poll_answer.c). */

/* Whoever is above speaks to this poll from now on. */
void poll_carry(struct poll *poll);
/* One more packet for the answer. */
void poll_say(struct poll *poll, struct notify_str packet);
/* Has the session take what came by POSTs. What would be answered by more than goes into an answer
 * waits for the next poll. */
void poll_feed(struct poll *poll);
/* Looks at the end of this turn whether it is to be answered; only if there is a reason to; or not
 * at all. */
void poll_finish_soon(struct poll *poll);
void poll_finish_if_due(struct poll *poll);
void poll_undefer_finish(struct poll *poll);
/* Packs the session and gives the box back, after which it is answered. keeps: the session stays
 * here; else it is over here. */
void poll_give_back(struct poll *poll, bool keeps);
/* The session is over: what there was to say is said, or nothing. */
void poll_end_closed(struct poll *poll, int code);

/* Its GET is served elsewhere (poll_lent.c). */

/* By who keeps the session: he is asked when that is told. */
void poll_lend(struct poll *poll, const struct poll_taken *taken);
/* Asks how that stands. */
void poll_ask(struct poll *poll);

/* Keeping (poll_keep.c). */

/* May it stay here when this answer has gone out? If so, it is found by its sid from now on. */
bool poll_may_keep(struct poll *poll);
/* It is not found any more. */
void poll_keep_forget(struct poll *poll);
/* Who keeps the session, if it is not this one that is to be; by other credentials it is judged
 * anew. NULL: nobody does. */
struct poll *poll_keep_find(struct poll *fresh);
/* What the answer has of out is taken off; what did not fit before is written now. */
void poll_keep_cut(struct poll *poll, size_t said);
/* It was not to be answered: said again before all that has come since. */
void poll_keep_take_back(struct poll *poll);
/* It is answered; the session waits for its next GET, and for what comes meanwhile. */
void poll_stay(struct poll *poll);
/* It is not kept any more: whatever waits for its next GET goes into the box. */
void poll_release(struct poll *poll);

/* The end (poll_end.c). */

/* When something is told because of which a session does not go on. */
enum poll_moment { POLL_AT_TAKING, POLL_AT_HOLD, POLL_AT_GIVING, POLL_MOMENTS };

/* Answers its GET, if it is there: by packets, by an error, or by what result comes to. */
void poll_answer_text(struct poll *poll, struct notify_str body);
void poll_answer_fault(struct poll *poll, enum engineio_error error);
void poll_answer_result(struct poll *poll, enum poll_moment moment, enum poll_result result);
/* By which a session is over that was lost so. */
int poll_code(enum poll_result result);
/* The session ends here; code: of its on_closed. */
void poll_end_session(struct poll *poll, int code);
/* Nobody goes on with the session. Whether the box is still held, only an answer tells that is on
 * its way: then it is dropped after that. */
void poll_drop(struct poll *poll);
/* The hold is over already, or never was: so are the session here, and the poll. */
void poll_lose(struct poll *poll, enum poll_moment moment, enum poll_result result);
/* Nothing is left to do: freed, once the store has said what it has to say. */
void poll_over(struct poll *poll);
/* At once, whatever it has. */
void poll_free(struct poll *poll);
/* What on_handshake left of its request, unless a session has it. */
void poll_forget_seed(struct poll *poll);

#endif
