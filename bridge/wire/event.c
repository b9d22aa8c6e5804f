#include "wire/event.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/number.h"
#include "wire/agent_event.h"
#include "wire/dialect.h"
#include "wire/frame.h"
#include "wire/json_copy.h"
#include "wire/json_scan.h"
#include "wire/json_text.h"
#include "wire/position.h"
#include "wire/text.h"
#include "notify_wire.h"

/* The members that are looked at, as they stand in the text. */
enum head_member {
    HEAD_TYPE,
    HEAD_KEY,
    HEAD_ID,
    HEAD_PREV,
    HEAD_REV,
    HEAD_CATEGORY,
    HEAD_LAST,
    HEAD_EPOCH,
    HEAD_DATA,
    HEAD_EXCLUDE,
    HEAD_LOG_UNREAD,
    HEAD_COUNT,
};

static const struct notify_str head_names[HEAD_COUNT] = {
    [HEAD_TYPE] = NOTIFY_STR_INIT("type"),
    [HEAD_KEY] = NOTIFY_STR_INIT("key"),
    [HEAD_ID] = NOTIFY_STR_INIT("id"),
    [HEAD_PREV] = NOTIFY_STR_INIT("prev"),
    [HEAD_REV] = NOTIFY_STR_INIT("rev"),
    [HEAD_CATEGORY] = NOTIFY_STR_INIT("category"),
    [HEAD_LAST] = NOTIFY_STR_INIT("last"),
    [HEAD_DATA] = NOTIFY_STR_INIT("data"),
    [HEAD_EXCLUDE] = NOTIFY_STR_INIT("exclude"),
    [HEAD_EPOCH] = NOTIFY_STR_INIT("epoch"),
    [HEAD_LOG_UNREAD] = NOTIFY_STR_INIT("log_unread"),
};

static void on_head_member(void *ctx, struct notify_str name, struct notify_str value)
{
    struct notify_str *head = ctx;

    for (size_t i = 0; i < HEAD_COUNT; i++)
        if (notify_str_eq(name, head_names[i]))
            head[i] = value;
}

static bool is_string(struct notify_str value)
{
    return value.len > 0 && value.ptr[0] == '"';
}

static bool parse_id(struct notify_str value, struct notify_id *ret_id)
{
    return notify_id_parse(json_plain_string(value), 0, ret_id);
}

/* "changed" with the last id of the box that stands there now is the module's; without it, it is
 * ours. */
static enum whole_box whole_box_of(const struct notify_str head[HEAD_COUNT],
                                   struct notify_id *ret_last)
{
    if (notify_str_eq(head[HEAD_TYPE], NOTIFY_STR("\"gone\"")))
        return WHOLE_BOX_GONE;
    if (notify_str_eq(head[HEAD_TYPE], NOTIFY_STR("\"changed\"")) &&
        parse_id(head[HEAD_LAST], ret_last))
        return WHOLE_BOX_CHANGED;
    return WHOLE_BOX_STAYS;
}

/* 0: it is none. */
static uint32_t epoch_of(struct notify_str value)
{
    uint64_t number = 0;

    return notify_id_take_number(&value, &number) && number <= POSITION_EPOCH_MAX ? (uint32_t)number
                                                                                  : 0;
}

static void point_to(struct event *event, const struct notify_str head[HEAD_COUNT])
{
    event->type = head[HEAD_TYPE];
    event->key = head[HEAD_KEY];
    event->category = head[HEAD_CATEGORY];
    event->data = head[HEAD_DATA];
    if (is_string(head[HEAD_EXCLUDE]))
        event->exclude = head[HEAD_EXCLUDE];
    if (event->agent != AGENT_NONE)
        event->request = agent_event_request(event->data);
}

/* An entry has id, prev and data; an event that is not stored has data alone; a state change has
 * neither, but rev. */
