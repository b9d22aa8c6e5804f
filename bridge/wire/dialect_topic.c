/* The words of /ws: canonical, but a notification has its title at the top, too, as "message". */
#include "wire/event.h"
#include "wire/inbound.h"
#include "wire/json_scan.h"
#include "wire/text.h"
#include "wire/vocabulary.h"

static void on_data_member(void *ctx, struct notify_str name, struct notify_str value)
{
    if (notify_str_eq(name, NOTIFY_STR("title")) && value.ptr[0] == '"')
        *(struct notify_str *)ctx = value;
}

/* The raw JSON string in an entry's data; empty: there is none. */
static struct notify_str find_title(const struct event *event)
{
    struct notify_str title = {NULL, 0};

    if (event->kind == EVENT_ENTRY && event->data.ptr[0] == '{')
        (void)json_scan_object(event->data, on_data_member, &title); /* scanned when decoded */
    return title;
}

/* {"type":…  becomes  {"message":"<title>","type":… : the rest of the bytes stays as it is. */
static bool say_event(const struct event *event, struct text *ret)
{
    struct notify_str title = find_title(event);

    if (title.len == 0)
        return false;
    text_add(ret, NOTIFY_STR("{\"message\":"));
    text_add(ret, title);
    text_add(ret, NOTIFY_STR(","));
    text_add(ret, notify_str_of(event->payload + 1, event->len - 1));
    return true;
}

const struct vocabulary vocabulary_topic = {
    .event = say_event, .greeting = greeting_of_connection, .read = inbound_read};
