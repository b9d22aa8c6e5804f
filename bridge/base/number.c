#include "base/number.h"

#include <inttypes.h>
#include <stdio.h>

struct notify_str number_text(char out[NUMBER_TEXT_MAX + 1], int64_t value)
{
    return notify_str_of(out, (size_t)snprintf(out, NUMBER_TEXT_MAX + 1, "%" PRId64, value));
}
