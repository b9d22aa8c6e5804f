/* ask -- something that a client is told once certain follows are live: the greeting, the answer to
 * subscribe, the answer to resume. */
#ifndef ASK_H
#define ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct ask;
struct client;
struct follow;

/* Everything asked for is there. The ask is freed behind the call. */
typedef void (*ask_fn)(struct client *client, struct ask *ask);

struct ask {
    struct ask *next; /* of the same client */
    ask_fn done;
    json_t *subject;    /* owned; of an ask about one follow: what done needs to know; or NULL */
    json_t *request_id; /* owned; or NULL */
    json_t *results;    /* owned object, key -> {recovered, count}; NULL: nobody wants to know */
    uint32_t pending, len;
    uint32_t bytes; /* that it comes to at most, with its answer: counts in its client's limit */
    bool refused;   /* a follow that it awaited may not be */
    struct follow *follows[]; /* borrowed; NULL once live */
};

/* Room for up to max follows. request_id and subject may be NULL; takes references of its own.
 * NULL: out of memory. One thing is pending from the start: that client_ask_close() is called, when
 * all that is to be awaited is known. */
struct ask *ask_new(size_t max, ask_fn done, json_t *request_id, json_t *subject, bool results);
void ask_free(struct ask *ask);

void ask_await(struct ask *ask, struct follow *follow);
/* follow is live, or will not be any more. */
void ask_resolve(struct ask *ask, const struct follow *follow);

/* follow may not be. Whether done will say so itself: the ask is about this follow. */
bool ask_refuse(struct ask *ask, const struct follow *follow);

/* Adds what is said of a follow: key -> {recovered, count}. */
void ask_put_result(json_t *results, const struct follow *follow, bool recovered);

#endif
