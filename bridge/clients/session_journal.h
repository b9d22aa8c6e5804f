/* session_journal -- the session sets that a process has places in, in memory that outlives it: who
 * comes after it takes out of Redis what it has left there, instead of letting leases end.
 *
 * One process writes, and may be killed within any instruction; another one reads after its end. */
#ifndef SESSION_JOURNAL_H
#define SESSION_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "notify_str.h"

struct session_journal;

#define SESSION_JOURNAL_NODE_MAX 17                /* bytes of a name, and a NUL */
#define SESSION_JOURNAL_BYTES (UINT32_C(64) << 20) /* of address space: memory as it is needed */

/* To be made before processes are forked. NULL: out of memory. */
struct session_journal *session_journal_new(void);
void session_journal_free(struct session_journal *journal);

/* Begins anew, for a process whose places have this node's name: nothing is in it. */
void session_journal_begin(struct session_journal *journal, const char *node);
/* What is to be handed to session_journal_remove(); 0: there is no room, or journal is NULL. */
uint32_t session_journal_add(struct session_journal *journal, struct notify_str key);
void session_journal_remove(struct session_journal *journal, uint32_t entry);

/* Reads what another process has written: the name of its node, "" if there was none, */
const char *session_journal_node(const struct session_journal *journal);
/* and the keys, one after the other: *at is 0 at first. Empty: there are no more. Lies in the
 * journal, until it begins anew. */
struct notify_str session_journal_next(const struct session_journal *journal, uint32_t *at);

#endif
