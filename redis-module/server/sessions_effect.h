/* sessions_effect -- the one form in which changes of session sets are replicated and written to
 * the AOF:
 *
 *   NOTIFY.SESSION APPLY key rev [change …]
 *
 *     PUT session connection lease-ms opened-ms node addr meta    adds or replaces a connection
 *     LEASE connection lease-ms                                   sets when its lease passes
 *     CLOSE connection                                            removes it
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

/* Begins one for at most so many removals and other changes. False: no memory. Either way it can be
 * released. */
bool sessions_effect_init(struct sessions_effect *effect, struct notify_str key, uint64_t rev,
                          size_t removals, size_t others);
void sessions_effect_release(struct sessions_effect *effect);

void sessions_effect_add_put(struct sessions_effect *effect,
                             const struct sessions_connection *connection);
/* All that makes after out of before, in the sense of sessions_diff(). */
void sessions_effect_add_diff(struct sessions_effect *effect, const struct sessions *before,
                              const struct sessions *after);

/* Applies the changes from the cursor on, the first of which is rev. 0; -EINVAL (args->error is
 * set), -ENOMEM: *set is then to be thrown away. */
int sessions_effect_apply(struct sessions **set, struct args *args);

#endif
