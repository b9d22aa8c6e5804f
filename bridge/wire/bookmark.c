#include "wire/bookmark.h"

#include <string.h>

#include "base/hash.h"

#define VERSION 1
#define USER_BYTES 4
#define HASH_BYTES 6
#define VARINT_MAX 10

/* Two texts in one space of hashes: a user called as a key has another hash. */
static const struct hash_key of_keys = {UINT64_C(0x6e6f746966792d6b), UINT64_C(0x65792d6861736831)};
static const struct hash_key of_users = {UINT64_C(0x6e6f746966792d75),
                                         UINT64_C(0x7365722d68617368)};

uint64_t bookmark_hash_key(struct notify_str name)
{
    return hash_bytes(&of_keys, name) >> (64 - 8 * HASH_BYTES);
}

uint32_t bookmark_hash_user(struct notify_str name)
{
    return (uint32_t)(hash_bytes(&of_users, name) >> 32);
}

/* Writing. */

struct writer {
    uint8_t bytes[BOOKMARK_HEAD_MAX + BOOKMARK_KEYS_MAX * BOOKMARK_KEY_MAX];
    size_t len;
};

/* Most significant first. */
static void put_bytes(struct writer *w, uint64_t value, size_t count)
{
    while (count-- > 0)
        w->bytes[w->len++] = (uint8_t)(value >> (8 * count));
}

static void put_varint(struct writer *w, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        w->bytes[w->len++] = (uint8_t)(value | 0x80);
    w->bytes[w->len++] = (uint8_t)value;
}

static void put_key(struct writer *w, const struct bookmark_key *key, uint64_t newest)
{
    const struct position *position = &key->position;

    put_bytes(w, key->hash, HASH_BYTES);
    if (notify_id_is_zero(position->id)) {
        put_varint(w, 0);
    } else {
        put_varint(w, newest - position->id.ms + 1);
        put_varint(w, position->id.seq);
    }
    put_varint(w, position->epoch);
}

static uint64_t newest_of(const struct bookmark_key *keys, size_t len)
{
    uint64_t newest = 0;

    for (size_t i = 0; i < len; i++)
        if (keys[i].position.id.ms > newest)
            newest = keys[i].position.id.ms;
    return newest;
}

size_t bookmark_format(char out[BOOKMARK_TEXT_MAX], uint32_t user, const struct bookmark_key *keys,
                       size_t len)
{
    uint64_t newest = newest_of(keys, len);
    struct writer w = {.len = 0};

    put_bytes(&w, VERSION, 1);
    put_bytes(&w, user, USER_BYTES);
    put_varint(&w, newest);
    for (size_t i = 0; i < len; i++)
        put_key(&w, &keys[i], newest);
    return base64url_encode(out, w.bytes, w.len);
}

/* Reading. */

struct reader {
    const uint8_t *at, *end;
};

static bool take_bytes(struct reader *r, size_t count, uint64_t *ret)
{
    if ((size_t)(r->end - r->at) < count)
        return false;
    for (*ret = 0; count > 0; count--)
        *ret = *ret << 8 | *r->at++;
    return true;
}

/* The shortest form only. */
static bool take_varint(struct reader *r, uint64_t *ret)
{
    *ret = 0;
    for (unsigned shift = 0; r->at < r->end && shift < 7 * VARINT_MAX; shift += 7) {
        uint8_t byte = *r->at++;
        if (shift == 63 && byte > 1)
            return false;
        *ret |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return byte > 0 || shift == 0;
    }
    return false;
}

static bool take_id(struct reader *r, uint64_t newest, struct notify_id *ret)
{
    uint64_t distance;

    *ret = (struct notify_id){0, 0};
    if (!take_varint(r, &distance))
        return false;
    if (distance == 0)
        return true;
    if (distance - 1 > newest || !take_varint(r, &ret->seq))
        return false;
    ret->ms = newest - (distance - 1);
    return !notify_id_is_zero(*ret);
}

static bool take_key(struct reader *r, uint64_t newest, struct bookmark_key *ret)
{
    uint64_t epoch;

    if (!take_bytes(r, HASH_BYTES, &ret->hash) || !take_id(r, newest, &ret->position.id) ||
        !take_varint(r, &epoch) || epoch > POSITION_EPOCH_MAX)
        return false;
    ret->position.epoch = (uint32_t)epoch;
    return true;
}

static bool take_keys(struct reader *r, uint64_t newest, struct bookmark *ret)
{
    for (ret->len = 0; r->at < r->end; ret->len++)
        if (ret->len == BOOKMARK_KEYS_MAX || !take_key(r, newest, &ret->keys[ret->len]) ||
            (ret->len > 0 && ret->keys[ret->len - 1].hash >= ret->keys[ret->len].hash))
            return false;
    return newest_of(ret->keys, ret->len) == newest;
}

bool bookmark_parse(struct notify_str text, struct bookmark *ret)
{
    uint8_t bytes[BASE64URL_DECODED_MAX(BOOKMARK_TEXT_MAX)];
    uint64_t version, user, newest;
    struct reader r = {bytes, bytes};
    ssize_t len;

    if (text.len == 0 || text.len > BOOKMARK_TEXT_MAX)
        return false;
    len = base64url_decode(bytes, text);
    if (len < 0)
        return false;
    r.end += len;
    if (!take_bytes(&r, 1, &version) || version != VERSION || !take_bytes(&r, USER_BYTES, &user) ||
        !take_varint(&r, &newest) || newest > NOTIFY_ID_MAX_MS)
        return false;
    ret->user = (uint32_t)user;
    return take_keys(&r, newest, ret);
}

/* Looking up. */

/* Where a key with this hash stands, or would stand. */
static size_t place_of(const struct bookmark *bookmark, uint64_t hash)
{
    size_t low = 0, high = bookmark->len;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (bookmark->keys[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool bookmark_put(struct bookmark *bookmark, struct bookmark_key key)
{
    size_t at = place_of(bookmark, key.hash);

    if (bookmark->len == BOOKMARK_KEYS_MAX ||
        (at < bookmark->len && bookmark->keys[at].hash == key.hash))
        return false;
    memmove(&bookmark->keys[at + 1], &bookmark->keys[at],
            (bookmark->len - at) * sizeof(struct bookmark_key));
    bookmark->keys[at] = key;
    bookmark->len++;
    return true;
}

const struct position *bookmark_find(const struct bookmark *bookmark, uint64_t hash)
{
    size_t at = place_of(bookmark, hash);

    return at < bookmark->len && bookmark->keys[at].hash == hash ? &bookmark->keys[at].position
                                                                 : NULL;
}
