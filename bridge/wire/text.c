#include "wire/text.h"

#include <assert.h>
#include <stdlib.h>

void text_add(struct text *text, struct notify_str part)
{
    assert(text->len < TEXT_PARTS_MAX);
    text->parts[text->len++] = part;
}

void text_add_member(struct text *text, struct notify_str name, struct notify_str value)
{
    text->parts[text->len - 1].len--; /* the brace, which comes last now */
    text_add(text, name);
    text_add(text, value);
    text_add(text, NOTIFY_STR("}"));
}

bool text_of_json(struct text *ret, json_t *json)
{
    *ret = (struct text){.owned = json == NULL ? NULL : json_dumps(json, JSON_COMPACT)};
    json_decref(json);
    if (ret->owned == NULL)
        return false;
    text_add(ret, notify_str_z(ret->owned));
    return true;
}

void text_release(struct text *text)
{
    free(text->owned);
    *text = (struct text){.len = 0};
}
