/* key_watch -- tells followers what happens to a key as a whole: it is deleted, renamed, moved,
 * expires, is evicted or overwritten ("gone"), or appears from elsewhere ("changed"); and all
 * bridges, on NOTIFY_CONTROL_CHANNEL, when a whole database is emptied or exchanged ("flushed").
 *
 * None of that passes through a command of ours. The server says that a value leaves its key
 * (unlink) before it says why (the keyspace event), so the first is noted (unlinked.h) and the
 * second told. Each standalone server tells its own subscribers by its own events, a replica too,
 * and replicates nothing; in a cluster the primary alone tells, as the bus carries it to the
 * replicas.
 *
 * A value that is overwritten has no event that we could ask for without being asked about every
 * SET of the server: it is told with the next message, or by the server's cron. */
#ifndef KEY_WATCH_H
#define KEY_WATCH_H

#include <stdbool.h>

#include "server/module_api.h"

/* Once, at load. False: the server does not let us know. */
bool key_watch_init(struct rm_ctx *ctx);

#endif