static bool decode(struct event *event)
{
    struct notify_str head[HEAD_COUNT] = {{NULL, 0}};

    if (event->payload[0] != '{') /* dialects cut there */
        return false;
    if (!json_scan_object(notify_str_of(event->payload, event->len), on_head_member, head))
        return false;
    if (!is_string(head[HEAD_TYPE]) || !is_string(head[HEAD_KEY]))
        return false;
    (void)notify_id_take_number(&head[HEAD_REV], &event->rev); /* stays 0 if it is no number */
    event->epoch = epoch_of(head[HEAD_EPOCH]);
    if (head[HEAD_DATA].len > 0)
        event->agent = agent_event_named(head[HEAD_TYPE]);
    point_to(event, head);
    if (head[HEAD_ID].len > 0) {
        event->kind = EVENT_ENTRY;
        return event->data.len > 0 && parse_id(head[HEAD_ID], &event->id) &&
               parse_id(head[HEAD_PREV], &event->prev);
    }
    event->kind = event->data.len > 0 ? EVENT_VOLATILE : EVENT_STATE;
    if (event->kind == EVENT_STATE)
        event->whole_box = whole_box_of(head, &event->prev);
    event->counts_log = event->kind == EVENT_STATE && head[HEAD_LOG_UNREAD].len > 0;
    return event->data.len > 0 || event->rev > 0;
}

/* With a copy of text, of which nothing is known yet. NULL: out of memory. */
static struct event *event_new(struct notify_str text)
{
    struct event *event = calloc(1, sizeof(*event) + text.len);

    if (event == NULL)
        return NULL;
    event->refs = 1;
    event->len = text.len;
    memcpy(event->payload, text.ptr, text.len);
    return event;
}

struct event *event_plain(struct notify_str text)
{
    struct event *event = event_new(text);
    struct notify_str head[HEAD_COUNT] = {{NULL, 0}};

    if (event == NULL)
        return NULL;
    event->kind = EVENT_VOLATILE;
    event->plain = true;
    (void)json_scan_object(notify_str_of(event->payload, event->len), on_head_member, head);
    event->type = head[HEAD_TYPE];
    return event;
}

struct event *event_decode(struct notify_str message)
{
    struct event *event;

    if (message.len == 0) /* also what is no string at all: a push of some other kind */
        return NULL;
    event = event_new(message);
    if (event != NULL && !decode(event))
        return event_unref(event);
    return event;
}

/* Takes a beginning off; false: it is another one. */
static bool skip(struct notify_str *text, struct notify_str begin)
{
    if (text->len < begin.len || memcmp(text->ptr, begin.ptr, begin.len) != 0)
        return false;
    *text = notify_str_of(text->ptr + begin.len, text->len - begin.len);
    return true;
}

/* Up to the end of a string that has no escapes before that. */
static bool skip_string(struct notify_str *text)
{
    const char *end = text->len == 0 ? NULL : memchr(text->ptr, '"', text->len);

    if (end == NULL || end == text->ptr || end[-1] == '\\')
        return false;
    *text = notify_str_of(end, text->len - (size_t)(end - text->ptr));
    return true;
}

bool event_looks_stored(struct notify_str message)
{
    return skip(&message, NOTIFY_STR("{\"type\":\"")) && skip_string(&message) &&
           skip(&message, NOTIFY_STR("\",\"key\":\"")) && skip_string(&message) &&
           skip(&message, NOTIFY_STR("\",\"id\":\""));
}

static size_t excerpts_bytes;

size_t event_excerpts_bytes(void)
{
    return excerpts_bytes;
}

static size_t excerpt_cost(const struct event *excerpt)
{
    return sizeof(*excerpt) + sizeof(struct frame) + 2 * excerpt->len;
}

/* A text without some of the members of another one, or with an epoch. */
struct excerpt {
    const struct notify_str *without; /* their names; the last is empty */
    struct notify_str epoch;          /* still to be added; empty: none is */
    struct json_copy copy;
};

/* The order of a message's members (docs/protocol.md). */
static bool stands_before_epoch(struct notify_str name)
{
    static const struct notify_str before[] = {
        NOTIFY_STR_INIT("type"), NOTIFY_STR_INIT("key"),      NOTIFY_STR_INIT("id"),
        NOTIFY_STR_INIT("prev"), NOTIFY_STR_INIT("replaces"), NOTIFY_STR_INIT("exclude"),
    };

    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++)
        if (notify_str_eq(name, before[i]))
            return true;
    return false;
}

