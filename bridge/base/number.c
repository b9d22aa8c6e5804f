#include "base/number.h"

#include <string.h>

int64_t number_count(int64_t value)
{
    return value < 0 ? 0 : value > NUMBER_COUNT_MAX ? NUMBER_COUNT_MAX : value;
}

struct notify_str number_text(char out[NUMBER_TEXT_MAX + 1], int64_t value)
{
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    char digits[NUMBER_TEXT_MAX + 1];
    char *at = digits + sizeof(digits);
    size_t len;

    do
        *--at = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (value < 0)
        *--at = '-';
    len = (size_t)(digits + sizeof(digits) - at);
    memcpy(out, at, len);
    out[len] = '\0';
    return notify_str_of(out, len);
}
