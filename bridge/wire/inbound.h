/* inbound -- what a peer says, as it stands, before it is known what its members should be: one
 * JSON object with a type, perhaps an id, and members. */
#ifndef INBOUND_H
#define INBOUND_H

#include <stdbool.h>
#include <stddef.h>

#include "notify_str.h"

struct json_fault;

#define INBOUND_MEMBERS_MAX 24 /* that any message has; only one more is kept */

/* All of it raw, and pointing into the text. All zero: nothing was said. */
struct inbound {
    struct inbound_head {
        struct notify_str value; /* of the first one; empty: there is none */
        bool twice;
    } type, id;
    size_t len;
    struct inbound_member {
        struct notify_str name, value;
    } at[INBOUND_MEMBERS_MAX + 1];
};

/* Reads a canonical message. False: it is no well-formed JSON object, and nothing but its id is
 * read, as far as that can be told; *ret_fault says why. ret is all zero before. */
bool inbound_read(struct notify_str text, struct inbound *ret, struct json_fault *ret_fault);
/* Reads the members of what goes with a type that stands elsewhere: raw, and known to be
 * well-formed. ret->type may be set before, and counts as one that the object has. False: it is no
 * object. */
bool inbound_read_members(struct notify_str object, struct inbound *ret);
/* Compares a name as what it stands for. */
bool inbound_is_named(struct notify_str raw, const char *name);

#endif
