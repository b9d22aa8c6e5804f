/* sessions_lookup -- finds many connections of one set, in a time that grows with their number but
 * not with that of the set. A table is made for it where it pays; without memory for one, each
 * question is a walk.
 *
 *   init … find, any number of times … release
 *
 * Meanwhile connections may be renewed and noted as going, but neither put nor taken out. */
#ifndef SESSIONS_LOOKUP_H
#define SESSIONS_LOOKUP_H

#include "sessions/sessions.h"

struct sessions_lookup {
    const struct sessions *set; /* borrowed */
    uint32_t *cells;            /* owned; index + 1, 0: free. NULL: there is no table */
    uint32_t mask;
};

/* questions: about how many there will be. */
void sessions_lookup_init(struct sessions_lookup *lookup, const struct sessions *set,
                          size_t questions);
void sessions_lookup_release(struct sessions_lookup *lookup);

/* The index of the connection, or SESSIONS_NOWHERE. One that has been noted as going is not there.
 */
uint32_t sessions_lookup_find(const struct sessions_lookup *lookup, struct notify_str connection);

#endif
