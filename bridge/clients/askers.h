/* askers -- who waits for agents, and for how many answers, so that whoever asks much leaves room
 * for others. A user is one, whatever his connections; those who bring no token are one for each
 * address. */
#ifndef ASKERS_H
#define ASKERS_H

#include <stddef.h>

#include "base/hash_table.h"
#include "identity/key_names.h"
#include "notify_str.h"

struct asker;

#define ASKER_NAME_MAX KEY_NAME_MAX /* of an address there is less */

struct askers {
    size_t max; /* for one; set by the owner */
    struct hash_table table;
};

/* 0 or -ENOMEM. All zero it may be released. */
int askers_init(struct askers *askers);
/* Nobody waits any more. */
void askers_release(struct askers *askers);

/* One more of whoever has this name, at most ASKER_NAME_MAX bytes; to be given back. 0; -EDQUOT: he
 * has as many as he may; -ENOMEM. */
int asker_take(struct askers *askers, struct notify_str name, struct asker **ret);
void asker_give(struct askers *askers, struct asker *asker);

#endif
