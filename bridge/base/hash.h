/* hash -- a keyed hash of bytes for hash tables whose keys come from peers: SipHash-1-3.
 *
 * J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF" (2012). Without the key nobody
 * can choose names that all fall into one bucket. */
#ifndef HASH_H
#define HASH_H

#include <stdint.h>

#include "notify_str.h"

struct hash_key {
    uint64_t k0, k1;
};

/* A key from the system's random source. */
struct hash_key hash_key_new(void);

uint64_t hash_bytes(const struct hash_key *key, struct notify_str bytes);

#endif
