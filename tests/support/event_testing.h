/* event_testing -- messages of a box "k", for tests of what carries events. */
#ifndef EVENT_TESTING_H
#define EVENT_TESTING_H

#include <stdio.h>

#include "wire/event.h"

/* The entry <ms>-0, titled "t<ms>". One reference. */
static inline struct event *entry_new(uint64_t ms)
{
    char text[200];
    int len = snprintf(text, sizeof(text),
                       "{\"type\":\"notification\",\"key\":\"k\",\"id\":\"%d-0\",\"prev\":\"0-0\","
                       "\"rev\":1,\"data\":{\"id\":\"%d-0\",\"title\":\"t%d\"}}",
                       (int)ms, (int)ms, (int)ms);

    return event_decode(notify_str_of(text, (size_t)len));
}

static inline struct event *state_new(void)
{
    return event_decode(NOTIFY_STR("{\"type\":\"seen\",\"key\":\"k\",\"rev\":2,\"unread\":0}"));
}

#endif
