/* resp -- a blocking connection to Redis that speaks RESP2 (Redis documentation, "Redis
 * serialization protocol"). Commands are built once, ahead of time, so that a measuring loop only
 * writes them.
 *
 * Whatever goes wrong, an error reply included, ends the program: there is nothing to measure then.
 */
#ifndef RESP_H
#define RESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_str.h"

/* Commands one after the other, as they go over the wire. Zeroed: empty. */
struct resp_text {
    char *ptr; /* owned */
    size_t len, cap;
};

/* Appends one command of NUL-terminated words, the list ended by NULL. */
void resp_text_add(struct resp_text *text, const char *const *words);
/* The same with the words written out: RESP_TEXT_ADD(&text, "GET", key). */
#define RESP_TEXT_ADD(text, ...) resp_text_add((text), (const char *const[]){__VA_ARGS__, NULL})
/* Appends what was built elsewhere. */
void resp_text_append(struct resp_text *text, const char *bytes, size_t len);
void resp_text_clear(struct resp_text *text);   /* forgets the commands, keeps the room */
void resp_text_release(struct resp_text *text); /* zeroes it */

struct resp {
    int fd;
    char *in; /* owned: what was received; replies [at, len) have not been taken yet */
    size_t at, len, cap;
};

/* Connects to 127.0.0.1. */
void resp_open(struct resp *resp, int port);
void resp_close(struct resp *resp);

void resp_send(struct resp *resp, const char *bytes, size_t len);
/* The next complete reply as it was received, error replies included. Valid until the next call. */
struct notify_str resp_next(struct resp *resp);
/* Whether resp_next() has a reply without asking the socket. */
bool resp_has_next(const struct resp *resp);
/* Takes count replies, none of which may be an error. */
void resp_expect(struct resp *resp, size_t count);

/* Sends one command and waits for its reply. Of a simple or bulk string and of an integer this is
 * the text, of anything else the raw reply. Valid until the next call. */
struct notify_str resp_call(struct resp *resp, const char *const *words);
#define RESP_CALL(resp, ...) resp_call((resp), (const char *const[]){__VA_ARGS__, NULL})

/* The text of a raw reply, as resp_call() gives it. */
struct notify_str resp_reply_text(struct notify_str reply);

/* The number that follows name ("pubsub_channels:", "cmdstat_get:calls=") at the beginning of a
 * line of the INFO section, whatever the case of its letters; missing if there is no such line. */
uint64_t resp_info_number(struct resp *resp, const char *section, const char *name,
                          uint64_t missing);

/* used_memory without the buffers of clients, in bytes. Waits until it has not changed for several
 * readings: tables have been rehashed. */
uint64_t resp_settled_memory(struct resp *resp);

#endif
