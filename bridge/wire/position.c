#include "wire/position.h"

#include <stdio.h>
#include <string.h>

static bool parse_epoch(struct notify_str text, uint32_t *ret)
{
    uint64_t epoch;

    if (!notify_id_take_number(&text, &epoch) || text.len > 0 || epoch > POSITION_EPOCH_MAX)
        return false;
    *ret = (uint32_t)epoch;
    return true;
}

bool position_parse(struct notify_str text, struct position *ret)
{
    const char *at = text.len == 0 ? NULL : memchr(text.ptr, '@', text.len);
    struct position position = {.epoch = 0};
    struct notify_str id = text, rest = {NULL, 0};

    if (at != NULL) {
        id.len = (size_t)(at - text.ptr);
        rest = notify_str_of(at + 1, text.len - id.len - 1);
        if (rest.len == 0 || rest.ptr[0] != '@' ||
            !parse_epoch(notify_str_of(rest.ptr + 1, rest.len - 1), &position.epoch))
            return false;
    }
    if (!notify_id_parse(id, 0, &position.id))
        return false;
    *ret = position;
    return true;
}

size_t position_format(char out[POSITION_TEXT_MAX + 1], const struct position *position)
{
    size_t len = notify_id_format(out, position->id);

    if (position->epoch != 0)
        len += (size_t)snprintf(out + len, POSITION_TEXT_MAX + 1 - len, "@@%u",
                                (unsigned)position->epoch);
    return len;
}
