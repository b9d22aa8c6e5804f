/* resp -- a reply of Redis, decoded (RESP3,
 * https://redis.io/docs/latest/develop/reference/protocol-spec/).
 *
 * A tree owned by redis_link and valid only during the callback that receives it. Kinds that the
 * layers above need not tell apart are folded together: bulk, simple and verbatim strings are
 * RESP_STRING; arrays and sets are RESP_ARRAY; a map is a RESP_MAP whose items are key, value, key,
 * value …; booleans are integers. */
#ifndef RESP_H
#define RESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_str.h"

enum resp_kind { RESP_NIL, RESP_STRING, RESP_ERROR, RESP_INTEGER, RESP_ARRAY, RESP_MAP, RESP_PUSH };

struct resp {
    enum resp_kind kind;
    int64_t integer;
    struct notify_str str; /* of RESP_STRING and RESP_ERROR; NUL-terminated behind len */
    size_t len;            /* number of items of the last three kinds */
    struct resp **items;
};

/* The value of a map's member, or NULL: not there, or reply is not a map (an array of key, value,
 * key, value … counts as one: RESP2). */
const struct resp *resp_member(const struct resp *map, const char *name);

/* The string of a reply, empty when reply is NULL or no string. */
struct notify_str resp_str(const struct resp *reply);

/* The integer of a reply; missing when reply is NULL or no integer. */
int64_t resp_integer(const struct resp *reply, int64_t missing);

/* How many, as a reply says (number_count()); 0 when it is NULL or no integer. */
int64_t resp_count(const struct resp *reply);

/* Is it an error whose first word is this one? */
bool resp_is_error(const struct resp *reply, const char *word);
/* An error that says "not now": the server loads its data, runs a long script, has lost its
 * primary. */
bool resp_is_passing_error(const struct resp *reply);
/* An error to a command of several keys of which some are elsewhere just now: each by itself would
 * be answered. */
bool resp_splits(const struct resp *reply);
/* An error that says "no writes until somebody acts": its memory or disk is full, it has become a
 * replica, or has too few of them. */
bool resp_refuses_writes(const struct resp *reply);

#endif
