#include "wire/json_copy.h"

#include <string.h>

static void add(struct json_copy *copy, struct notify_str text)
{
    memcpy(copy->text + copy->len, text.ptr, text.len);
    copy->len += text.len;
}

void json_copy_add(struct json_copy *copy, struct notify_str name, struct notify_str value)
{
    add(copy, copy->len == 0 ? NOTIFY_STR("{\"") : NOTIFY_STR(",\""));
    if (name.len > 0)
        add(copy, name);
    add(copy, NOTIFY_STR("\":"));
    add(copy, value);
}

struct notify_str json_copy_end(struct json_copy *copy)
{
    add(copy, copy->len == 0 ? NOTIFY_STR("{}") : NOTIFY_STR("}"));
    return notify_str_of(copy->text, copy->len);
}
