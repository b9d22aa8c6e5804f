/* box -- the value behind a notification key: an ordered log of entries with ids, their read state
 * and exact counts. Plain C, knows neither Redis nor JSON.
 *
 * Shape. A small box is one allocation: header, category table, entries packed one behind the
 * other. Above BOX_SMALL_MAX bytes the entries move to segments of up to BOX_SEGMENT_MAX bytes, and
 * a ring that names these takes their place. Functions that may move the box take `struct box **`
 * and write the new address back, also when they fail. Entries handed out (and their bodies) are
 * borrowed: any call that takes `struct box **` or frees the box ends their life.
 *
 * Time. The box has no clock. now_ms decides which entries have expired: these are invisible and
 * uncounted in every function that takes now_ms, and stay stored until box_sweep_expired takes them
 * out. BOX_NEVER_EXPIRE as now_ms makes everything visible (replicas and canonical forms). So that
 * what has expired is not counted again and again until then, box_advance tells the box the time.
 * All times are Unix milliseconds, at most NOTIFY_ID_MAX_MS.
 *
 * Counting. Unread: notifications that are not read, not archived and not in a muted category.
 * Unseen: notifications that are not seen, not archived and not in a muted category. Events are
 * never counted and have no read or seen state. Every change of an entry passes one routine that
 * takes it out of the counters and one that puts it back in, so counters cannot drift.
 *
 * Revision. The box does not raise its rev by itself: a command that changed something calls
 * box_raise_rev once, after all its steps.
 *
 * Errors are negative errno values; a call that fails leaves the contents unchanged. */
#ifndef BOX_H
#define BOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mover.h"
#include "box/box_types.h"

/* ---- life ---- */

struct box *box_new(void);                   /* NULL: no memory */
void box_free(struct box *box);              /* accepts NULL; may run in any thread */
struct box *box_copy(const struct box *box); /* deep; NULL: no memory */

/* ---- facts, all O(1) ---- */

struct notify_id box_last_id(const struct box *box); /* 0-0 before the first entry */
uint64_t box_rev(const struct box *box);
struct notify_id box_trimmed_id(const struct box *box); /* greatest id ever trimmed; 0-0: none */

/* Whether entries after `after` are missing for good: trimmed away, or after > last. */
bool box_has_gap(const struct box *box, struct notify_id after);

/* rev + 1; returns it. Stays at UINT64_MAX. */
uint64_t box_raise_rev(struct box *box);

/* Restoring (replication, AOF, payloads): these only ever raise. */
void box_raise_rev_to(struct box *box, uint64_t rev);
void box_raise_last_id(struct box *box, struct notify_id id);
int box_raise_trimmed_id(struct box **box,
                         struct notify_id id); /* 0, -ENOMEM; also raises last id */

/* Hints for the processor that an append will follow, and then a trim to maxlen. The second reads
 * what the first asked for: some other work should lie between, and behind. */
void box_prefetch_header(const struct box *box);
void box_prefetch_append(const struct box *box, uint64_t maxlen);

/* ---- adding ---- */

/* The id that an entry gets at now_ms: max(now_ms, last.ms) and the next seq. -EOVERFLOW when ids
 * are used up. */
int box_next_id(const struct box *box, uint64_t now_ms, struct notify_id *ret_id);

/* Appends a copy of entry. is_read, is_seen, archived and times are taken over (SEND leaves them
 * 0); is_read without is_seen sets seen_ms to read_ms; for events they are ignored.
 * -ERANGE    id is 0-0, beyond NOTIFY_ID_MAX_MS, or not greater than the last id
 * -EMSGSIZE  body longer than LIMIT_BODY
 * -ENOSPC    BOX_ENTRIES_MAX reached
 * -E2BIG     LIMIT_CATEGORIES reached (limits.h)
 * -EEXIST    an entry carries the same collapse token
 * -EINVAL    a time, level, kind or category that cannot be
 * -ENOMEM */
int box_append(struct box **box, const struct box_entry *entry);

/* 0 if the entry, with its id, could be appended; else what box_append would return, but for
 * -ENOMEM and -EEXIST. */
int box_check_append(const struct box *box, const struct box_entry *entry);

/* What came of it. */
struct box_appended {
    struct notify_id replaced; /* the entry whose place it took, if that was visible; else 0-0 */
    bool is_muted;             /* its category is */
};

