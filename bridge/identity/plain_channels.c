#include "identity/plain_channels.h"

#include "identity/pattern.h"

#define OURS "notify:" /* what we keep in Redis ourselves begins so */

/* In a pattern '*' alone stands for other characters: only then does one that fits another, read as
 * a name, stand for nothing that the other does not. */
static bool has_other_wildcards(struct notify_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '?' || name.ptr[i] == '[' || name.ptr[i] == ']' || name.ptr[i] == '\\')
            return true;
    return false;
}

/* Or would it be one, if its number were right (key_pattern.h)? Whoever sends may have computed it
 * wrongly: what is meant for one user must not be everybody's for that. */
static bool is_box(const struct plain_channels *channels, struct notify_str name)
{
    for (enum key_kind kind = 0; kind < KEY_KINDS; kind++)
        if (channels->keys->patterns[kind][0] != '\0' &&
            key_pattern_resembles(channels->keys->patterns[kind], name))
            return true;
    for (const char *const *log = channels->logs; *log != NULL; log++)
        if (notify_str_eq(name, notify_str_z(*log)))
            return true;
    return name.len >= strlen(OURS) && memcmp(name.ptr, OURS, strlen(OURS)) == 0;
}

bool plain_channel_is_pattern(struct notify_str name)
{
    return pattern_has_star(name);
}

bool plain_channels_have(const struct plain_channels *channels, struct notify_str name)
{
    static const struct notify_str nobody = {NULL, 0};
    bool is_pattern = plain_channel_is_pattern(name);

    if (channels == NULL || channels->patterns[0] == NULL || name.len == 0 ||
        name.len > NOTIFY_KEY_MAX ||
        (is_pattern ? has_other_wildcards(name) : is_box(channels, name)))
        return false;
    for (const char *const *pattern = channels->patterns; *pattern != NULL; pattern++)
        if (pattern_fits(notify_str_z(*pattern), nobody, name))
            return true;
    return false;
}

const char *plain_channel_check(const char *pattern)
{
    if (pattern[0] == '\0')
        return NULL; /* empties the list */
    if (strlen(pattern) > NOTIFY_KEY_MAX)
        return "a channel has at most 512 bytes";
    return has_other_wildcards(notify_str_z(pattern)) || strchr(pattern, '{') != NULL
               ? "must be names of channels, with * for anything, and none of ? [ ] { \\"
               : NULL;
}
