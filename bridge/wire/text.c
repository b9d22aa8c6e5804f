#include "wire/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* {"type":"pong",…: none of those has an escape. */
static struct notify_str type_of(struct notify_str json)
{
    const struct notify_str begin = NOTIFY_STR("{\"type\":\"");
    const char *end;

    if (json.len <= begin.len || memcmp(json.ptr, begin.ptr, begin.len) != 0)
        return (struct notify_str){NULL, 0};
    end = memchr(json.ptr + begin.len, '"', json.len - begin.len);
    json = notify_str_of(json.ptr + begin.len - 1, json.len - begin.len + 1);
    return end == NULL ? (struct notify_str){NULL, 0}
                       : notify_str_of(json.ptr, (size_t)(end + 1 - json.ptr));
}

void text_add(struct text *text, struct notify_str part)
{
    assert(text->len < TEXT_PARTS_MAX);
    if (text->len == 0 && text->type.len == 0)
        text->type = type_of(part);
    text->parts[text->len++] = part;
}

void text_add_member(struct text *text, struct notify_str name, struct notify_str value)
{
    text->parts[text->len - 1].len--; /* the brace, which comes last now */
    text_add(text, name);
    text_add(text, value);
    text_add(text, NOTIFY_STR("}"));
}

struct text text_of(struct notify_str json)
{
    struct text text = {.len = 0};

    text_add(&text, json);
    return text;
}

bool text_of_json(struct text *ret, json_t *json)
{
    char *printed = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);

    json_decref(json);
    *ret = (struct text){.len = 0};
    if (printed == NULL)
        return false;
    *ret = text_of(notify_str_z(printed));
    ret->owned = printed;
    return true;
}

void text_release(struct text *text)
{
    free(text->owned);
    *text = (struct text){.len = 0};
}
