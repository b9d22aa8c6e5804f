/* judge -- tokens being judged: each once, from the loop and few in a turn, since one may take as
 * long as hundreds of messages. One whose key is not known waits until there are others, if any are
 * to be had (authority_wait()). */
#ifndef JUDGE_H
#define JUDGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/log_once.h"
#include "identity/authority.h"
#include "notify_str.h"

struct judge_case;
struct loop;

/* Of a process. */
struct judge {
    struct loop *loop; /* borrowed, both */
    struct authority *authority;
    TAILQ_HEAD(judge_queue, judge_case) waiting;
    struct log_once said; /* of the log */
    bool working;         /* a turn is on its way */
};

void judge_init(struct judge *judge, struct loop *loop, struct authority *authority);

/* VERDICT_GOOD: identity is a reference, the callee's. */
typedef void (*judge_fn)(void *ctx, enum verdict verdict, struct identity *identity);
/* Has token, which is copied, judged: fn is called from the loop, once, and the case is no more
 * then. who: the number of a client for the log, or 0. NULL: out of memory. */
struct judge_case *judge_take(struct judge *judge, struct notify_str token, uint64_t who,
                              judge_fn fn, void *ctx);
/* Nobody wants to know any more: fn is not called. */
void judge_drop(struct judge_case *judged);

#endif
