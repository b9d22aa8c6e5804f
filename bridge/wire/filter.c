#include "wire/filter.h"

#include "wire/event.h"
#include "wire/json_scan.h"
#include "wire/json_text.h"

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
    struct notify_str name;
    json_t *text;
    bool passes = json_text_read(raw, &name, &text) && name.len > 0 && filter->passes(filter, name);

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
