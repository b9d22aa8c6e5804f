/* sessions_effect -- the one form in which changes of session sets are replicated and written to
 * the AOF:
 *
 *   NOTIFY.SESSION APPLY key rev [change …]
 *
 *     PUT session connection lease-ms opened-ms node addr meta    adds or replaces a connection
 *     LEASE connection lease-ms                                   sets when its lease passes
 *     CLOSE connection                                            removes it
 *     MAY n change …                                              one that may be unknown
 *                                                                 (versions.h)
 *
 * Times are absolute, so whoever applies it needs no clock; rev becomes the set's revision; node,
 * addr and meta may be empty. What names a connection that is not there changes nothing. A set
 * without connections is removed. */
#ifndef SESSIONS_EFFECT_H
#define SESSIONS_EFFECT_H

#include <stdbool.h>
#include <stddef.h>

#include "server/args.h"
#include "server/module_api.h"
#include "sessions/sessions.h"

#define SESSIONS_EFFECT_COMMAND "NOTIFY.SESSION"

/* Its arguments. */
struct sessions_effect {
    struct rm_string **words; /* owned, and so are the strings */
    size_t count;
    size_t room;
};

/* Room for so many removals and other changes. False: no memory. Either way it can be released, as
 * can a zeroed struct. */
bool sessions_effect_init(struct sessions_effect *effect, size_t removals, size_t others);
void sessions_effect_release(struct sessions_effect *effect);

/* Comes first. */
void sessions_effect_begin(struct sessions_effect *effect, struct notify_str key, uint64_t rev);
void sessions_effect_add_put(struct sessions_effect *effect,
                             const struct sessions_connection *connection);
/* All that a command is about to do to the set (sessions_plan.h). */
void sessions_effect_add_plan(struct sessions_effect *effect, const struct sessions *set);

/* Applies the changes from the cursor on, the first of which is rev. 0; -EINVAL (args->error is
 * set), -ENOMEM: the changes before the one that failed have been applied. */
int sessions_effect_apply(struct sessions **set, struct args *args);

#endif
