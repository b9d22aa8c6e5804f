/* call -- one command to Redis on behalf of a client, and its answer.
 *
 * A call keeps its client's memory until the reply is there, and does nothing any more when the
 * client has gone meanwhile. What its answer may come to is set aside in the client's limit before
 * anything is sent, so a client that does not read cannot have answers pile up. */
#ifndef CALL_H
#define CALL_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "notify_str.h"

struct client;
struct resp;

#define WORDS_MAX 128

/* An answer that needs no other bound: a few numbers, an id. */
#define CALL_SMALL_ANSWER 512

/* The words of a command. All borrowed until call_send() has returned. */
struct words {
    size_t len;
    struct notify_str at[WORDS_MAX];
};

/* More than WORDS_MAX is our own mistake: handlers bound what clients send. */
void words_add(struct words *words, struct notify_str word);
/* name and value, or nothing at all when value is empty. */
void words_add_option(struct words *words, struct notify_str name, struct notify_str value);

/* A successful reply. request_id may be NULL. ctx: as given to call_send(), and now the callee's.
 */
typedef void (*call_fn)(struct client *client, const json_t *request_id, const struct resp *reply,
                        void *ctx);

/* What is the same for all calls of a sort. */
struct call_kind {
    call_fn fn;
    void (*release)(void *ctx); /* of ctx, when fn is not called; may be NULL */
    size_t answer_bytes;        /* that the client is sent at most, beside the request_id */
    size_t reply_bytes;         /* that Redis sends at most; 0: no more than that */
    bool reads;                 /* changes nothing: needless for a client that has gone */
};

/* Sends the command when its turn comes; fn answers the client when it has succeeded. Everything
 * else (link down, an error of Redis) is answered here. kind: borrowed until then. ctx may be NULL;
 * it is taken over. */
void call_send(struct client *client, const json_t *request_id, const struct call_kind *kind,
               void *ctx, const struct words *words);

/* Sends two commands one behind the other; fn gets the replies of both, as an array of two. The
 * second is meant to read what the first one has changed. */
void call_send_two(struct client *client, const json_t *request_id, const struct call_kind *kind,
                   void *ctx, const struct words *first, const struct words *second);

#endif
