/* progress -- how far a client has been sent what it follows, for one that does not keep count
 * itself: a reader of a stream of events, which gives back the last id that it was given.
 *
 * What counts is what has been written to its connection, block by block: what waits in its outbox
 * may never be. So a block's id says of every key what the client has had once it has that block,
 * wherever the connection breaks. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "notify_id.h"
#include "notify_str.h"
#include "wire/bookmark.h"

struct client;
struct follow;
struct outbox_item;
struct progress;

/* What the client has brought. */
enum progress_brought {
    PROGRESS_NOTHING,
    PROGRESS_BOOKMARK,  /* as it was given */
    PROGRESS_POSITIONS, /* of each key by its name */
    PROGRESS_MALFORMED, /* no bookmark of ours, or of another version */
};

/* NULL: out of memory. */
struct progress *progress_new(void);
void progress_free(struct progress *progress); /* NULL is fine */

/* Before anything is followed. positions: {key: position, …}; one that is none, or too many: false.
 */
void progress_bring_bookmark(struct progress *progress, struct notify_str text);
bool progress_bring_positions(struct progress *progress, const json_t *positions);
enum progress_brought progress_brought(const struct progress *progress);
/* It is known who the client is: a bookmark counts only if it is this user's. False: it is not. */
bool progress_is_of(struct progress *progress, struct notify_str user);
/* From where the client is to be served key; false: from now on. */
bool progress_find(const struct progress *progress, struct notify_str key,
                   struct position *ret_position);

/* From now on that is what it has brought. False: out of memory. */
bool progress_bring_found(struct progress *progress, const struct bookmark *found);
/* Is there anything to go on from? */
bool progress_has_begin(const struct progress *progress);

/* Nothing more begins where the client has been. */
void progress_forget_brought(struct progress *progress);

/* It follows one more. from: a position that it had, or NULL. False: these are too many, or two
 * with the same hash (one in 10^9 clients with a hundred keys). */
bool progress_add(struct progress *progress, struct follow *follow, struct notify_str key,
                  const struct position *from);
void progress_remove(struct progress *progress, const struct follow *follow);
/* Where it began to be followed. False: that is not known yet. */
bool progress_begin(const struct progress *progress, const struct follow *follow,
                    struct position *ret_position);
/* follow is live: what it stands at has been had, or was passed over. */
void progress_on_live(struct progress *progress, const struct follow *follow);

/* This goes out now, and is an entry of source, or of the inbox if that is NULL; id 0-0: of none.
 */
void progress_had(struct progress *progress, const struct follow *source, struct notify_id id,
                  uint32_t epoch);
/* Nothing waits, and what goes out now is the last that its follow has noted, or has not been noted
 * by it yet: every follow stands where the client does. */
void progress_settle(struct progress *progress);

/* The bookmark, if it has moved since the last one; else empty. Good until the next call for any
 * client. */
struct notify_str progress_text(struct progress *progress);
/* How long that may be now. */
size_t progress_text_max(const struct progress *progress);
/* {key: position, …}, what the bookmark says. NULL: out of memory. */
json_t *progress_positions(const struct progress *progress);

#endif
