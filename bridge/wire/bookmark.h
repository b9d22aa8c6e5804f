/* bookmark -- how far somebody has come in many keys at once, as one text: the id of a block in a
 * stream of events, which a browser gives back when it comes again. Pure.
 *
 * It names neither keys nor user, only hashes of them, which are the same in all bridges. Opaque to
 * clients; base64url (RFC 4648, 5) of
 *
 *     version   1 byte
 *     user      4 bytes: a hash of whose bookmark it is
 *     newest    varint: the milliseconds of the greatest id
 *     for each key, in the order of their hashes:
 *         key       6 bytes: a hash of its name
 *         distance  varint: newest - milliseconds of the id + 1; 0 for the id 0-0
 *         sequence  varint: the id's; unless distance is 0
 *         epoch     varint (wire/position.h)
 *
 * One text for each meaning: what is written otherwise is none. */
#ifndef BOOKMARK_H
#define BOOKMARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base64url.h"
#include "notify_str.h"
#include "wire/position.h"

#define BOOKMARK_KEYS_MAX 128
#define BOOKMARK_HEAD_MAX 15 /* bytes before the first key, */
#define BOOKMARK_KEY_MAX 30  /* and of each */
/* Characters for so many keys. */
#define BOOKMARK_TEXT_LEN(keys) BASE64URL_ENCODED_LEN(BOOKMARK_HEAD_MAX + (keys)*BOOKMARK_KEY_MAX)
#define BOOKMARK_TEXT_MAX BOOKMARK_TEXT_LEN(BOOKMARK_KEYS_MAX)

struct bookmark_key {
    uint64_t hash;
    struct position position;
};

struct bookmark {
    uint32_t user;
    size_t len;
    struct bookmark_key keys[BOOKMARK_KEYS_MAX]; /* by their hashes, each once */
};

uint64_t bookmark_hash_key(struct notify_str name);
uint32_t bookmark_hash_user(struct notify_str name);

/* Writes it, without a NUL; returns the length. len: at most BOOKMARK_KEYS_MAX keys, in the order
 * of their hashes, each once. */
size_t bookmark_format(char out[BOOKMARK_TEXT_MAX], uint32_t user, const struct bookmark_key *keys,
                       size_t len);

/* False, and *ret undefined, for anything else. */
bool bookmark_parse(struct notify_str text, struct bookmark *ret);

/* Puts one more key where it belongs. False: it is there already, or there is no room. */
bool bookmark_put(struct bookmark *bookmark, struct bookmark_key key);
/* NULL: nothing is said of it. */
const struct position *bookmark_find(const struct bookmark *bookmark, uint64_t hash);

#endif
