/* marking -- marks entries of logs for who asks, those that he may see and no others.
 *
 * Whoever sees all of a log has that done by one command. For others the entries are read, a few at
 * a time, and those are marked that are not hidden. */
#ifndef MARKING_H
#define MARKING_H

#include <jansson.h>

#include "notify_str.h"

struct request;
struct tally;

/* The entries with these ids of the one log of tally, whose done is called at the end. state: a
 * word of NOTIFY.MARK, borrowed for good. Takes a reference to ids, an array; takes tally over. */
void marking_ids(struct request *r, struct tally *tally, struct notify_str state, json_t *ids);
/* All entries of its logs up to an id (empty: all there are) that a filter of NOTIFY.RANGE finds,
 * which is borrowed for good, too: they must not meet it any more once they are marked. */
void marking_all(struct request *r, struct tally *tally, struct notify_str state,
                 struct notify_str filter, struct notify_str upto);

#endif
