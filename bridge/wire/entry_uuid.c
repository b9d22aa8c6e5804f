#include "wire/entry_uuid.h"

#include <stdio.h>
#include <string.h>

#define VERSION UINT64_C(4)
#define VARIANT UINT64_C(2) /* the first two bits of the lower half: 10 */

/* FNV-1a (Fowler, Noll, Vo), folded to 12 bits of which 0 is left out. */
uint16_t entry_uuid_tag(struct notify_str key)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < key.len; i++) {
        hash ^= (unsigned char)key.ptr[i];
        hash *= UINT64_C(0x100000001b3);
    }
    return (uint16_t)(hash % ENTRY_UUID_TAG_MAX + 1);
}

bool entry_uuid_format(char out[ENTRY_UUID_LEN + 1], const struct entry_uuid *uuid)
{
    uint64_t high = uuid->id.ms << 16 | VERSION << 12 | uuid->tag;
    uint64_t low = VARIANT << 62 | uuid->id.seq;

    if (uuid->id.seq > ENTRY_UUID_SEQ_MAX || uuid->id.ms > NOTIFY_ID_MAX_MS)
        return false;
    (void)snprintf(out, ENTRY_UUID_LEN + 1,
                   "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%012" PRIx64,
                   high >> 32, high >> 16 & 0xffff, high & 0xffff, low >> 48,
                   low & UINT64_C(0xffffffffffff));
    return true;
}

static bool read_digit(char c, uint64_t *value)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);

    if (at == NULL)
        return false;
    *value = *value << 4 | (uint64_t)(at - digits);
    return true;
}

/* The 128 bits. */
static bool read_halves(struct notify_str text, uint64_t halves[2])
{
    unsigned count = 0;

    if (text.len != ENTRY_UUID_LEN)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash ? text.ptr[i] != '-' : !read_digit(text.ptr[i], &halves[count / 16]))
            return false;
        count += !is_dash;
    }
    return true;
}

enum entry_uuid_kind entry_uuid_parse(struct notify_str text, struct entry_uuid *ret)
{
    uint64_t halves[2] = {0, 0};
    struct entry_uuid uuid;

    if (!read_halves(text, halves))
        return ENTRY_UUID_NONE;
    uuid.id = (struct notify_id){halves[0] >> 16, halves[1] & ENTRY_UUID_SEQ_MAX};
    uuid.tag = (uint16_t)(halves[0] & ENTRY_UUID_TAG_MAX);
    if ((halves[0] >> 12 & 15) != VERSION || halves[1] >> 62 != VARIANT ||
        uuid.id.ms > NOTIFY_ID_MAX_MS)
        return ENTRY_UUID_FOREIGN;
    *ret = uuid;
    return ENTRY_UUID_ENTRY;
}
