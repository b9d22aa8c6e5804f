/* far_logs -- commands about an inbox and logs that lie in other slots of a cluster.
 *
 * One command may name keys of one slot alone, and a log for everybody is in another one than most
 * inboxes that follow it. Such a command is done in several: the inbox says in a word where it
 * stands in each log (NOTIFY.CURSORS), the log says what that means (NOTIFY.VIEW), what is to
 * change is changed in the inbox, which knows the log by name (BYNAME); and what comes of it is one
 * reply, as one server would have given it. When something of it fails, all of it has: no number is
 * one of only some of the logs. What changes meanwhile may be seen by one of the commands and not
 * by another.
 *
 * Of a command whose logs all lie in the slot of its inbox nothing is different, nor with one
 * server. Taken are BADGE, UNREAD, FEED, RANGE, REVRANGE, GET, MARK, READALL and SEEN, as the
 * requests here put them together. */
#ifndef FAR_LOGS_H
#define FAR_LOGS_H

#include <stdbool.h>

struct keyspace;
struct turn;
struct turns;

#define FAR_LOGS_AT_ONCE 16 /* logs of one command that are asked at a time */

/* Does it name a log that lies in another slot than its inbox? */
bool far_logs_are_named(const struct keyspace *keys, const struct turn *turn);
/* Does it; as turns_command(). Only if that is so. */
int far_logs_command(struct turns *turns, const struct turn *turn);

#endif
