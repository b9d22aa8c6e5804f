/* logs -- which logs a user's inbox follows by itself (docs/following.md): the broadcast logs, and
 * the topics that the roles of its user follow at once. They count in its badge and stand in its
 * feed. */
#ifndef LOGS_H
#define LOGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_str.h"

struct client_shared;
struct identity;

#define LOGS_MAX 100 /* of one user: further ones are delivered, but neither counted nor listed */
/* What a roles file may name, all roles together, for logs_of_others() to look at. */
#define LOGS_OF_OTHERS_MAX 256

struct logs {
    size_t len;
    struct notify_str at[LOGS_MAX]; /* their keys, each once */
};

/* Those of whoever has this identity; nobody's, if it is anonymous. Valid until the next call, of
 * this or of the next function. */
const struct logs *logs_of(const struct client_shared *shared, const struct identity *identity);
/* Those that the roles file has for others, and not for this identity: what its inbox follows of
 * them is of a role that it has lost. None when the file names more than LOGS_OF_OTHERS_MAX. */
const struct logs *logs_of_others(const struct client_shared *shared,
                                  const struct identity *identity);
bool logs_have(const struct logs *logs, struct notify_str key);
/* Which of them entries are of whose UUIDs have this tag (wire/entry_uuid.h): how many it fits, and
 * the last of those. Whatever comes by whatever wire, it is looked up here. */
size_t logs_find_tag(const struct logs *logs, uint16_t tag, struct notify_str *ret);

#endif
