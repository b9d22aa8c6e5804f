#include "requests/box_info.h"

#include "notify_str.h"
#include "redis/resp.h"

bool box_info_is_answer(const struct resp *reply)
{
    return reply->kind != RESP_ERROR || notify_str_eq(reply->str, NOTIFY_STR("ERR no such key"));
}

json_t *box_info_categories(const struct resp *reply, const char *field)
{
    const struct resp *categories = resp_member(reply, "categories");
    json_t *names = json_array();

    for (size_t i = 0; categories != NULL && i + 1 < categories->len; i += 2) {
        struct notify_str name = resp_str(categories->items[i]);
        if (resp_count(resp_member(categories->items[i + 1], field)) > 0)
            (void)json_array_append_new(names, json_stringn(name.ptr, name.len));
    }
    return names;
}
