#include "identity/key_names.h"

#include "base/number.h"

struct affixes {
    struct notify_str before, after;
};

static struct affixes split(const char *pattern)
{
    const char *place = strstr(pattern, "%s");

    return (struct affixes){notify_str_of(pattern, (size_t)(place - pattern)),
                            notify_str_z(place + 2)};
}

bool key_name_is_valid(struct notify_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] < ' ' || name.ptr[i] == 0x7f)
            return false;
    return name.len > 0 && name.len <= KEY_NAME_MAX;
}

#define A_KEY "a key has at most " TEXT_OF(NOTIFY_KEY_MAX) " bytes"
#define A_SMALL_PATTERN "must leave room for a name of " TEXT_OF(KEY_NAME_MAX) ": " A_KEY

const char *key_pattern_check(const char *pattern)
{
    const char *place = strchr(pattern, '%');

    if (place == NULL || place[1] != 's' || strchr(place + 1, '%') != NULL)
        return "must hold %s exactly once, and no other %";
    if (strlen(pattern) - 2 > NOTIFY_KEY_MAX - KEY_NAME_MAX)
        return A_SMALL_PATTERN;
    return NULL;
}

bool key_patterns_meet(const char *a, const char *b)
{
    struct affixes x = split(a), y = split(b);
    size_t before = x.before.len < y.before.len ? x.before.len : y.before.len;
    size_t after = x.after.len < y.after.len ? x.after.len : y.after.len;

    return memcmp(x.before.ptr, y.before.ptr, before) == 0 &&
           memcmp(x.after.ptr + x.after.len - after, y.after.ptr + y.after.len - after, after) == 0;
}

struct notify_str key_of(const struct key_names *names, enum key_kind kind, struct notify_str name,
                         struct key_buffer *buffer)
{
    struct affixes a = split(names->patterns[kind]);
    size_t len = a.before.len + name.len + a.after.len;

    if (name.len == 0 || len > sizeof(buffer->bytes))
        return (struct notify_str){NULL, 0};
    memcpy(buffer->bytes, a.before.ptr, a.before.len);
    memcpy(buffer->bytes + a.before.len, name.ptr, name.len);
    memcpy(buffer->bytes + a.before.len + name.len, a.after.ptr, a.after.len);
    return notify_str_of(buffer->bytes, len);
}

bool key_is(const struct key_names *names, enum key_kind kind, struct notify_str key,
            struct notify_str *ret_name)
{
    struct affixes a = split(names->patterns[kind]);

    if (key.len <= a.before.len + a.after.len || memcmp(key.ptr, a.before.ptr, a.before.len) != 0 ||
        memcmp(key.ptr + key.len - a.after.len, a.after.ptr, a.after.len) != 0)
        return false;
    *ret_name = notify_str_of(key.ptr + a.before.len, key.len - a.before.len - a.after.len);
    return true;
}
