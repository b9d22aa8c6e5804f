#include "base/random_uuid.h"

#include <stdio.h>

#include <event2/util.h>

void random_uuid(char out[RANDOM_UUID_LEN + 1])
{
    unsigned char bytes[16];
    char *at = out;

    evutil_secure_rng_get_bytes(bytes, sizeof(bytes));
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40); /* version */
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80); /* variant */
    for (int i = 0; i < 16; i++)
        at += sprintf(at, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", bytes[i]);
}
