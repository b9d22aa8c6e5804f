/* entry_uuid -- the id of an entry as a UUID, and back, by arithmetic alone: for programs that take
 * nothing else for an id (docs/rest.md, "Ids").
 *
 *     48 bits ms · 4 bits version (4) · 12 bits tag · 2 bits variant (10) · 62 bits seq
 *
 * They sort by time. The tag says which box the entry is of: 0 is the user's own inbox, else it is
 * made of the key of a log that the user follows. Two keys may have the same tag: whoever resolves
 * one looks it up among the logs of that user. */
#ifndef ENTRY_UUID_H
#define ENTRY_UUID_H

#include <stdbool.h>
#include <stdint.h>

#include "notify_id.h"
#include "notify_str.h"

#define ENTRY_UUID_LEN 36
#define ENTRY_UUID_TAG_MAX 4095
#define ENTRY_UUID_SEQ_MAX ((UINT64_C(1) << 62) - 1)

struct entry_uuid {
    struct notify_id id;
    uint16_t tag; /* 0: of the own inbox */
};

/* 1 to ENTRY_UUID_TAG_MAX, always the same for a key. */
uint16_t entry_uuid_tag(struct notify_str key);

/* Writes the UUID, in lower case, and a NUL. False: seq is beyond ENTRY_UUID_SEQ_MAX, which only
 * ids that were given by hand are, and there is none. */
bool entry_uuid_format(char out[ENTRY_UUID_LEN + 1], const struct entry_uuid *uuid);

enum entry_uuid_kind {
    ENTRY_UUID_NONE,    /* the text is no UUID */
    ENTRY_UUID_FOREIGN, /* it is one, but none of an entry */
    ENTRY_UUID_ENTRY,   /* *ret is set */
};
enum entry_uuid_kind entry_uuid_parse(struct notify_str text, struct entry_uuid *ret);

#endif
