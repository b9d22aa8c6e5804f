/* box_types -- what those who deal with boxes have in common: an entry, what may be asked for, the
 * bounds. What can be done with a box is box.h's. */
#ifndef BOX_TYPES_H
#define BOX_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "box/category.h"
#include "notify_id.h"
#include "notify_str.h"

#define BOX_SMALL_MAX 4096          /* bytes of the one allocation of a small box */
#define BOX_SEGMENT_MAX 8192        /* bytes of a segment; a larger entry gets one of its own */
#define BOX_SEGMENT_ENTRIES_MAX 255 /* entries in one segment or small box */
#define BOX_ENTRIES_MAX ((1u << 24) - 1) /* entries in one box */
#define BOX_FILTER_CATEGORIES_MAX 64     /* categories that one filter may name */
#define BOX_BODY_BOUND (1u << 30)        /* bytes of one body; LIMIT_BODY is for clients */
#define BOX_NEVER_EXPIRE UINT64_C(0)     /* as now_ms: no entry counts as expired */

struct box;

enum entry_kind { ENTRY_NOTIFICATION, ENTRY_EVENT };

enum entry_level { LEVEL_INFO, LEVEL_SUCCESS, LEVEL_WARNING, LEVEL_ERROR, LEVEL_CRITICAL };
#define LEVEL_COUNT 5

/* One entry, as it goes in and as it comes out. */
struct box_entry {
    struct notify_id id;
    enum entry_kind kind;
    enum entry_level level;
    struct notify_str category; /* CATEGORY_NONE: none. Coming out, it is borrowed from the box */
    bool archived;
    bool is_muted;          /* its category is, at present; ignored as input */
    bool is_read;           /* never true for events; neither is is_seen */
    bool is_seen;           /* always true when is_read */
    uint16_t category_slot; /* in the box that it comes out of; see category_table.h */
    uint64_t read_ms;       /* when; 0 unless is_read */
    uint64_t seen_ms;       /* when; 0 unless is_seen */
    uint64_t expire_ms;     /* 0: never. Expired from the instant expire_ms <= now_ms */
    struct notify_str body; /* see body.h */
};

/* ---- what is asked for ---- */

enum box_state {
    BOX_PRESENT,       /* not archived: what RANGE shows without a word */
    BOX_NOTIFICATIONS, /* notifications, not archived */
    BOX_UNREAD,        /* notifications, not read, not archived */
    BOX_READ,          /* notifications, read, not archived */
    BOX_UNSEEN,        /* notifications, not seen, not archived */
    BOX_ARCHIVED,      /* archived */
    BOX_ALL,           /* everything */
};

/* All conditions must hold. A zeroed filter selects BOX_PRESENT. Texts are plain, not escaped. */
struct box_filter {
    enum box_state state;
    const struct notify_str *categories; /* any of these; at most BOX_FILTER_CATEGORIES_MAX */
    size_t category_count;               /* 0: whatever category */
    struct notify_str type;              /* .ptr == NULL: whatever type */
    struct notify_str event; /* .ptr == NULL: whatever event; NOTIFY_EVENT_DEFAULT for plain ones */
    struct notify_str entity_type; /* .ptr == NULL: whatever entity */
    struct notify_str entity_id;   /* goes with it; .len == 0: entities without an id */
    bool has_level;
    bool or_above; /* the level is the lowest one */
    enum entry_level level;
};

#define BOX_FILTER_ALL ((struct box_filter){.state = BOX_ALL})

struct box_range {
    struct notify_id from; /* smallest id, inclusive */
    struct notify_id to;   /* greatest id, inclusive */
    bool reverse;          /* greatest id first */
    uint64_t now_ms;
    struct box_filter filter;
};

/* ---- what is changed ---- */

enum box_mark {
    BOX_MARK_READ,   /* also sets seen, if it was not */
    BOX_MARK_UNREAD, /* seen stays */
    BOX_MARK_SEEN,
    BOX_MARK_ARCHIVED,
    BOX_MARK_UNARCHIVED,
};

/* ---- epochs: see box.h ---- */

#define BOX_EPOCH_MAX ((1u << 24) - 1) /* 1 is the first; 0: not known */
#define BOX_PAST_EPOCHS_MAX 3

struct box_past_epoch {
    uint32_t epoch;
    struct notify_id end; /* the last id of it */
};

#endif
