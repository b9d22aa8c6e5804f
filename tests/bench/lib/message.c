/* message -- a look at a message's first members; see message.h. */
#include "message.h"

bool message_member(struct notify_str text, struct notify_str name, struct notify_str *ret_value)
{
    const char *at = memmem(text.ptr, text.len, name.ptr, name.len);

    if (at == NULL)
        return false;
    const char *value = at + name.len;
    const char *end = memchr(value, '"', text.len - (size_t)(value - text.ptr));
    if (end == NULL)
        return false;
    *ret_value = notify_str_of(value, (size_t)(end - value));
    return true;
}

bool message_entry_id(struct notify_str text, struct notify_str key, struct notify_str *ret_id)
{
    struct notify_str found;

    if (!message_member(text, NOTIFY_STR("\"key\":\""), &found) || !notify_str_eq(found, key))
        return false;
    /* Only the id that follows the key at once is the entry's: data has an "id" as well. */
    const char *after = found.ptr + found.len;
    struct notify_str rest = notify_str_of(after, text.len - (size_t)(after - text.ptr));
    struct notify_str name = NOTIFY_STR("\",\"id\":\"");
    return rest.len > name.len && memcmp(rest.ptr, name.ptr, name.len) == 0 &&
           message_member(rest, name, ret_id);
}

bool message_has_type(struct notify_str text, struct notify_str type)
{
    static const char start[] = "{\"type\":\"";
    size_t len = sizeof(start) - 1;

    return text.len > len + type.len && memcmp(text.ptr, start, len) == 0 &&
           memcmp(text.ptr + len, type.ptr, type.len) == 0 && text.ptr[len + type.len] == '"';
}
