/* sessions_types -- a connection, and the bounds of a session set: what those who look at a set and
 * those who store it have in common. */
#ifndef SESSIONS_TYPES_H
#define SESSIONS_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include "notify_id.h"
#include "notify_str.h"
#include "notify_wire.h"

/* Clients may put in less: LIMIT_CONNECTIONS, LIMIT_SESSION and LIMIT_META of limits.h. */
#define SESSIONS_NAME_BOUND 255            /* bytes of a session, connection, node or address */
#define SESSIONS_META_BOUND 65535          /* bytes of JSON without blanks */
#define SESSIONS_TIME_MAX NOTIFY_ID_MAX_MS /* the greatest lease_ms and opened_ms */
#define SESSIONS_ALL 0                     /* now_ms of the time when every lease still ran */
#define SESSIONS_NOWHERE UINT32_MAX        /* an index: there is no such connection */

struct sessions;

/* Texts are valid UTF-8. session and connection have 1 to SESSIONS_NAME_BOUND bytes, and the
 * session is not "*"; node and addr may be empty; meta is empty or one JSON value without blanks.
 */
struct sessions_connection {
    struct notify_str session;
    struct notify_str connection;
    struct notify_str node; /* the bridge that holds it */
    struct notify_str addr; /* of the peer */
    struct notify_str meta;
    uint64_t lease_ms;  /* Unix time at which it is gone; 1 or more */
    uint64_t opened_ms; /* Unix time */
};

#endif
