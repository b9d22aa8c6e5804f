/* base64_digits -- runs of bytes as digits of six bits, and back: what both alphabets of RFC 4648
 * have in common. Without padding. Strict: one text for each run of bytes. For base64.c and
 * base64url.c. */
#ifndef BASE64_DIGITS_H
#define BASE64_DIGITS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "notify_str.h"

/* last: the digits 62 and 63, which differ. -1: it is none. */
static inline int base64_digit_value(char c, const char last[2])
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == last[0] ? 62 : c == last[1] ? 63 : -1;
}

/* How many bytes were written; -1: other characters, an impossible length, or bits left over that
 * are not zero. */
static inline ssize_t base64_digits_decode(uint8_t *out, struct notify_str text, const char last[2])
{
    uint32_t bits = 0;
    unsigned count = 0; /* of bits that are held */
    ssize_t len = 0;

    if (text.len % 4 == 1)
        return -1;
    for (size_t i = 0; i < text.len; i++) {
        int value = base64_digit_value(text.ptr[i], last);
        if (value < 0)
            return -1;
        bits = bits << 6 | (unsigned)value;
        count += 6;
        if (count < 8)
            continue;
        count -= 8;
        out[len++] = (uint8_t)(bits >> count);
    }
    return (bits & ((1U << count) - 1)) == 0 ? len : -1;
}

/* alphabet: all 64. Returns the number of digits. */
static inline size_t base64_digits_encode(char *out, const void *bytes, size_t len,
                                          const char *alphabet)
{
    const uint8_t *in = bytes;
    uint32_t bits = 0;
    unsigned count = 0;
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | in[i];
        for (count += 8; count >= 6; count -= 6)
            out[n++] = alphabet[bits >> (count - 6) & 63];
    }
    if (count > 0)
        out[n++] = alphabet[bits << (6 - count) & 63];
    return n;
}

#endif