/* As box_append, but the entry takes the place of the one that carries the same collapse token,
 * expired at now_ms or not: that is removed. */
int box_append_collapsing(struct box **box, const struct box_entry *entry, uint64_t now_ms,
                          struct box_appended *ret_appended);

/* ---- reading ---- */

/* The entry with this id, unless expired at now_ms. */
bool box_find(const struct box *box, struct notify_id id, uint64_t now_ms,
              struct box_entry *ret_entry);

/* The entry that carries this collapse token, a plain text, unless expired at now_ms. */
bool box_find_collapse(const struct box *box, struct notify_str token, uint64_t now_ms,
                       struct box_entry *ret_entry);

/* The greatest visible id smaller than id; 0-0: none. (`prev` of a replay message.) */
struct notify_id box_id_before(const struct box *box, struct notify_id id, uint64_t now_ms);

/* The first visible entry's id; 0-0: none. */
struct notify_id box_first_visible(const struct box *box, uint64_t now_ms);

/* Lives on the caller's stack; box_iter_next returns false at the end, and then always. The box
 * must not be changed meanwhile. SINCE(id) is from = notify_id_after(id), to = last id,
 * BOX_FILTER_ALL. */
struct box_iter {
    const struct box *box;
    struct box_range range;
    bool done;
    uint32_t segment; /* position in the ring; 0 for a small box */
    uint32_t offset;  /* forward: of the next entry */
    uint32_t
        ordinal; /* forward: the next entry's place in its segment; backward: how many are left */
    uint16_t offsets[BOX_SEGMENT_ENTRIES_MAX]; /* backward: where the segment's entries start */
    uint16_t
        slots[BOX_FILTER_CATEGORIES_MAX]; /* of the filter's categories, as far as they exist */
    uint32_t slot_count;
};

void box_iter_init(struct box_iter *iter, const struct box *box, const struct box_range *range);
bool box_iter_next(struct box_iter *iter, struct box_entry *ret_entry);

/* ---- counts: O(1), and a walk over what has expired since box_advance ---- */

/* Counts what has expired at now_ms, so that whoever asks with this time or a later one need not.
 * The contents stay what they are. Costs what has expired since the last time, and O(segments) if
 * anything has; a small box is walked through by whoever asks. */
void box_advance(struct box *box, uint64_t now_ms);

struct box_counts {
    uint64_t live; /* notifications and events */
    uint64_t unread;
    uint64_t unseen;
};

struct box_counts box_count(const struct box *box, uint64_t now_ms);
/* Entries that are stored, expired or not: box_count() of BOX_NEVER_EXPIRE, live. O(1). */
uint64_t box_stored(const struct box *box);
uint64_t box_unread(const struct box *box, uint64_t now_ms);

/* Unread in one category: O(categories in the box). 0 when it is muted or unknown. */
uint64_t box_unread_of(const struct box *box, struct notify_str category, uint64_t now_ms);

struct box_category_count {
    struct notify_str category; /* borrowed from the box */
    bool muted;
    uint64_t total;  /* entries that are live, of either kind, archived or not */
    uint64_t unread; /* 0 when muted */
};

/* Upper limit of what box_count_categories may fill in. */
size_t box_category_slots(const struct box *box);

/* Fills counts with the categories that have entries or are muted; returns how many. capacity is at
 * least box_category_slots(box); what would not fit is left out. O(categories), and a walk over
 * what has expired and is stored still. */
size_t box_count_categories(const struct box *box, uint64_t now_ms,
                            struct box_category_count *counts, size_t capacity);
/* The same of categories that have unread notifications, without totals (0), and without a walk
 * over what has been counted as expired. */
size_t box_unread_categories(const struct box *box, uint64_t now_ms,
                             struct box_category_count *counts, size_t capacity);

/* The highest level among what counts as unread, or -1 when nothing does. O(segments with unread).
 */
int box_max_unread_level(const struct box *box, uint64_t now_ms);

/* ---- changing ---- */

/* 1: the entry changed; 0: unknown or expired id, nothing to change, or a read or seen mark on an
 * event; -ENOMEM. at_ms is stored as read_at and seen_at. */
int box_mark(struct box **box, struct notify_id id, enum box_mark mark, uint64_t at_ms,
             uint64_t now_ms);

