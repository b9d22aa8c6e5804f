/* Any bytes, said on a channel without a box: what clients get is JSON on one line. */
#include <assert.h>
#include <jansson.h>
#include <stdint.h>
#include <string.h>

#include "wire/channel_message.h"
#include "wire/event.h"
#include "wire/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(void *ctx, struct notify_str name, struct notify_str value)
{
    (void)ctx;
    (void)name;
    (void)value;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct notify_str payload = notify_str_of((const char *)data, size);
    struct event *event = channel_message_event(NOTIFY_STR("c"), NOTIFY_STR("*"), payload);
    struct notify_str text = notify_str_of(event->payload, event->len);

    assert(json_scan_object(text, ignore, NULL));
    assert(memchr(text.ptr, '\n', text.len) == NULL && memchr(text.ptr, '\r', text.len) == NULL);
    event_unref(event);
    return 0;
}
