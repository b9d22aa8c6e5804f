#include "wire/filter.h"

#include "wire/event.h"
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

bool filter_passes(const struct filter *filter, const struct event *event)
{
    struct notify_str name = {NULL, 0};
    json_t *owner;
    bool passes;

    if (filter == NULL || event->kind == EVENT_STATE)
        return true;
    if (event->category.len == 0)
        return filter->passes(filter, name);
    passes = json_text_read(event->category, &name, &owner) && name.len > 0 &&
             filter->passes(filter, name);
    json_decref(owner);
    return passes;
}