/* BOX_MARK_READ or BOX_MARK_SEEN for all notifications with ids up to upto (archived ones too), of
 * one category unless CATEGORY_NONE. How many visible ones changed, or -ENOMEM with nothing
 * changed. Unless it is 0, those that have expired change as well: who has no clock does the same.
 */
int64_t box_mark_upto(struct box **box, struct notify_id upto, struct notify_str category,
                      enum box_mark mark, uint64_t at_ms, uint64_t now_ms);

/* Mutes or unmutes categories: how many changed (ret_changed[i]: whether categories[i] did), or
 * -EINVAL (not a valid name), -E2BIG, -ENOMEM and nothing has. Corrects the counts. O(entries), and
 * O(categories) for each. */
int box_mute(struct box **box, const struct notify_str *categories, size_t count, bool muted,
             bool *ret_changed);
/* Mutes all that the other box has muted; likewise. */
int box_mute_like(struct box **box, const struct box *other);
bool box_is_muted(const struct box *box, struct notify_str category); /* O(categories) */

/* 1: gone; 0: unknown, or expired at now_ms (that is for the sweep). Leaves no gap. */
int box_delete(struct box **box, struct notify_id id, uint64_t now_ms);

/* Removes the oldest entries until at most maxlen visible ones are left, or those with ids smaller
 * than minid; what goes this way counts as a gap. Returns how many visible ones went; if any,
 * *ret_before is the id to name in the message: everything smaller is gone, and nothing else.
 * -ENOMEM (nothing removed) only on the first trim of a box that has no room for the mark.
 * ret_before may be NULL. */
int64_t box_trim_maxlen(struct box **box, uint64_t maxlen, uint64_t now_ms,
                        struct notify_id *ret_before);
int64_t box_trim_minid(struct box **box, struct notify_id minid, uint64_t now_ms,
                       struct notify_id *ret_before);

/* Removes up to capacity entries that have expired at now_ms, oldest first, and fills in their ids;
 * returns how many. Fewer than capacity: no more are left. Costs O(1) when none can have expired.
 */
size_t box_sweep_expired(struct box **box, uint64_t now_ms, struct notify_id *ret_ids,
                         size_t capacity);

/* Whether an entry may be stored that expires at some time, or that has at now_ms. O(1). */
bool box_may_expire(const struct box *box);
bool box_has_expired(const struct box *box, uint64_t now_ms);

/* The earliest expiry of what had not expired at the time of box_advance (a lower bound), the
 * latest that is stored; 0: none. The latest takes a walk. box_all_expire: whether every entry has
 * an expiry (of an empty box: false). */
uint64_t box_min_expire_ms(const struct box *box);
uint64_t box_max_expire_ms(const struct box *box);
bool box_all_expire(const struct box *box);

/* The next instant after now_ms at which something expires, or an earlier one; 0: nothing does.
 * O(1), and a walk over what has expired since box_advance. */
uint64_t box_next_expiry_ms(const struct box *box, uint64_t now_ms);

/* Removes the entry for having expired: 1; 0: unknown, without an expiry, or not expired at now_ms.
 * BOX_NEVER_EXPIRE as now_ms: somebody else's clock has decided. Leaves no gap. */
int box_expire(struct box **box, struct notify_id id, uint64_t now_ms);

/* ---- the end of the key ----
 *
 * A box of which nothing lives on need not stay in memory. It has an end when every entry expires
 * and nothing else is kept in it: no muted category and no cursors. (A trimmed id is no reason: of
 * a box that is missing every position is told a gap.) The end lies behind every expiry and not
 * before the time in the last id, so a box made after it begins with a greater id. Removing entries
 * does not bring it forward; an entry that does not expire takes it away. It follows from the
 * commands that were executed and from no clock, so that every replica knows the same. */

uint64_t box_key_end_ms(const struct box *box); /* 0: none */
/* To be called after a change. 0, or -ENOMEM and the box has no end. May move the box. */
int box_settle_key_end(struct box **box);
/* Takes over an end from a payload. -EINVAL: not one that this box can have; -ENOMEM. */
int box_restore_key_end(struct box **box, uint64_t end_ms);
bool box_key_end_is_sound(const struct box *box, uint64_t end_ms);
bool box_keeps_settings(const struct box *box); /* muted categories or cursors */

/* ---- epochs ----
 *
 * A number for whoever was the primary when the box was written: another primary, and the same one
 * after a restart, has another, as it may lack what the former has written. Ids and revisions of
 * what was lost are given again, so a position is good only together with the epoch under which it
 * was given. The box knows its present epoch and the last few before it with the id at which each
 * ended. A box that is made has no past and pays nothing for it. */

