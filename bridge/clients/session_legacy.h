/* session_legacy -- what a process that was killed has left in session sets, until that is taken
 * out of them. Private to sessions.c. */
#ifndef SESSION_LEGACY_H
#define SESSION_LEGACY_H

struct keyspace;
struct session_journal;
struct session_legacy;

/* Copies what is in the journal. NULL: nothing is, or there is no memory for it: then leases end.
 */
struct session_legacy *session_legacy_new(struct keyspace *commands,
                                          const struct session_journal *journal);
/* Nothing may be under way: the link was freed before, or is down. NULL is fine, here and below. */
void session_legacy_free(struct session_legacy *legacy);
/* The link is up: goes on where Redis has answered last. */
void session_legacy_go_on(struct session_legacy *legacy);

#endif
