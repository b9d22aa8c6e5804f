/* replication_info -- what a server says of its replication (INFO replication).
 *
 * Pure. What a server says is read within bounds, and points into its text. */
#ifndef REPLICATION_INFO_H
#define REPLICATION_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_str.h"

#define REPLICATION_HOST_MAX 256 /* with its NUL */

struct replication_info {
    struct notify_str text;   /* borrowed */
    struct notify_str stream; /* the name of what is replicated (master_replid); empty: none said */
    uint64_t offset;          /* how far it has come in that */
    bool is_replica;
    bool follows; /* a replica: it has all of it, and is told what is new */
};

struct replica_place {
    char host[REPLICATION_HOST_MAX];
    int port;
};

bool replica_places_equal(const struct replica_place *a, const struct replica_place *b);

/* False: it says nothing of its replication. */
bool replication_info_read(struct replication_info *ret, struct notify_str text);
/* The replicas of a primary, which hear what is new, one after the other: *at is 0 in the
 * beginning. False: there are no more. */
bool replication_info_next(const struct replication_info *info, size_t *at,
                           struct replica_place *ret);

/* A field of any INFO: what stands behind "name:" at the beginning of a line; empty: there is none.
 */
struct notify_str info_field(struct notify_str text, const char *name);

#endif
