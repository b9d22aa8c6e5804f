/* command_key -- which word of a command is its key, so that a cluster can be told where it goes.
 *
 * Of the commands that the bridge sends. All keys of one that has several lie in one slot: the
 * first one tells. */
#ifndef COMMAND_KEY_H
#define COMMAND_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "notify_str.h"

/* False: it has none, and any server takes it. */
bool command_key(size_t argc, const struct notify_str *argv, struct notify_str *ret);
/* Does who sends it say it again key by key, when its keys are at two servers just now? */
bool command_is_split(struct notify_str name);

#endif
