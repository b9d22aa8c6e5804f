#include "base/base64url.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

ssize_t base64url_decode(uint8_t *out, struct notify_str text)
{
    uint32_t bits = 0;
    unsigned count = 0; /* of bits that are held */
    ssize_t len = 0;

    if (text.len % 4 == 1)
        return -1;
    for (size_t i = 0; i < text.len; i++) {
        int value = value_of(text.ptr[i]);
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

size_t base64url_encode(char *out, const void *bytes, size_t len)
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