static void take_over_member(void *ctx, struct notify_str name, struct notify_str value)
{
    struct excerpt *excerpt = ctx;

    for (const struct notify_str *left_out = excerpt->without; left_out->len > 0; left_out++)
        if (notify_str_eq(name, *left_out))
            return;
    if (excerpt->epoch.len > 0 && !stands_before_epoch(name)) {
        json_copy_add(&excerpt->copy, NOTIFY_STR("epoch"), excerpt->epoch);
        excerpt->epoch.len = 0; /* there is room for one, whatever others have published */
    }
    json_copy_add(&excerpt->copy, name, value);
}

#define EPOCH_ROOM (sizeof(",\"epoch\":") + NUMBER_TEXT_MAX)

/* epoch: empty, or at most NUMBER_TEXT_MAX bytes. */
static struct event *make_excerpt(const struct event *event, const struct notify_str *without,
                                  struct notify_str epoch)
{
    struct event *copy = calloc(1, sizeof(*copy) + event->len + JSON_COPY_MORE + EPOCH_ROOM);
    struct excerpt excerpt = {.without = without, .epoch = epoch};
    struct notify_str head[HEAD_COUNT] = {{NULL, 0}};

    if (copy == NULL)
        return NULL;
    *copy = *event;
    copy->refs = 1;
    memset(copy->frames, 0, sizeof(copy->frames));
    copy->discreet = copy->uncounted = copy->telling = NULL;
    copy->reach = (struct reach){{0}};
    excerpt.copy.text = copy->payload;
    (void)json_scan_object(notify_str_of(event->payload, event->len), take_over_member, &excerpt);
    copy->len = json_copy_end(&excerpt.copy).len;
    (void)json_scan_object(notify_str_of(copy->payload, copy->len), on_head_member, head);
    point_to(copy, head);
    copy->counts_log = head[HEAD_LOG_UNREAD].len > 0;
    copy->excerpt = true;
    excerpts_bytes += excerpt_cost(copy);
    return copy;
}

struct event *event_discreet(struct event *event)
{
    static const struct notify_str indiscreet[] = {NOTIFY_STR_INIT("prev"),
                                                   NOTIFY_STR_INIT("replaces"),
                                                   NOTIFY_STR_INIT("rev"),
                                                   NOTIFY_STR_INIT("unread"),
                                                   {NULL, 0}};

    if (event->discreet == NULL)
        event->discreet = make_excerpt(event, indiscreet, (struct notify_str){NULL, 0});
    return event->discreet;
}

struct event *event_uncounted(struct event *event)
{
    static const struct notify_str counts[] = {NOTIFY_STR_INIT("log_unread"), {NULL, 0}};

    if (!event->counts_log)
        return event;
    if (event->uncounted == NULL)
        event->uncounted = make_excerpt(event, counts, (struct notify_str){NULL, 0});
    return event->uncounted;
}

/* Those to whom it came count all the same. */
static void forget_telling(struct event *event)
{
    struct reach had = event->telling == NULL ? (struct reach){{0}} : event_reach(event->telling);

    reach_add(&event->reach, &had);
    event_unref(event->telling);
    event->telling = NULL;
}

/* The event with this epoch, or, if that is 0, without one. */
static struct event *telling(struct event *event, uint32_t epoch)
{
    static const struct notify_str epoch_alone[] = {NOTIFY_STR_INIT("epoch"), {NULL, 0}};
    char text[NUMBER_TEXT_MAX + 1];
    struct notify_str said = epoch == 0 ? (struct notify_str){NULL, 0} : number_text(text, epoch);

    if (event->telling != NULL && event->telling->epoch == epoch)
        return event->telling;
    forget_telling(event); /* the box has gone on to another one */
    event->telling = make_excerpt(event, epoch_alone, said);
    if (event->telling != NULL)
        event->telling->epoch = epoch;
    return event->telling;
}

struct event *event_with_epoch(struct event *event, uint32_t epoch)
{
    return event->epoch != 0 ? event : telling(event, epoch);
}

struct event *event_without_epoch(struct event *event)
{
    return event->epoch == 0 ? event : telling(event, 0);
}

