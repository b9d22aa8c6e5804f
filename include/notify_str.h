/* notify_str -- a borrowed run of bytes: pointer and length, never NUL-terminated by contract.
 *
 * Used from the wire inward in both programs. It owns nothing: the bytes live as long as whoever
 * handed them out says. {NULL, 0} is the empty string and means "absent" where a field may be. */
#ifndef NOTIFY_STR_H
#define NOTIFY_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct notify_str {
    const char *ptr;
    size_t len;
};

/* A string literal as notify_str; the length is known at compile time. */
#define NOTIFY_STR(literal) ((struct notify_str){(literal), sizeof(literal) - 1})

/* The same where a table is initialised. */
#define NOTIFY_STR_INIT(literal)                                                                   \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

static inline struct notify_str notify_str_of(const char *ptr, size_t len)
{
    return (struct notify_str){ptr, len};
}

static inline struct notify_str notify_str_z(const char *z)
{
    return (struct notify_str){z, z == NULL ? 0 : strlen(z)};
}

static inline bool notify_str_eq(struct notify_str a, struct notify_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* In the order of bytes, a beginning before what it begins: less than 0, 0 or more than 0. */
static inline int notify_str_cmp(struct notify_str a, struct notify_str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len == 0 ? 0 : memcmp(a.ptr, b.ptr, len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* Copies text to *end, which moves on behind it, and returns the copy; what is absent stays so. The
 * caller has made room. */
static inline struct notify_str notify_str_keep(char **end, struct notify_str text)
{
    struct notify_str kept = {text.ptr == NULL ? NULL : *end, text.len};

    if (text.len > 0)
        memcpy(*end, text.ptr, text.len);
    *end += text.len;
    return kept;
}

#endif
