/* identity -- who a peer is and what it may do: one object, shared by its connections and requests.
 * A renewed token makes a new one.
 *
 * What it may do is looked up in the roles file at each question, so that a changed file counts at
 * once. identity_may() (of many names at once identity_may_all()) is the only place that decides;
 * whatever asks for a right, over whatever wire, asks it. */
#ifndef IDENTITY_H
#define IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "identity/roles.h"
#include "notify_str.h"

#define IDENTITY_ROLES_MAX 32     /* of a token */
#define IDENTITY_PATTERNS_MAX 128 /* of each claim */

/* The claims that say what somebody may do: lists of names. */
enum identity_list { IDENTITY_ROLES, IDENTITY_TOPICS, IDENTITY_PUBLISH, IDENTITY_LISTS };

struct identity {
    unsigned refs;
    uint8_t user_len;
    uint8_t counts[IDENTITY_LISTS]; /* names of each list */
    bool everything;                /* auth=none: may all that can be asked for */
    bool anonymous;                 /* has no token: the user is a made up id, and has no inbox */
    uint32_t bytes;                 /* that it takes */
    const struct roles
        *book;           /* borrowed; or NULL: no roles file, and nothing is filtered by category */
    uint64_t expires_ms; /* wall clock; UINT64_MAX: never */
    char user[];         /* then a NUL; then the names of the lists, each behind its length */
};

/* auth=none: whoever it says it is. NULL: out of memory. */
struct identity *identity_open(struct notify_str user);
/* Without a token, with the rights of one role and nobody's inbox: user is a made up id. */
struct identity *identity_anonymous(struct notify_str user, const char *role,
                                    const struct roles *book);
/* claims: of a good token (RFC 7519): sub, roles (array), topics and publish (arrays of patterns).
 * What is needed of them is copied. NULL with *ret_why: a claim is malformed or too long; NULL and
 * NULL: no memory. */
struct identity *identity_of_claims(const json_t *claims, uint64_t expires_ms,
                                    const struct roles *book, const char **ret_why);
struct identity *identity_ref(struct identity *identity);
struct identity *identity_unref(struct identity *identity); /* returns NULL */

struct notify_str identity_user(const struct identity *identity);

/* The one question. name: a topic, a category, a session's id, a user. */
bool identity_may(const struct identity *identity, enum right right, struct notify_str name);
/* The same of all names that one with '*' in it stands for. A user may be called so, too: what
 * {user} stands for is one name and no others. */
bool identity_may_all(const struct identity *identity, enum right right, struct notify_str names);
/* Are deliveries from logs chosen by category? If not, all are for this identity. */
bool identity_filters(const struct identity *identity);
/* May it see what is in logs whatever its category: at once, or by joining it? */
bool identity_sees_all(const struct identity *identity);

typedef void (*identity_name_fn)(void *ctx, struct notify_str name);
/* Calls fn for each role, everybody's ("*") left out. */
void identity_each_role(const struct identity *identity, identity_name_fn fn, void *ctx);
/* Calls fn for each pattern of a right as it is written, with '*' and {user} in it. */
void identity_each_pattern(const struct identity *identity, enum right right, identity_name_fn fn,
                           void *ctx);
/* Calls fn for each name (a pattern with the user's id in it) of a right that names things,
 * RIGHT_FOLLOW or the categories; patterns with '*' are passed as they are when with_stars. Some
 * may come twice. */
void identity_each(const struct identity *identity, enum right right, bool with_stars,
                   identity_name_fn fn, void *ctx);
/* Calls fn for each name of such a right that the roles file gives to anybody. Some may come twice.
 * Nobody's when there are more than max: a walk over all of a large file for each connection would
 * be dear. */
void identity_each_of_book(const struct identity *identity, enum right right, size_t max,
                           identity_name_fn fn, void *ctx);

#endif
