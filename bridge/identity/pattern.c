#include "identity/pattern.h"

#include <string.h>

static const struct notify_str user_mark = NOTIFY_STR_INIT("{user}");

static bool begins_with(struct notify_str text, struct notify_str prefix)
{
    return text.len >= prefix.len && memcmp(text.ptr, prefix.ptr, prefix.len) == 0;
}

static struct notify_str behind(struct notify_str text, size_t n)
{
    return notify_str_of(text.ptr + n, text.len - n);
}

bool pattern_has_star(struct notify_str text)
{
    return text.len > 0 && memchr(text.ptr, '*', text.len) != NULL;
}

bool pattern_names_user(struct notify_str pattern)
{
    while (pattern.len > 0 && !begins_with(pattern, user_mark))
        pattern = behind(pattern, 1);
    return pattern.len > 0;
}

/* The literal text at the begin of pattern, and how long it is there: {user} is one piece. */
static struct notify_str next_piece(struct notify_str pattern, struct notify_str user,
                                    size_t *ret_used)
{
    if (begins_with(pattern, user_mark)) {
        *ret_used = user_mark.len;
        return user;
    }
    *ret_used = 1;
    return notify_str_of(pattern.ptr, 1);
}

/* The usual walk: at a mismatch the last '*' takes one byte more. Names are short, and so are
 * patterns: no need to be cleverer than their product. */
bool pattern_fits(struct notify_str pattern, struct notify_str user, struct notify_str name)
{
    struct notify_str star = {NULL, 0}, retry = {NULL, 0};

    while (name.len > 0 || pattern.len > 0) {
        size_t used;
        struct notify_str piece;

        if (pattern.len > 0 && pattern.ptr[0] == '*') {
            pattern = star = behind(pattern, 1);
            retry = name;
            continue;
        }
        if (pattern.len > 0) {
            piece = next_piece(pattern, user, &used);
            if (piece.len == 0 || begins_with(name, piece)) {
                name = piece.len == 0 ? name : behind(name, piece.len);
                pattern = behind(pattern, used);
                continue;
            }
        }
        if (star.ptr == NULL || retry.len == 0)
            return false;
        name = retry = behind(retry, 1);
        pattern = star;
    }
    return true;
}

bool pattern_name(struct notify_str pattern, struct notify_str user, char *out, size_t cap,
                  struct notify_str *ret)
{
    size_t len = 0;

    while (pattern.len > 0) {
        size_t used;
        struct notify_str piece = next_piece(pattern, user, &used);

        if (pattern.ptr[0] == '*' || len + piece.len > cap)
            return false;
        memcpy(out + len, piece.ptr, piece.len);
        len += piece.len;
        pattern = behind(pattern, used);
    }
    *ret = notify_str_of(out, len);
    return true;
}
