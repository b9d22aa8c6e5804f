/* unlinked -- the values of ours that have left their keys, and of which nobody has been told:
 * noted by the callbacks of the types, taken by whoever tells (key_watch.h). Those of our database
 * alone, and only where something is published. */
#ifndef UNLINKED_H
#define UNLINKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/module_api.h"

#define UNLINKED_MAX 1024 /* with more of them all are given up */

enum unlinked_kind { UNLINKED_BOX, UNLINKED_SESSIONS };

struct unlinked {
    struct rm_string *key; /* owned by the note, as long as that stands */
    enum unlinked_kind kind;
    uint64_t rev;
};

/* From the unlink callbacks of the types: a value of that revision leaves its key. */
void unlinked_note(struct rm_optctx *ctx, enum unlinked_kind kind, uint64_t rev);

/* Takes the note of a key out; what it names as its key is gone then. False: there is none. */
bool unlinked_take(const struct rm_string *key, struct unlinked *ret);
/* It was a command of ours that removed the key, and has told so in its own words. */
void unlinked_forget(const struct rm_string *key);
/* Takes the newest one out, the key of which then is the caller's. False: there is none. */
bool unlinked_pop(struct unlinked *ret);

/* Whether there is something to be told. */
bool unlinked_is_empty(void);
/* Whether some were given up: everything is to be read anew. */
bool unlinked_were_too_many(void);
/* Forgets all. */
void unlinked_drop(void);

#endif
