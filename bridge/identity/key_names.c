#include "identity/key_names.h"

bool key_name_is_valid(struct notify_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] < ' ' || name.ptr[i] == 0x7f)
            return false;
    return name.len > 0 && name.len <= KEY_NAME_MAX;
}

struct notify_str key_of(const struct key_names *names, enum key_kind kind, struct notify_str name,
                         struct key_buffer *buffer)
{
    return key_pattern_fill(names->patterns[kind], name, buffer->bytes);
}

bool key_is(const struct key_names *names, enum key_kind kind, struct notify_str key,
            struct notify_str *ret_name)
{
    return key_pattern_fits(names->patterns[kind], key, ret_name);
}
