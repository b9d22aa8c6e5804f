/* The words of /api/v1/ws/{session_id}: canonical, but ids of entries are UUIDs wherever they name
 * one, and a notification's content and type are never null. What says how far somebody has come
 * (the message's own id and prev) stays what it is. */
#include <stdio.h>
#include <string.h>

#include "wire/agent_answer.h"
#include "wire/agent_event.h"
#include "wire/close_code.h"
#include "wire/dialect.h"
#include "wire/entry_uuid.h"
#include "wire/event.h"
#include "wire/inbound.h"
#include "wire/json_scan.h"
#include "wire/json_text.h"
#include "wire/key_pattern.h"
#include "wire/text.h"
#include "wire/vocabulary.h"

static const char *inbox_pattern; /* borrowed; NULL: there are none */

void dialect_name_inboxes(const char *pattern)
{
    inbox_pattern = pattern;
}

static bool is_inbox(struct notify_str key)
{
    struct notify_str name;

    return inbox_pattern != NULL && key_pattern_fits(inbox_pattern, key, &name);
}

/* Of the box of a raw key. */
static uint16_t tag_of(struct notify_str raw)
{
    struct notify_str key = {NULL, 0};
    json_t *owner;
    uint16_t tag = 0;

    if (json_text_read(raw, &key, &owner) && !is_inbox(key))
        tag = entry_uuid_tag(key);
    json_decref(owner);
    return tag;
}

/* A text while it is said in other words: all before from is said. */
struct saying {
    const struct event *event;
    FILE *out;
    const char *from;
    uint16_t tag;
};

static void say(struct saying *saying, struct notify_str words)
{
    (void)fwrite(words.ptr, 1, words.len, saying->out); /* no memory: fclose() tells */
}

static void say_up_to(struct saying *saying, const char *to)
{
    say(saying, notify_str_of(saying->from, (size_t)(to - saying->from)));
    saying->from = to;
}

/* words for the value, which stands behind all that is said. */
static void say_instead(struct saying *saying, struct notify_str value, struct notify_str words)
{
    say_up_to(saying, value.ptr);
    say(saying, words);
    saying->from = value.ptr + value.len;
}

/* A raw id; anything else stays what it is. */
static void say_id(struct saying *saying, struct notify_str value)
{
    struct entry_uuid uuid = {.tag = saying->tag};
    char text[1 + ENTRY_UUID_LEN + 2] = "\"";

    if (!notify_id_parse(json_plain_string(value), 0, &uuid.id) ||
        !entry_uuid_format(text + 1, &uuid))
        return;
    text[1 + ENTRY_UUID_LEN] = '"';
    say_instead(saying, value, notify_str_of(text, sizeof(text) - 1));
}

/* A raw array: ids have no quotes in them, so its strings lie between two each. */
static void say_ids(struct saying *saying, struct notify_str value)
{
    const char *end = value.ptr + value.len, *open = memchr(value.ptr, '"', value.len), *close;

    while (open != NULL && memchr(value.ptr, '\\', value.len) == NULL) {
        close = memchr(open + 1, '"', (size_t)(end - open) - 1);
        say_id(saying, notify_str_of(open, (size_t)(close - open) + 1));
        open = memchr(close + 1, '"', (size_t)(end - close) - 1);
    }
}

static void say_data_member(void *ctx, struct notify_str name, struct notify_str value)
{
    struct saying *saying = ctx;
    bool null = notify_str_eq(value, NOTIFY_STR("null"));

    if (notify_str_eq(name, NOTIFY_STR("id")))
        say_id(saying, value);
    else if (null && notify_str_eq(name, NOTIFY_STR("content")))
        say_instead(saying, value, NOTIFY_STR("\"\""));
    else if (null && notify_str_eq(name, NOTIFY_STR("notification_type")))
        say_instead(saying, value, NOTIFY_STR("\"notification\""));
}

static void say_entry_member(void *ctx, struct notify_str name, struct notify_str value)
{
    struct saying *saying = ctx;

    if (value.ptr == saying->event->data.ptr)
        (void)json_scan_object(value, say_data_member, saying);
    else if (notify_str_eq(name, NOTIFY_STR("replaces")))
        say_id(saying, value);
}

