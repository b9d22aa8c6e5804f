/* entry -- one entry in packed form, as it lies in a small box or a segment:
 *
 *   flags   1 byte: level (3 bits), event, read, seen, archived, expires
 *   varint  length of the body
 *   varint  id.ms minus the base of the segment
 *   varint  id.seq
 *   varint  slot in the box's category table, plus 1; 0: none
 *   6 bytes expiry, if the flag says so
 *   body
 *
 * Times of reading and seeing are not here: most entries have none, and changing a state must not
 * move what lies behind. They stand in the marks of the segment (see box_layout.h). */
#ifndef ENTRY_H
#define ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_id.h"
#include "base/varint.h"

#define ENTRY_LEVEL_MASK 0x07u
#define ENTRY_IS_EVENT 0x08u
#define ENTRY_IS_READ 0x10u
#define ENTRY_IS_SEEN 0x20u
#define ENTRY_IS_ARCHIVED 0x40u
#define ENTRY_EXPIRES 0x80u

struct entry {
    struct notify_id id;
    uint8_t flags;
    uint32_t category_slot; /* 0: none, else position in the table + 1 */
    uint64_t expire_ms;     /* 0 without ENTRY_EXPIRES */
    const uint8_t *body;
    uint32_t body_len;
    uint32_t size; /* bytes of the whole packed form */
};

/* The size that e (its size and body.ptr do not matter) will have behind that base. */
static inline size_t entry_packed_size(const struct entry *e, uint64_t base_ms)
{
    return 1 + varint_len(e->body_len) + varint_len(e->id.ms - base_ms) + varint_len(e->id.seq) +
           varint_len(e->category_slot) + ((e->flags & ENTRY_EXPIRES) != 0 ? TIME48_LEN : 0) +
           e->body_len;
}

/* Writes e; returns the byte behind it. */
static inline uint8_t *entry_pack(uint8_t *out, const struct entry *e, uint64_t base_ms)
{
    *out++ = e->flags;
    out = varint_put(out, e->body_len);
    out = varint_put(out, e->id.ms - base_ms);
    out = varint_put(out, e->id.seq);
    out = varint_put(out, e->category_slot);
    if ((e->flags & ENTRY_EXPIRES) != 0) {
        time48_put(out, e->expire_ms);
        out += TIME48_LEN;
    }
    if (e->body_len > 0)
        memcpy(out, e->body, e->body_len);
    return out + e->body_len;
}

/* Reads the entry at in, which this process packed. The body points into it. */
static inline void entry_unpack(const uint8_t *in, uint64_t base_ms, struct entry *ret_entry)
{
    const uint8_t *p = in;
    uint64_t value;

    ret_entry->flags = *p++;
    p = varint_get(p, &value);
    ret_entry->body_len = (uint32_t)value;
    p = varint_get(p, &value);
    ret_entry->id.ms = base_ms + value;
    p = varint_get(p, &ret_entry->id.seq);
    p = varint_get(p, &value);
    ret_entry->category_slot = (uint32_t)value;
    ret_entry->expire_ms = 0;
    if ((ret_entry->flags & ENTRY_EXPIRES) != 0) {
        ret_entry->expire_ms = time48_get(p);
        p += TIME48_LEN;
    }
    ret_entry->body = p;
    ret_entry->size = (uint32_t)(p - in) + ret_entry->body_len;
}

static inline unsigned entry_level(const struct entry *e)
{
    return e->flags & ENTRY_LEVEL_MASK;
}

/* Expired entries are invisible; now_ms 0 sees everything. */
static inline bool entry_is_expired(const struct entry *e, uint64_t now_ms)
{
    return e->expire_ms != 0 && e->expire_ms <= now_ms;
}

/* A notification that is neither read nor archived: unread, unless its category is muted. */
static inline bool entry_is_unread(const struct entry *e)
{
    return (e->flags & (ENTRY_IS_EVENT | ENTRY_IS_READ | ENTRY_IS_ARCHIVED)) == 0;
}

/* What NOTIFY.COUNT counts: a notification that is not archived, read or not. */
static inline bool entry_is_countable(const struct entry *e)
{
    return (e->flags & (ENTRY_IS_EVENT | ENTRY_IS_ARCHIVED)) == 0;
}

static inline bool entry_is_unseen(const struct entry *e)
{
    return (e->flags & (ENTRY_IS_EVENT | ENTRY_IS_SEEN | ENTRY_IS_ARCHIVED)) == 0;
}

#endif
