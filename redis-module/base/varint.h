/* varint -- unsigned numbers in 1 to 10 bytes, seven bits each, lowest first; bit 7 says that more
 * follow. Also fixed times of six bytes. Used inside boxes and payloads.
 *
 * Two ways to read: varint_get for bytes that this process wrote, varint_take for bytes from
 * outside. */
#ifndef VARINT_H
#define VARINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "notify_str.h"

#define VARINT_MAX 10 /* bytes */
#define TIME48_LEN 6  /* bytes of a time: 48 bits hold NOTIFY_ID_MAX_MS */

static inline size_t varint_len(uint64_t value)
{
    size_t n = 1;

    for (; value >= 0x80; value >>= 7)
        n++;
    return n;
}

/* Writes value; returns the byte behind it. */
static inline uint8_t *varint_put(uint8_t *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *out++ = (uint8_t)(value | 0x80);
    *out++ = (uint8_t)value;
    return out;
}

/* Reads one that is known to be whole; returns the byte behind it. */
static inline const uint8_t *varint_get(const uint8_t *in, uint64_t *ret_value)
{
    uint64_t value = *in & 0x7f;

    for (unsigned shift = 7; (*in++ & 0x80) != 0; shift += 7)
        value |= (uint64_t)(*in & 0x7f) << shift;
    *ret_value = value;
    return in;
}

/* Takes one off the front of *bytes; false when it is cut short, too long, or not the shortest
 * form. */
static inline bool varint_take(struct notify_str *bytes, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (size_t n = 0; n < bytes->len && n < VARINT_MAX; n++) {
        uint8_t byte = (uint8_t)bytes->ptr[n];
        if (n == VARINT_MAX - 1 && byte > 1)
            return false;
        value |= (uint64_t)(byte & 0x7f) << (7 * n);
        if ((byte & 0x80) != 0)
            continue;
        if (byte == 0 && n > 0)
            return false;
        *bytes = notify_str_of(bytes->ptr + n + 1, bytes->len - n - 1);
        *ret_value = value;
        return true;
    }
    return false;
}

/* Takes off a length and as many bytes, which stay where they are; false: there are fewer. */
static inline bool varint_take_sized(struct notify_str *bytes, struct notify_str *ret_text)
{
    uint64_t len;

    if (!varint_take(bytes, &len) || len > bytes->len)
        return false;
    *ret_text = notify_str_of(bytes->ptr, (size_t)len);
    *bytes = notify_str_of(bytes->ptr + len, bytes->len - (size_t)len);
    return true;
}

static inline void time48_put(uint8_t *out, uint64_t ms)
{
    for (unsigned i = 0; i < TIME48_LEN; i++)
        out[i] = (uint8_t)(ms >> (8 * i));
}

static inline uint64_t time48_get(const uint8_t *in)
{
    uint64_t ms = 0;

    for (unsigned i = 0; i < TIME48_LEN; i++)
        ms |= (uint64_t)in[i] << (8 * i);
    return ms;
}

#endif
