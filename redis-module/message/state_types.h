/* state_types -- the message types by which the module, or the bridge, tells what has become of a
 * box, a session set or a connection (docs/protocol.md). A client's event may not take one of these
 * names: whoever listens would believe it. Names that agents use for themselves (error, message)
 * are free. */
#ifndef STATE_TYPES_H
#define STATE_TYPES_H

#include <stdbool.h>

#include "notify_str.h"

bool state_types_have(struct notify_str name);

#endif