static void say_done_member(void *ctx, struct notify_str name, struct notify_str value)
{
    if (notify_str_eq(name, NOTIFY_STR("notification_id")))
        say_id(ctx, value);
}

static void say_action_member(void *ctx, struct notify_str name, struct notify_str value)
{
    struct saying *saying = ctx;

    (void)name;
    if (value.ptr == saying->event->data.ptr)
        (void)json_scan_object(value, say_done_member, saying);
}

static void say_state_member(void *ctx, struct notify_str name, struct notify_str value)
{
    struct saying *saying = ctx;

    if (notify_str_eq(name, NOTIFY_STR("ids")) && value.ptr[0] == '[')
        say_ids(saying, value);
    else if (notify_str_eq(name, NOTIFY_STR("upto")) || notify_str_eq(name, NOTIFY_STR("before")))
        say_id(saying, value);
}

static void find_log(void *ctx, struct notify_str name, struct notify_str value)
{
    if (notify_str_eq(name, NOTIFY_STR("log")))
        *(struct notify_str *)ctx = value;
}

/* The box that an object speaks of: the one of key, or the log that it names. */
static struct notify_str box_in(struct notify_str object, struct notify_str key)
{
    struct notify_str log = {NULL, 0};

    (void)json_scan_object(object, find_log, &log);
    return log.len > 0 ? log : key;
}

/* ret stays empty without memory. */
static void say_members(struct saying *saying, struct notify_str object, json_member_fn say_member,
                        struct text *ret)
{
    size_t len = 0;

    saying->out = open_memstream(&ret->owned, &len);
    if (saying->out == NULL)
        return;
    saying->from = object.ptr;
    (void)json_scan_object(object, say_member, saying);
    say_up_to(saying, object.ptr + object.len);
    if (fclose(saying->out) == 0)
        text_add(ret, notify_str_of(ret->owned, len));
}

static bool say_failure(const struct event *event, struct text *ret)
{
    if (event->agent != AGENT_ERROR)
        return false;
    agent_answer_say_failure(event, ret);
    return true;
}

/* What action_done tells names the notification that it is about, and its log. */
static bool is_action(const struct event *event)
{
    return notify_str_eq(event->type, NOTIFY_STR("\"action_done\"")) && event->data.len > 0 &&
           event->data.ptr[0] == '{';
}

static bool say_event(const struct event *event, struct text *ret)
{
    struct notify_str payload = notify_str_of(event->payload, event->len);
    struct saying saying = {.event = event};

    if (is_action(event)) {
        saying.tag = tag_of(box_in(event->data, event->key));
        say_members(&saying, payload, say_action_member, ret);
    } else if (event->kind == EVENT_STATE) {
        saying.tag = tag_of(box_in(payload, event->key));
        say_members(&saying, payload, say_state_member, ret);
    } else if (event_is_notification(event)) {
        saying.tag = tag_of(event->key);
        say_members(&saying, payload, say_entry_member, ret);
    } else {
        return say_failure(event, ret);
    }
    return true;
}

static bool say_item(struct notify_str key, struct notify_str data, struct text *ret)
{
    struct saying saying = {.tag = tag_of(key)};

    say_members(&saying, data, say_data_member, ret);
    return true;
}

static bool greet(const struct greeting *greeting, struct text *ret)
{
    return text_of_json(ret,
                        json_pack("{s:s, s:{s:s%, s:s%, s:s}}", "type", "connection_established",
                                  "data", "session_id", greeting->client_id.ptr,
                                  greeting->client_id.len, "user_id", greeting->user_id.ptr,
                                  greeting->user_id.len, "connected_at", greeting->timestamp));
}

/* It is all a breach of policy there. */
static const struct close_word closes[] = {{CONN_CLOSE_UNAUTHORIZED, CONN_CLOSE_POLICY},
                                           {CONN_CLOSE_FORBIDDEN, CONN_CLOSE_POLICY},
                                           {CONN_CLOSE_TOO_MANY, CONN_CLOSE_POLICY},
                                           {0, 0}};

const struct vocabulary vocabulary_session = {.event = say_event,
                                              .item = say_item,
                                              .greeting = greet,
                                              .read = inbound_read,
                                              .closes = closes};