bool event_is_flushed(struct notify_str message)
{
    struct notify_str head[HEAD_COUNT] = {{NULL, 0}};

    return message.len > 0 && json_scan_object(message, on_head_member, head) &&
           notify_str_eq(head[HEAD_TYPE], NOTIFY_STR("\"flushed\"")) &&
           notify_str_eq(head[HEAD_KEY], NOTIFY_STR("\"" NOTIFY_CONTROL_CHANNEL "\"")) &&
           head[HEAD_DATA].len == 0;
}

struct event *event_changed(struct notify_str key, uint32_t epoch, uint64_t rev, uint64_t unread)
{
    json_t *begun = epoch == 0 ? NULL : json_integer(epoch);
    json_t *message =
        json_pack("{s:s, s:s%, s:o*, s:I, s:I}", "type", "changed", "key", key.ptr, key.len,
                  "epoch", begun, "rev", (json_int_t)rev, "unread", (json_int_t)unread);
    struct text text;
    struct event *event = text_of_json(&text, message) ? event_decode(text.parts[0]) : NULL;

    text_release(&text);
    return event;
}

struct event *event_ref(struct event *event)
{
    event->refs++;
    return event;
}

struct event *event_unref(struct event *event)
{
    if (event == NULL || --event->refs > 0)
        return NULL;
    for (size_t i = 0; i < DIALECT_COUNT; i++)
        frame_unref(event->frames[i]);
    event_unref(event->discreet);
    event_unref(event->uncounted);
    event_unref(event->telling);
    excerpts_bytes -= event->excerpt ? excerpt_cost(event) : 0;
    free(event);
    return NULL;
}

static bool stands_for(struct notify_str json, struct notify_str text)
{
    struct notify_str decoded;
    json_t *owner;
    bool same = json_text_read(json, &decoded, &owner) && notify_str_eq(decoded, text);

    json_decref(owner);
    return same;
}

bool event_is_of(const struct event *event, struct notify_str key)
{
    return stands_for(event->key, key);
}

bool event_is_notification(const struct event *event)
{
    struct notify_str begin = NOTIFY_STR("{\"id\":\"");
    char id[NOTIFY_ID_TEXT_MAX + 1];
    size_t len = notify_id_format(id, event->id);

    return event->kind == EVENT_ENTRY && event->data.len > begin.len + len &&
           memcmp(event->data.ptr, begin.ptr, begin.len) == 0 &&
           memcmp(event->data.ptr + begin.len, id, len) == 0 &&
           event->data.ptr[begin.len + len] == '"';
}

bool event_answers(const struct event *event, struct notify_str request)
{
    return event->request.len > 0 && stands_for(event->request, request);
}

bool event_excludes(const struct event *event, struct notify_str session)
{
    return event->exclude.len > 0 && stands_for(event->exclude, session);
}

static struct frame *published_frame(const struct event *event, enum dialect dialect)
{
    struct text text = {.type = event->type};

    text_add(&text, notify_str_of(event->payload, event->len));
    return dialect_frame(dialect, &text);
}

static struct frame *make_frame(struct event *event, enum dialect dialect)
{
    enum dialect plain = dialect_plain(dialect);
    struct text text = {.type = event->type};
    struct frame *frame;

    if (dialect_event(dialect, event, &text)) {
        frame = dialect_frame(dialect, &text);
        text_release(&text);
        return frame;
    }
    if (plain == dialect)
        return published_frame(event, dialect);
    frame = event_frame(event, plain);
    return frame == NULL ? NULL : frame_ref(frame);
}

/* The parts of an event have parts. */
struct reach event_reach(const struct event *event)
{
    const struct event *parts[] = {event->discreet, event->uncounted, event->telling};
    struct reach reach = event->reach;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        struct reach part = parts[i] == NULL ? (struct reach){{0}} : event_reach(parts[i]);
        reach_add(&reach, &part);
    }
    return reach;
}

struct frame *event_frame(struct event *event, enum dialect dialect)
{
    if (event->frames[dialect] == NULL)
        event->frames[dialect] = make_frame(event, dialect);
    return event->frames[dialect];
}
