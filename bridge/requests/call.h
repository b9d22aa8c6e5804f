/* call -- one command to Redis on behalf of a client, and its answer.
 *
 * A call keeps its client's memory until the reply is there, and does nothing any more when the
 * client has gone meanwhile. */
#ifndef CALL_H
#define CALL_H

#include <stddef.h>

#include <jansson.h>

#include "notify_str.h"

struct client;
struct resp;

#define WORDS_MAX 128

/* The words of a command. All borrowed until call_send() has returned. */
struct words {
    size_t len;
    struct notify_str at[WORDS_MAX];
};

/* More than WORDS_MAX is our own mistake: handlers bound what clients send. */
void words_add(struct words *words, struct notify_str word);
/* name and value, or nothing at all when value is empty. */
void words_add_option(struct words *words, struct notify_str name, struct notify_str value);

/* A successful reply. request_id may be NULL. arg: as it was given to call_send(). */
typedef void (*call_fn)(struct client *client, const json_t *request_id, const struct resp *reply,
                        size_t arg);

/* Sends the command; fn answers the client when it has succeeded. Everything else (link down, an
 * error of Redis) is answered here. */
void call_send(struct client *client, const json_t *request_id, call_fn fn, size_t arg,
               const struct words *words);

/* Sends two commands one behind the other; fn gets the replies of both, as an array of two. The
 * second is meant to read what the first one has changed. */
void call_send_two(struct client *client, const json_t *request_id, call_fn fn, size_t arg,
                   const struct words *first, const struct words *second);

#endif
