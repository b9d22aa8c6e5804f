#include "base/random_hex.h"

#include <assert.h>
#include <stdio.h>

#include <event2/util.h>

void random_hex(char *out, size_t bytes)
{
    unsigned char random[RANDOM_HEX_BYTES_MAX];

    assert(bytes <= sizeof(random));
    evutil_secure_rng_get_bytes(random, bytes);
    for (size_t i = 0; i < bytes; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", random[i]);
}
