#include "base/base64url.h"

#include "base/base64_digits.h"

ssize_t base64url_decode(uint8_t *out, struct notify_str text)
{
    return base64_digits_decode(out, text, "-_");
}

size_t base64url_encode(char *out, const void *bytes, size_t len)
{
    return base64_digits_encode(out, bytes, len,
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
}
