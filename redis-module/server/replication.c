/* replication -- see replication.h.
 *
 * A replica begins with a snapshot, and most snapshots with a fork: from that moment nothing may be
 * left out, long before the server reports the replica as online. What came before is in the
 * snapshot. A file that is saved without a fork, while the first replica still waits for its own,
 * names a place in the backlog that a copy of it can go on from. A replica that was attached before
 * begins where it stopped only as long as there is a backlog. */
#include "server/replication.h"

#include "server/events.h"
#include "server/replay.h"

static enum { REPLICAS_UNKNOWN, REPLICAS_NONE, REPLICAS_SEEN } replicas;

static bool ask_server(struct rm_ctx *ctx)
{
    struct rm_server_info *info = rm_GetServerInfo(ctx, "replication");
    int no_replicas = 0, no_backlog = 0;
    bool found;

    if (info == NULL)
        return true;
    found = rm_ServerInfoGetFieldUnsigned(info, "connected_slaves", &no_replicas) > 0 ||
            rm_ServerInfoGetFieldUnsigned(info, "repl_backlog_active", &no_backlog) > 0 ||
            no_replicas != RM_OK || no_backlog != RM_OK;
    rm_FreeServerInfo(ctx, info);
    return found;
}

/* A snapshot serves replicas only if one is waiting; a change of replicas or of the own role says
 * that there is a backlog. Once seen they stay seen: a backlog has no event when it ends. */
static void on_event(struct rm_ctx *ctx, struct rm_event event, uint64_t subevent, void *data)
{
    bool is_snapshot = event.id == RM_EVENT_FORK_CHILD || event.id == RM_EVENT_PERSISTENCE;

    (void)subevent, (void)data;
    if (replicas != REPLICAS_SEEN && (!is_snapshot || ask_server(ctx)))
        replicas = REPLICAS_SEEN;
}

bool replication_init(struct rm_ctx *ctx)
{
    static const uint64_t events[] = {RM_EVENT_REPLICA_CHANGE, RM_EVENT_ROLE_CHANGED,
                                      RM_EVENT_FORK_CHILD, RM_EVENT_PERSISTENCE};

    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (!events_listen(ctx, events[i], on_event))
            return false;
    }
    return true;
}

bool replication_has_replicas(struct rm_ctx *ctx)
{
    /* A primary may have been started with a backlog: nothing tells but INFO, and that only after
     * loading, which may make one or end it. */
    if (replicas == REPLICAS_UNKNOWN) {
        if ((rm_GetContextFlags(ctx) & RM_FLAG_LOADING) != 0)
            return true;
        replicas = ask_server(ctx) ? REPLICAS_SEEN : REPLICAS_NONE;
    }
    return replicas == REPLICAS_SEEN;
}

bool replication_is_heard(struct rm_ctx *ctx)
{
    /* A replica hands on what it is given. The nodes of a cluster also send the keys of a slot that
     * moves to another primary, which is no replica to INFO. What a transaction replicates waits
     * for its end, and is taken by an AOF that it has turned on meanwhile. */
    const int flags = RM_FLAG_AOF | RM_FLAG_REPLICA | RM_FLAG_CLUSTER | RM_FLAG_MULTI;

    return replication_has_replicas(ctx) || (replay_flags(ctx) & flags) != 0;
}
