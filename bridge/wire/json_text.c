#include "wire/json_text.h"

#include <string.h>

bool json_text_read(struct notify_str raw, struct notify_str *ret, json_t **ret_json)
{
    *ret_json = NULL;
    if (raw.len < 2 || raw.ptr[0] != '"')
        return false;
    if (memchr(raw.ptr, '\\', raw.len) == NULL) {
        *ret = notify_str_of(raw.ptr + 1, raw.len - 2);
        return true;
    }
    *ret_json = json_loadb(raw.ptr, raw.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    *ret = json_text_of(*ret_json);
    return *ret_json != NULL;
}

struct notify_str json_text_of(const json_t *string)
{
    return notify_str_of(json_string_value(string), json_string_length(string));
}
