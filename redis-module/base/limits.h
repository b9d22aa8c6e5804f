/* limits -- how much clients may put into one value, and into one command.
 *
 * They are for clients only. What a primary, an AOF or a payload brings has been accepted by some
 * server, whose limits may have been others, and is carried out: wherever a limit is reached the
 * code asks limits_are_lifted() before it refuses. What remains are bounds of the data structures,
 * far behind the limits, beyond which nothing can be done.
 *
 * Each may be set when compiling, as the tests do to build a module that has hardly any room. */
#ifndef LIMITS_H
#define LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "notify_wire.h"

/* ---- texts; what messages and the bridge agree on is in notify_wire.h ---- */

#ifndef LIMIT_TITLE
#define LIMIT_TITLE NOTIFY_TITLE_MAX /* characters */
#endif
#ifndef LIMIT_EVENT_NAME
#define LIMIT_EVENT_NAME NOTIFY_EVENT_NAME_MAX
#endif
#ifndef LIMIT_TYPE
#define LIMIT_TYPE NOTIFY_TYPE_MAX /* also of an entity */
#endif
#ifndef LIMIT_CATEGORY
#define LIMIT_CATEGORY NOTIFY_CATEGORY_MAX
#endif
#ifndef LIMIT_TOKEN
#define LIMIT_TOKEN NOTIFY_TOKEN_MAX
#endif
#ifndef LIMIT_SESSION
#define LIMIT_SESSION NOTIFY_SESSION_MAX /* a session, connection, node, address, entity id */
#endif
#ifndef LIMIT_META
#define LIMIT_META 4096 /* of a connection, as JSON without blanks */
#endif
#ifndef LIMIT_LOG_NAME
#define LIMIT_LOG_NAME NOTIFY_KEY_MAX
#endif
#ifndef LIMIT_BODY
#define LIMIT_BODY (16u * 1024 * 1024) /* all texts of an entry, whatever the settings say */
#endif

/* ---- numbers ---- */

#ifndef LIMIT_CATEGORIES
#define LIMIT_CATEGORIES 4096 /* names in one box */
#endif
#ifndef LIMIT_LOGS
#define LIMIT_LOGS 1024 /* that one box follows */
#endif
#ifndef LIMIT_EXCEPTIONS
#define LIMIT_EXCEPTIONS 1024 /* of one cursor */
#endif
#ifndef LIMIT_COVERS
#define LIMIT_COVERS 256 /* categories that one cursor has read up to an id of their own */
#endif
#ifndef LIMIT_TOKENS
#define LIMIT_TOKENS 1000000 /* that one box remembers, whatever the settings say */
#endif
#ifndef LIMIT_CONNECTIONS
#define LIMIT_CONNECTIONS 10000 /* of one session set, whatever the settings say */
#endif

/* How much one command may name or bring, so that none takes long (tests/integration/
 * test_module_costs.py); what it would have got in one piece comes in several. */
#ifndef LIMIT_IDS
#define LIMIT_IDS 10000 /* ids of entries */
#endif
#ifndef LIMIT_KEYS
#define LIMIT_KEYS 1024 /* keys of SENDMANY and SINCE, logs of FOLLOW and UNFOLLOW */
#endif
#ifndef LIMIT_SENDMANY_BYTES
#define LIMIT_SENDMANY_BYTES (8u << 20) /* of the entry, as often as SENDMANY has keys */
#endif
#ifndef LIMIT_GROUPS
#define LIMIT_GROUPS 10000 /* in the reply of UNREAD BY */
#endif
#define REPLY_ENTRIES_MAX 10000 /* entries in the reply to one command */

/* Whether the limits do not hold for what is done just now. */
bool limits_are_lifted(void);

/* Whether a value is more than a limit allows just now. */
static inline bool limits_forbid(uint64_t value, uint64_t limit)
{
    return value > limit && !limits_are_lifted();
}

/* Who knows when they do not hold. Without one they always do. To be set once. */
void limits_set_judge(bool (*are_lifted)(void));

#endif
