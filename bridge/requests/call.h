/* call -- one command to Redis, or two, for a request that waits for the answer.
 *
 * Nothing is done any more when who asked has gone meanwhile. What the answer may come to is set
 * aside in the limit of who asks before anything is sent, so a client that does not read cannot
 * have answers pile up. */
#ifndef CALL_H
#define CALL_H

#include <stdbool.h>
#include <stddef.h>

#include "requests/words.h"

struct request;
struct resp;

/* An answer that needs no other bound: a few numbers, an id. */
#define CALL_SMALL_ANSWER 512

/* A successful reply: r is to be answered. ctx: as given to call_send(), and now the callee's. With
 * `whatever` any reply: an error, NULL (none will come), and when nobody waits any more. */
typedef void (*call_fn)(struct request *r, const struct resp *reply, void *ctx);

/* What is the same for all calls of a sort. */
struct call_kind {
    call_fn fn;
    void (*release)(void *ctx); /* of ctx, when fn is not called; may be NULL */
    size_t answer_bytes;        /* of the answer, at most */
    size_t reply_bytes;         /* that Redis sends at most; 0: no more than that */
    bool reads;                 /* changes nothing: needless when nobody waits for the answer */
    bool whatever;              /* fn is called once in any case */
    bool blames; /* the command says what the client said: what is wrong with it is his fault */
    bool takes_errors; /* fn gets errors of Redis, too */
};

/* Sends the command when its turn comes; fn answers the request when it has succeeded. Everything
 * else (link down, an error of Redis) is answered here. kind: borrowed until then. ctx may be NULL;
 * it is taken over. */
void call_send(struct request *r, const struct call_kind *kind, void *ctx,
               const struct words *words);

/* Sends two commands one behind the other; fn gets the replies of both, as an array of two. The
 * second is meant to read what the first one has changed. */
void call_send_two(struct request *r, const struct call_kind *kind, void *ctx,
                   const struct words *first, const struct words *second);

#endif
