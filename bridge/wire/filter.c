#include "wire/filter.h"

#include <jansson.h>

#include "wire/event.h"
#include "wire/json_scan.h"

struct filter *filter_ref(struct filter *filter)
{
    if (filter != NULL)
        filter->refs++;
    return filter;
}

struct filter *filter_unref(struct filter *filter)
{
    if (filter != NULL && --filter->refs == 0)
        filter->release(filter);
    return NULL;
}

/* Names with characters that JSON escapes are rare. */
static bool passes_decoded(const struct filter *filter, struct notify_str raw)
{
    json_t *text = json_loadb(raw.ptr, raw.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    struct notify_str name = notify_str_of(json_string_value(text), json_string_length(text));
    bool passes = name.len > 0 && filter->passes(filter, name);

    json_decref(text);
    return passes;
}

bool filter_passes(const struct filter *filter, const struct event *event)
{
    struct notify_str name = json_plain_string(event->category);

    if (filter == NULL || event->kind == EVENT_STATE)
        return true;
    if (name.len > 0 || event->category.len == 0)
        return filter->passes(filter, name);
    return passes_decoded(filter, event->category);
}
