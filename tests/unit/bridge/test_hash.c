/* SipHash-1-3. The expected values are those of another implementation (CPython's hash of bytes
 * uses it, with a key that PYTHONHASHSEED determines): seed 0 and seed 1, messages 00 01 02 … of
 * growing length. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/hash.h"

struct vector {
    size_t len;
    uint64_t hash;
};

static const struct hash_key seed_0 = {0, 0};
static const struct vector vectors_0[] = {
    {0, 0xd1fba762150c532c},  {1, 0x68a914128e01e473},  {7, 0x2f098ab0c751325a},
    {8, 0xead411e67ebe2eea},  {9, 0x75927f9d95124362},  {15, 0xf30eb725bb91c9ea},
    {16, 0x8972188433a5c5b7}, {63, 0x385d3e39e5f37359},
};

static const struct hash_key seed_1 = {0xaed66ce184be2329, 0xebe9bbf1f1499052};
static const struct vector vectors_1[] = {
    {0, 0x96a9733ef308a1d7},  {1, 0xecd3e5afcecda4b9},  {7, 0xfd15e78052a69ddf},
    {8, 0xc0b5739e7e28dd01},  {9, 0x208a1a5a0cbbf778},  {15, 0xfa87985f39e97a53},
    {16, 0x12e9d283f9f37002}, {63, 0x542052345bc68274},
};

static void check(const struct hash_key *key, const struct vector *vectors, size_t count)
{
    char bytes[65];

    for (size_t offset = 0; offset < 2; offset++) { /* aligned or not */
        for (size_t i = 0; i < 64; i++)
            bytes[offset + i] = (char)i;
        for (size_t i = 0; i < count; i++)
            cr_assert_eq(hash_bytes(key, notify_str_of(bytes + offset, vectors[i].len)),
                         vectors[i].hash);
    }
}

Test(hash, is_siphash_1_3)
{
    check(&seed_0, vectors_0, sizeof(vectors_0) / sizeof(vectors_0[0]));
    check(&seed_1, vectors_1, sizeof(vectors_1) / sizeof(vectors_1[0]));
}

Test(hash, the_empty_string_may_be_null)
{
    cr_assert_eq(hash_bytes(&seed_0, (struct notify_str){NULL, 0}), vectors_0[0].hash);
}

Test(hash, keys_are_random)
{
    struct hash_key a = hash_key_new(), b = hash_key_new();

    cr_assert(a.k0 != b.k0 && a.k1 != b.k1 && a.k0 != a.k1);
}
