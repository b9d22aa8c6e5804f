/* replication -- whether anybody takes what this server replicates.
 *
 * Handing over the effect of a command costs as much as a fifth of a SEND, or a quarter of an OPEN,
 * even when the server then throws it away. A server does so while it has no AOF, no replica, and
 * no backlog from which a replica could take later what it has missed. */
#ifndef REPLICATION_H
#define REPLICATION_H

#include <stdbool.h>

#include "server/module_api.h"

/* Once, at load. False: the server does not let us know of its replicas. */
bool replication_init(struct rm_ctx *ctx);

/* Whether a replica has, or may one day ask for, what is replicated now. Never falsely false. */
bool replication_has_replicas(struct rm_ctx *ctx);

/* Whether an AOF or a replica takes what is replicated now. Never falsely false. While it is false,
 * a command that changes something says so by ReplicateVerbatim, which then only counts the
 * change for the server's save points. */
bool replication_is_heard(struct rm_ctx *ctx);

#endif
