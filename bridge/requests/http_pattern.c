#include "requests/http_pattern.h"

/* Takes the part up to the next slash, which goes with it. False: there is none left. */
static bool next_part(struct notify_str *rest, struct notify_str *ret)
{
    const char *slash;

    if (rest->ptr == NULL)
        return false;
    slash = rest->len == 0 ? NULL : memchr(rest->ptr, '/', rest->len);
    if (slash == NULL) {
        *ret = *rest;
        *rest = (struct notify_str){NULL, 0};
        return true;
    }
    *ret = notify_str_of(rest->ptr, (size_t)(slash - rest->ptr));
    *rest = notify_str_of(slash + 1, rest->len - ret->len - 1);
    return true;
}

static bool is_name(struct notify_str part)
{
    return part.len > 2 && part.ptr[0] == '{';
}

bool http_pattern_fits(struct notify_str pattern, struct notify_str path, http_part_fn fn,
                       void *ctx)
{
    struct notify_str wanted, part;

    while (next_part(&pattern, &wanted)) {
        if (!next_part(&path, &part))
            return false;
        if (is_name(wanted) ? part.len == 0 : !notify_str_eq(wanted, part))
            return false;
        if (is_name(wanted) && fn != NULL)
            fn(ctx, notify_str_of(wanted.ptr + 1, wanted.len - 2), part);
    }
    return path.ptr == NULL;
}
