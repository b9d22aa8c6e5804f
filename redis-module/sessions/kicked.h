/* kicked -- which connections were kicked a short while ago: a bridge that did not hear of it, as
 * its link was away, is not to open them again.
 *
 * A table of a fixed size in the memory of this server, neither saved nor replicated; where too
 * many are kicked at once, those whose leases end first are forgotten. Plain C. */
#ifndef KICKED_H
#define KICKED_H

#include <stdbool.h>
#include <stdint.h>

#include "notify_str.h"

#define KICKED_MAX 65536

/* A connection, by its name in the set at key of a database. */
struct kicked_name {
    int db;
    struct notify_str key, connection;
};

/* until_ms: the end of its lease, after which nobody opens it again. For lack of memory it is not
 * noted. */
void kicked_note(const struct kicked_name *name, uint64_t until_ms);
bool kicked_has(const struct kicked_name *name, uint64_t now_ms);
/* Forgets all. */
void kicked_release(void);

#endif