uint32_t box_epoch(const struct box *box);
/* Fills in those before it, oldest first; returns how many. */
size_t box_past_epochs(const struct box *box, struct box_past_epoch past[BOX_PAST_EPOCHS_MAX]);

/* From now on the box is written under that epoch; what it holds up to end is from before. 0, or
 * -ENOMEM and nothing has changed. May move the box. */
int box_begin_epoch(struct box **box, uint32_t epoch, struct notify_id end);

/* It was put back as it was at some time, and may have gone on under its epoch before that: what is
 * written from now on must not be under that epoch. 0, or -ENOMEM. May move the box. */
int box_end_epoch(struct box **box);
/* Whether it has ended in that way. */
bool box_epoch_has_ended(const struct box *box);
/* Whether epoch is its present one or one of those before it. */
bool box_has_epoch(const struct box *box, uint32_t epoch);

/* Whether id was, or may have been, the last one of this box when it was under that epoch. If not,
 * *ret_from is the last id that both have, or id itself where that is not known. */
bool box_knows_position(const struct box *box, uint32_t epoch, struct notify_id id,
                        struct notify_id *ret_from);

/* It stands at another key than before: positions of that key have nothing to do with it. */
void box_forget_epochs(struct box *box);

/* Takes them over from a payload. -EINVAL: they cannot be; -ENOMEM. */
int box_restore_epochs(struct box **box, uint32_t epoch, const struct box_past_epoch *past,
                       size_t count);

/* ---- checking ---- */

/* Stored counters beside a recount of everything that is stored, expired or not. */
struct box_audit {
    struct box_counts stored;
    struct box_counts actual;
    uint64_t stored_min_expire_ms; /* may be lower than actual, never higher; 0: none */
    uint64_t actual_min_expire_ms;
    size_t categories;       /* in the table */
    size_t categories_wrong; /* of them with a wrong total or unread */
    bool order_ok;           /* ids rise strictly and the greatest is not above the last id */
    bool collapse_ok;        /* the index of collapse tokens finds each of them, and nothing else */
    bool key_end_ok;         /* no entry outlives the end of the key */
    bool cursors_ok;         /* their names and exceptions are in order and say something */
    bool sound;              /* all of the above agree */
};

/* 0, or -ENOMEM (only for boxes with many categories). */
int box_verify(const struct box *box, struct box_audit *ret_audit);

/* ---- memory ---- */

size_t box_bytes(const struct box *box); /* of all allocations, as the allocator counts them */
size_t box_allocations(const struct box *box); /* effort to free: 1 for a small box */
size_t box_segments(const struct box *box);    /* 1 for a small box, also an empty one */

/* Hands every allocation to the mover, from *cursor on (0: the beginning). True: it was told to
 * stop, and *cursor says where to go on; the box may change until then. */
bool box_move(struct box **box, const struct mover *mover, unsigned long *cursor);

/* ---- payloads ---- */

/* Versions of payloads: box_payload.c says what is new in each, versions.h how they are chosen. */
#define BOX_PAYLOAD_FIRST 1
#define BOX_PAYLOAD_SECTIONS 2
#define BOX_PAYLOAD_COVERS 3
#define BOX_PAYLOAD_LATEST 3

/* A box is saved as a sequence of blocks (at least one): each call of write is one block and
 * becomes one string of an RDB payload. write returns 0, or a negative errno which ends the saving.
 */
struct box_sink {
    int (*write)(void *ctx, const void *bytes, size_t len);
    void *ctx;
    int version; /* the highest that may be written: box_payload.c says what is left out of it */
};

/* In the lowest version that holds the box, as far as the sink has it. 0, -ENOMEM, or what write
 * returned. */
int box_save(const struct box *box, const struct box_sink *sink);

/* read hands out the next block; it stays valid until the next call of read or the end of box_load.
 * false: there is none, or reading failed. */
struct box_source {
    bool (*read)(void *ctx, struct notify_str *ret_block);
    void *ctx;
};

/* Every byte is taken for hostile: structure, order, limits and bodies are checked, counters are
 * counted anew. NULL: *ret_why (may be NULL) says why in a few words, static. Reads no block beyond
 * the box's own. */
struct box *box_load(const struct box_source *source, const char **ret_why);

#endif
