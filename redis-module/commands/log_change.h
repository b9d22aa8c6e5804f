/* log_change -- READ, MARK, READALL and SEEN with LOG: what an inbox has read of a log that it
 * follows. The log itself is only looked at.
 *
 * Replicated as the same commands with the ids or the watermark that took effect. */
#ifndef LOG_CHANGE_H
#define LOG_CHANGE_H

#include "commands/change.h"

/* A kind of mark and what goes with it. */
struct mark_kind {
    const char *name; /* as MARK has it */
    enum box_mark mark;
    enum render_change change;
    const char *event; /* of the keyspace */
};

/* Whether the mark would change an entry, as it is seen. */
bool log_change_would_mark(const struct box_entry *entry, enum box_mark mark);

/* What READALL and SEEN ask for. */
struct log_upto {
    struct notify_id id;        /* the greatest possible: all */
    struct notify_str category; /* .ptr == NULL: of all */
};

/* For all of these change->log is set, ids and options are taken, nothing is open. */

/* Replies and returns RM_OK. */
int log_change_ids(struct change *change, const struct mark_kind *mark);
/* How many changed. False: an error has been replied. */
bool log_change_upto(struct change *change, const struct log_upto *wanted,
                     const struct mark_kind *mark, const char *command, uint64_t *ret_count);
/* Whether log_change_upto would refuse; then the error has been replied. Changes nothing. */
bool log_change_check_or_reply(struct change *change, const struct log_upto *wanted);

#endif
