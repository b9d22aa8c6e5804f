/* poll_call -- one script (poll_scripts.h) run by Redis on the box of one session, and what it
 * said.
 *
 * Scripts go out by their names; a server that does not know one is sent its text. All of them take
 * their turn with the commands of clients (redis/turns.h). */
#ifndef POLL_CALL_H
#define POLL_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/log_once.h"
#include "clients/poll_scripts.h"
#include "notify_str.h"
#include "socketio/poll_store.h"

struct loop;
struct turns;

#define POLL_CALL_ARGS 10

/* What stands in every reply. Borrowed for the call. */
struct poll_reply {
    enum poll_result result;
    bool again; /* POLL_DONE: asked before, the answer is in state */
    bool held;  /* POLL_AWAY: somebody else holds the box and has been told; ask again soon */
    bool probed, known, missed, waits, release, set_back;
    struct notify_str input, state;
    int64_t ping_in_ms, dead_in_ms;
    uint64_t last;  /* item of input, of those that were given */
    uint64_t given; /* g of the box (poll_box/common.lua); 0: that is not said */
};

typedef void (*poll_call_fn)(void *ctx, const struct poll_reply *reply);

struct poll_call;

struct poll_caller {
    struct loop *loop; /* borrowed, as are turns */
    struct turns *turns;
    size_t input_max, state_max; /* bytes that a reply may have of these */
    struct log_once said;
    STAILQ_HEAD(poll_call_queue, poll_call) unsent; /* to be told so */
    bool telling;
};

void poll_caller_init(struct poll_caller *caller, struct loop *loop, struct turns *turns,
                      size_t input_max, size_t state_max);
/* The link must have been freed before: what is still to be told is told. */
void poll_caller_release(struct poll_caller *caller);

/* fn is called once, from the loop. sid: what a client calls its session, anything; argv is copied.
 */
void poll_call(struct poll_caller *caller, enum poll_script script, struct notify_str sid,
               poll_call_fn fn, void *ctx, size_t argc, const struct notify_str *argv);

/* fn is told POLL_AWAY, likewise. */
void poll_call_nobody(struct poll_caller *caller, poll_call_fn fn, void *ctx);

#endif
