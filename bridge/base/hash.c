#include "base/hash.h"

#include <endian.h>
#include <string.h>

#include <event2/util.h>

struct hash_key hash_key_new(void)
{
    struct hash_key key;

    evutil_secure_rng_get_bytes(&key, sizeof(key));
    return key;
}

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

/* Up to eight bytes as a little-endian number. */
static uint64_t word_at(const char *ptr, size_t len)
{
    uint64_t word = 0;

    if (len == sizeof(word)) {
        memcpy(&word, ptr, sizeof(word));
        return le64toh(word);
    }
    for (size_t i = 0; i < len; i++)
        word |= (uint64_t)(unsigned char)ptr[i] << (8 * i);
    return word;
}

uint64_t hash_bytes(const struct hash_key *key, struct notify_str bytes)
{
    uint64_t v[4] = {key->k0 ^ 0x736f6d6570736575, key->k1 ^ 0x646f72616e646f6d,
                     key->k0 ^ 0x6c7967656e657261, key->k1 ^ 0x7465646279746573};
    uint64_t word;
    size_t at = 0;

    if (bytes.ptr == NULL) /* to which not even 0 may be added */
        bytes.ptr = "";
    for (; bytes.len - at >= 8; at += 8) {
        word = word_at(bytes.ptr + at, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = word_at(bytes.ptr + at, bytes.len - at) | (uint64_t)bytes.len << 56;
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
