#include "base/base64.h"

#include "base/base64_digits.h"

ssize_t base64_decode(uint8_t *out, struct notify_str text)
{
    if (text.len % 4 != 0)
        return -1;
    /* One pad or two; a third one is a digit that there is not. */
    for (int i = 0; i < 2 && text.len > 0 && text.ptr[text.len - 1] == '='; i++)
        text.len--;
    return base64_digits_decode(out, text, "+/");
}

size_t base64_encode(char *out, const void *bytes, size_t len)
{
    size_t n = base64_digits_encode(
        out, bytes, len, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");

    while (n % 4 != 0)
        out[n++] = '=';
    return n;
}
