/* render -- the messages that travel on channels and in the replies of RANGE JSON and SINCE,
 * exactly as docs/protocol.md section 1 says.
 *
 * Everything is appended to a text_buf that the caller clears and keeps; after a call buf->failed
 * tells about lack of memory. Keys are escaped here; bytes of a key that are not UTF-8 become
 * U+FFFD, so that a message is always valid JSON (commands that publish should refuse such a key).
 * Entries are trusted: their bodies come from body_build or passed body_is_sound. */
#ifndef RENDER_H
#define RENDER_H

#include <stddef.h>
#include <stdint.h>

#include "box/box.h"
#include "notify_id.h"
#include "notify_str.h"
#include "base/text_buf.h"

#define RENDER_IDS_MAX 128 /* ids in one state-change message */
#define RENDER_TIME_LEN 24 /* 2026-11-20T21:00:00.123Z */

/* What the message says about the box: at SEND the values after the change, on replay the present
 * ones. */
struct render_box {
    struct notify_str key;
    uint64_t rev;
    uint64_t unread;
    uint32_t epoch;        /* that has begun with this change; 0: none has */
    struct notify_str log; /* the log whose cursor changed; .ptr NULL: the box itself did */
    uint64_t log_unread;   /* what the box has not read of that log */
    bool log_is_elsewhere; /* log_unread is not known */
};

/* A stored entry: the live message when entry is as just appended, the replay message when it is as
 * found later (is_read and read_at come from the entry). prev: at SEND the box's last id before
 * this entry; on replay box_id_before(). replaces: 0-0, or the entry that this one replaced. */
void render_entry(struct text_buf *out, const struct render_box *box, const struct box_entry *entry,
                  struct notify_id prev, struct notify_id replaces);

/* An event that is not stored (NOSTORE): no id, no prev; now_ms becomes the timestamp. Of entry the
 * kind, level, category and body count. */
void render_unstored(struct text_buf *out, const struct render_box *box,
                     const struct box_entry *entry, uint64_t now_ms);

enum render_change {
    RENDER_READ,
    RENDER_UNREAD_AGAIN,
    RENDER_SEEN,
    RENDER_ARCHIVED,
    RENDER_UNARCHIVED,
    RENDER_DELETED,
    RENDER_MUTED,
    RENDER_UNMUTED,
    RENDER_FOLLOWED,
    RENDER_UNFOLLOWED,
};

/* "ids":[...] with the first min(count, RENDER_IDS_MAX) ids; returns how many it took. The caller
 * goes on with the rest in another message of the same rev. */
size_t render_change_ids(struct text_buf *out, const struct render_box *box,
                         enum render_change change, const struct notify_id *ids, size_t count);

/* Both take "log" and, unless that lies elsewhere, "log_unread" from the box when it has a log.
 * "upto":"id" (READ, SEEN), with "category" unless CATEGORY_NONE; for DELETED "before":"id". */
void render_change_upto(struct text_buf *out, const struct render_box *box,
                        enum render_change change, struct notify_id id, struct notify_str category);

/* "categories":["…"] (MUTED, UNMUTED). */
void render_change_categories(struct text_buf *out, const struct render_box *box,
                              enum render_change change, const struct notify_str *categories,
                              size_t count);

/* FOLLOWED with "start":"id", or UNFOLLOWED, of box->log. */
void render_follow(struct text_buf *out, const struct render_box *box, enum render_change change,
                   struct notify_id start);

/* "gone": the box is no more, nothing is unread; rev: one more than its last. */
void render_gone(struct text_buf *out, struct notify_str key, uint64_t rev);
/* "changed": a box has appeared under this key from elsewhere, in the place of another or of none.
 */
void render_appeared(struct text_buf *out, const struct render_box *box, struct notify_id last);
/* "flushed", of NOTIFY_CONTROL_CHANNEL. */
void render_flushed(struct text_buf *out, uint64_t database);

/* ISO 8601 UTC with milliseconds; ms <= NOTIFY_ID_MAX_MS (greater ones are written as that). */
void render_time(char out[RENDER_TIME_LEN], uint64_t ms);

/* "info" ... "critical". */
struct notify_str render_level(enum entry_level level);

#endif
