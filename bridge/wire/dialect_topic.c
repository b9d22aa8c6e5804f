/* The words of /ws: canonical, but what an event says stands at the top, too, and a notification
 * has its title there as "message". Names of ours win, except that the "data" of an event's own
 * data is the "data" of the message. */
#include <stdlib.h>
#include <string.h>

#include "wire/event.h"
#include "wire/inbound.h"
#include "wire/json_scan.h"
#include "wire/text.h"
#include "wire/vocabulary.h"

/* What no event may say of itself, whether the message has it or not: clients go by them. */
static const struct notify_str ours[] = {
    NOTIFY_STR_INIT("type"),  NOTIFY_STR_INIT("key"),       NOTIFY_STR_INIT("id"),
    NOTIFY_STR_INIT("prev"),  NOTIFY_STR_INIT("replaces"),  NOTIFY_STR_INIT("exclude"),
    NOTIFY_STR_INIT("epoch"), NOTIFY_STR_INIT("rev"),       NOTIFY_STR_INIT("unread"),
    NOTIFY_STR_INIT("muted"), NOTIFY_STR_INIT("timestamp"),
};

static bool is_named(struct notify_str raw, struct notify_str name)
{
    return inbound_is_named(raw, name.ptr); /* literals, so there is a NUL behind them */
}

static bool is_ours(struct notify_str raw)
{
    bool escaped = raw.len > 0 && memchr(raw.ptr, '\\', raw.len) != NULL;

    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (escaped ? is_named(raw, ours[i]) : notify_str_eq(raw, ours[i]))
            return true;
    return false;
}

static void on_level(void *ctx, struct notify_str name, struct notify_str value)
{
    (void)value;
    if (notify_str_eq(name, NOTIFY_STR("level")))
        *(bool *)ctx = true;
}

/* A message may have these or not; what it lacks an event may say. */
static bool message_has(const struct event *event, struct notify_str raw)
{
    bool has = false;

    if (is_named(raw, NOTIFY_STR("category")))
        return event->category.len > 0;
    if (is_named(raw, NOTIFY_STR("level")))
        (void)json_scan_object(notify_str_of(event->payload, event->len), on_level, &has);
    return has;
}

/* The members of an event's data, while they are taken to the top. */
struct lifting {
    const struct event *event;
    char *to; /* each member with a comma behind it: no longer than in data */
    size_t len;
    struct notify_str data; /* the one of this name; or empty */
};

static void lift(struct lifting *lifting, struct notify_str text)
{
    memcpy(lifting->to + lifting->len, text.ptr, text.len);
    lifting->len += text.len;
}

static void lift_member(void *ctx, struct notify_str name, struct notify_str value)
{
    struct lifting *lifting = ctx;

    if (is_named(name, NOTIFY_STR("data"))) {
        lifting->data = value;
    } else if (!is_ours(name) && !message_has(lifting->event, name)) {
        lift(lifting, NOTIFY_STR("\""));
        lift(lifting, name);
        lift(lifting, NOTIFY_STR("\":"));
        lift(lifting, value);
        lift(lifting, NOTIFY_STR(","));
    }
}

/* {"type":…,"data":{"a":1,"data":2}  becomes  {"a":1,"type":…,"data":2. */
static bool say_lifted(const struct event *event, struct text *ret)
{
    struct lifting lifting = {.event = event, .to = malloc(event->data.len)};
    const char *behind = event->data.ptr + event->data.len;

    ret->owned = lifting.to;
    if (lifting.to == NULL)
        return true;
    (void)json_scan_object(event->data, lift_member, &lifting); /* scanned when decoded */
    if (lifting.len == 0 && lifting.data.len == 0) {
        text_release(ret);
        return false;
    }
    text_add(ret, NOTIFY_STR("{"));
    text_add(ret, notify_str_of(lifting.to, lifting.len));
    text_add(ret,
             notify_str_of(event->payload + 1, (size_t)(event->data.ptr - event->payload) - 1));
    text_add(ret, lifting.data.len > 0 ? lifting.data : event->data);
    text_add(ret, notify_str_of(behind, (size_t)(event->payload + event->len - behind)));
    return true;
}

static void on_data_member(void *ctx, struct notify_str name, struct notify_str value)
{
    if (notify_str_eq(name, NOTIFY_STR("title")) && value.ptr[0] == '"')
        *(struct notify_str *)ctx = value;
}

/* {"type":…  becomes  {"message":"<title>","type":… : the rest of the bytes stays as it is. */
static bool say_titled(const struct event *event, struct text *ret)
{
    struct notify_str title = {NULL, 0};

    (void)json_scan_object(event->data, on_data_member, &title); /* scanned when decoded */
    if (title.len == 0)
        return false;
    text_add(ret, NOTIFY_STR("{\"message\":"));
    text_add(ret, title);
    text_add(ret, NOTIFY_STR(","));
    text_add(ret, notify_str_of(event->payload + 1, event->len - 1));
    return true;
}

static bool say_event(const struct event *event, struct text *ret)
{
    if (event->kind == EVENT_STATE || event->plain || event->data.ptr[0] != '{')
        return false;
    return event_is_notification(event) ? say_titled(event, ret) : say_lifted(event, ret);
}

const struct vocabulary vocabulary_topic = {
    .event = say_event, .greeting = greeting_of_connection, .read = inbound_read};
