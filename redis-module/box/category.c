/* category -- see category.h. */
#include "box/category.h"

#include "base/limits.h"
#include "base/utf8.h"

bool category_is_valid(struct notify_str name)
{
    unsigned char all = 0;

    if (name.len == 0 || name.len > CATEGORY_BOUND || limits_forbid(name.len, LIMIT_CATEGORY))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        if (c < 0x20 || c == 0x7f)
            return false;
        all |= c;
    }
    return all < 0x80 || utf8_is_valid(name);
}
