#include "requests/resp_json.h"

#include "redis/resp.h"

json_t *resp_json(const struct resp *reply)
{
    json_t *value = NULL;

    if (reply->kind == RESP_INTEGER)
        return json_integer((json_int_t)reply->integer);
    if (reply->kind == RESP_STRING)
        return json_stringn(reply->str.ptr, reply->str.len);
    if (reply->kind != RESP_MAP && reply->kind != RESP_ARRAY)
        return json_null();
    value = json_object();
    for (size_t i = 0; i + 1 < reply->len; i += 2) {
        struct notify_str name = resp_str(reply->items[i]);
        (void)json_object_setn_new(value, name.ptr == NULL ? "" : name.ptr, name.len,
                                   resp_json(reply->items[i + 1]));
    }
    return value;
}
