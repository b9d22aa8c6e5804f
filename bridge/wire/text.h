/* text -- one JSON text in pieces: what stands somewhere already is not copied before it is framed.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "notify_str.h"

#define TEXT_PARTS_MAX 16

/* All zero: empty. Parts are borrowed unless they lie in owned. */
struct text {
    /* The raw JSON string that is its type, for framings that say it outside, too; empty: not
     * known. Points to where the text does. */
    struct notify_str type;
    struct notify_str ack; /* digits: the event of Socket.IO that it answers; empty: none */
    unsigned retry_ms;     /* when to come back, for framings that can say it; 0: nothing is said */
    size_t len;
    struct notify_str parts[TEXT_PARTS_MAX];
    char *owned; /* or NULL */
};

/* More than TEXT_PARTS_MAX is our own mistake. The type is known, unless it was before, if it is
 * the first member and stands in the first part, as in all that the bridge and the module say. */
void text_add(struct text *text, struct notify_str part);
/* Adds a member behind those of the object that text is, which must have one already. name: with
 * its quotes, a comma before and a colon behind. */
void text_add_member(struct text *text, struct notify_str name, struct notify_str value);
/* One part. */
struct text text_of(struct notify_str json);
/* The same of what json, which is taken over, is printed as; NULL is none. False: out of memory. */
bool text_of_json(struct text *ret, json_t *json);
void text_release(struct text *text);

#endif
