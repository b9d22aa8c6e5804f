/* vocabulary -- the words of a dialect: what an event and a greeting are called, whatever their
 * bytes are framed in (dialect.h); answers are canonical in all of them. One dialect_<name>.c
 * implements each. */
#ifndef VOCABULARY_H
#define VOCABULARY_H

#include <stdbool.h>

#include <jansson.h>

#include "notify_str.h"

struct event;
struct inbound;
struct json_fault;
struct json_writer;
struct text;

/* What somebody who has come is told. */
struct greeting {
    struct notify_str client_id, user_id; /* UTF-8 */
    json_t *roles, *categories;           /* borrowed arrays of names, or null */
    json_t *positions;     /* borrowed: {key: position, …} of what it follows; NULL: not said */
    const char *timestamp; /* ISO 8601 */
};

/* A close code (close_code.h) that is another one there. */
struct close_word {
    int ours, theirs;
};

struct vocabulary {
    /* Says event: parts point into it, or lie in ret->owned. False: it is said as it was published,
     * and ret is untouched. An empty text: out of memory. NULL: everything is said as published. */
    bool (*event)(const struct event *event, struct text *ret);
    /* Says data, that of a notification in the box of key (raw), as an item of a list. As above. */
    bool (*item)(struct notify_str key, struct notify_str data, struct text *ret);
    /* False: out of memory, and *ret is empty. */
    bool (*greeting)(const struct greeting *greeting, struct text *ret);
    /* What a peer says, in canonical words: as inbound_read(). */
    bool (*read)(struct notify_str text, struct inbound *ret, struct json_fault *ret_fault);
    const struct close_word *closes; /* ended by {0, 0}; NULL: none is another */
};

extern const struct vocabulary vocabulary_canonical, vocabulary_topic, vocabulary_session,
    vocabulary_chat, vocabulary_socketio;

/* The greeting of /ws (docs/protocol.md). */
bool greeting_of_connection(const struct greeting *greeting, struct text *ret);
/* Its members, from "client_id" on, and the brace that ends it. */
void greeting_add_who(struct json_writer *writer, const struct greeting *greeting);

#endif
