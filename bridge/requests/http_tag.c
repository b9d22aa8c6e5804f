#include "requests/http_tag.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "wire/http_head.h"

struct http_tag http_tag_of(struct notify_str bytes)
{
    static const struct hash_key everywhere = {0, 0};
    struct http_tag tag;

    (void)snprintf(tag.text, sizeof(tag.text), "W/\"%016" PRIx64 "\"",
                   hash_bytes(&everywhere, bytes));
    return tag;
}

/* Without "W/", which makes no difference here (RFC 9110, 8.8.3.2). */
static struct notify_str opaque(struct notify_str tag)
{
    return tag.len > 2 && memcmp(tag.ptr, "W/", 2) == 0 ? notify_str_of(tag.ptr + 2, tag.len - 2)
                                                        : tag;
}

bool http_tag_matches(const struct http_tag *tag, const struct http_head *head)
{
    struct http_list_at at = {0};
    struct notify_str one;

    while (http_list_next(head, "If-None-Match", &at, &one))
        if (notify_str_eq(one, NOTIFY_STR("*")) ||
            notify_str_eq(opaque(one), opaque(notify_str_z(tag->text))))
            return true;
    return false;
}
