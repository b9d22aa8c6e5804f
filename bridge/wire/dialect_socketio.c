/* The words of Socket.IO: an event is its data, with what the message says of it beside that. What
 * a notification and an alert are called is what handlers of those names expect. Changes of state
 * and answers are canonical. */
#include <string.h>

#include "wire/dialect.h"
#include "wire/event.h"
#include "wire/inbound.h"
#include "wire/json_scan.h"
#include "wire/json_text.h"
#include "wire/json_writer.h"
#include "wire/key_pattern.h"
#include "wire/socketio_frame.h"
#include "wire/text.h"
#include "wire/vocabulary.h"

static const char *session_pattern; /* borrowed; NULL: there are none */

void dialect_name_sessions(const char *pattern)
{
    session_pattern = pattern;
}

/* What an object may have beside the members of the data. */
enum word {
    WORD_ID,
    WORD_TYPE,
    WORD_MESSAGE,
    WORD_ALERT_ID,
    WORD_SEVERITY,
    WORD_SESSION_ID,
    WORD_KEY,
    WORD_REPLACES,
    WORD_EPOCH,
    WORD_UNREAD,
    WORD_CATEGORY,
    WORD_LEVEL,
    WORD_MUTED,
    WORD_TIMESTAMP,
    WORD_COUNT,
};

static const struct word_row {
    struct notify_str name;
    bool from_head; /* the message has it under the same name */
    bool yields;    /* the data's own wins */
} words[WORD_COUNT] = {
    [WORD_ID] = {NOTIFY_STR_INIT("id"), true, false},
    [WORD_TYPE] = {NOTIFY_STR_INIT("type"), false, false},
    [WORD_MESSAGE] = {NOTIFY_STR_INIT("message"), false, false},
    [WORD_ALERT_ID] = {NOTIFY_STR_INIT("alert_id"), false, true},
    [WORD_SEVERITY] = {NOTIFY_STR_INIT("severity"), false, true},
    [WORD_SESSION_ID] = {NOTIFY_STR_INIT("session_id"), false, false},
    [WORD_KEY] = {NOTIFY_STR_INIT("key"), true, false},
    [WORD_REPLACES] = {NOTIFY_STR_INIT("replaces"), true, false},
    [WORD_EPOCH] = {NOTIFY_STR_INIT("epoch"), true, false},
    [WORD_UNREAD] = {NOTIFY_STR_INIT("unread"), true, false},
    [WORD_CATEGORY] = {NOTIFY_STR_INIT("category"), true, true},
    [WORD_LEVEL] = {NOTIFY_STR_INIT("level"), true, true},
    [WORD_MUTED] = {NOTIFY_STR_INIT("muted"), true, true},
    [WORD_TIMESTAMP] = {NOTIFY_STR_INIT("timestamp"), true, false},
};

/* An object while it is written. */
struct saying {
    struct json_writer writer;
    struct notify_str values[WORD_COUNT]; /* raw; empty: there is none, or the data's own stands */
    bool yields[WORD_COUNT];
    struct notify_str session; /* by the key: what the id stands for; empty: it names none */
    json_t *owner;             /* of session, or NULL */
    struct notify_str level, content, created_at, inner; /* raw; of a notification's data */
};

static void write_name(struct saying *saying, struct notify_str name)
{
    json_writer_add(&saying->writer,
                    saying->writer.len == 0 ? NOTIFY_STR("{\"") : NOTIFY_STR(",\""));
    json_writer_add(&saying->writer, name);
    json_writer_add(&saying->writer, NOTIFY_STR("\":"));
}

static void write_member(struct saying *saying, struct notify_str name, struct notify_str value)
{
    write_name(saying, name);
    json_writer_add(&saying->writer, value);
}

static bool is_named(struct notify_str raw, struct notify_str name)
{
    bool escaped = raw.len > 0 && memchr(raw.ptr, '\\', raw.len) != NULL;

    /* Names are literals, so there is a NUL behind them. */
    return escaped ? inbound_is_named(raw, name.ptr) : notify_str_eq(raw, name);
}

/* WORD_COUNT: it is none. */
static size_t word_named(struct notify_str raw)
{
    size_t word = 0;

    while (word < WORD_COUNT && !is_named(raw, words[word].name))
        word++;
    return word;
}

static void take_head(void *ctx, struct notify_str name, struct notify_str value)
{
    struct saying *saying = ctx;
    size_t word = word_named(name);

    if (word != WORD_COUNT && words[word].from_head)
        saying->values[word] = value;
}

/* A member of the data: it stands as it is, unless a word of ours stands in its place. */
static void say_member(void *ctx, struct notify_str name, struct notify_str value)
{
    struct saying *saying = ctx;
    size_t word = word_named(name);

    if (word != WORD_COUNT && saying->values[word].len > 0) {
        if (!saying->yields[word])
            return;
        saying->values[word] = (struct notify_str){NULL, 0};
    }
    write_member(saying, name, value);
}

/* The same of the data that NOTIFY.SEND has made; what others are made from is kept. */
static void say_made_member(void *ctx, struct notify_str name, struct notify_str value)
{
    struct saying *saying = ctx;

    if (notify_str_eq(name, NOTIFY_STR("level")))
        saying->level = value;
    else if (notify_str_eq(name, NOTIFY_STR("content")))
        saying->content = value;
    else if (notify_str_eq(name, NOTIFY_STR("created_at")))
        saying->created_at = value;
    else if (notify_str_eq(name, NOTIFY_STR("data")) && value.ptr[0] == '{')
        saying->inner = value;
    say_member(ctx, name, value);
}

/* Members of the object that a sender gave with a notification stand at the top, too, unless a
 * notification has one of that name. */
static void say_inner_member(void *ctx, struct notify_str name, struct notify_str value)
{
    static const struct notify_str made[] = {
        NOTIFY_STR_INIT("id"),         NOTIFY_STR_INIT("title"),
        NOTIFY_STR_INIT("content"),    NOTIFY_STR_INIT("notification_type"),
        NOTIFY_STR_INIT("category"),   NOTIFY_STR_INIT("level"),
        NOTIFY_STR_INIT("action"),     NOTIFY_STR_INIT("entity"),
        NOTIFY_STR_INIT("data"),       NOTIFY_STR_INIT("is_read"),
        NOTIFY_STR_INIT("created_at"), NOTIFY_STR_INIT("expires_at"),
        NOTIFY_STR_INIT("read_at"),
    };

    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
        if (is_named(name, made[i]))
            return;
    say_member(ctx, name, value);
}

static bool is_null(struct notify_str raw)
{
    return raw.len == 0 || notify_str_eq(raw, NOTIFY_STR("null"));
}

/* Of contract A there are info, warning, error and success. */
static struct notify_str kind_of(struct notify_str level)
{
    if (is_null(level))
        return NOTIFY_STR("\"info\"");
    return notify_str_eq(level, NOTIFY_STR("\"critical\"")) ? NOTIFY_STR("\"error\"") : level;
}

static void find_session(struct saying *saying, struct notify_str raw_key)
{
    struct notify_str key;

    if (session_pattern != NULL && json_text_read(raw_key, &key, &saying->owner))
        (void)key_pattern_fits(session_pattern, key, &saying->session);
}

/* null: it may have one, and has none. */
static void name_session(struct saying *saying, struct notify_str key, bool null)
{
    find_session(saying, key);
    if (saying->session.len > 0 || null)
        saying->values[WORD_SESSION_ID] = NOTIFY_STR("null");
    saying->yields[WORD_SESSION_ID] = saying->session.len == 0;
}

/* An alert has these, however it was sent. */
static void name_alert(struct saying *saying, struct notify_str level)
{
    saying->values[WORD_ALERT_ID] = saying->values[WORD_ID];
    saying->values[WORD_SEVERITY] = is_null(level) ? NOTIFY_STR("\"info\"") : level;
}

static void say_words(struct saying *saying)
{
    for (size_t i = 0; i < WORD_COUNT; i++) {
        if (saying->values[i].len == 0)
            continue;
        if (i != WORD_SESSION_ID || saying->session.len == 0) {
            write_member(saying, words[i].name, saying->values[i]);
            continue;
        }
        write_name(saying, words[i].name);
        json_writer_add_string(&saying->writer, saying->session);
    }
    json_writer_add(&saying->writer, saying->writer.len == 0 ? NOTIFY_STR("{}") : NOTIFY_STR("}"));
}

static void begin(struct saying *saying)
{
    *saying = (struct saying){.owner = NULL};
    for (size_t i = 0; i < WORD_COUNT; i++)
        saying->yields[i] = words[i].yields;
}

/* Without memory ret is empty. */
static void end(struct saying *saying, struct notify_str type, struct text *ret)
{
    (void)json_writer_end(&saying->writer, ret);
    ret->type = type;
    json_decref(saying->owner);
}

static bool is_alert(const struct event *event)
{
    return notify_str_eq(event->type, NOTIFY_STR("\"alert\""));
}

static bool is_notice(const struct event *event)
{
    return notify_str_eq(event->type, NOTIFY_STR("\"notification\""));
}

/* NOTIFY.SEND */
static void say_made(struct saying *saying, const struct event *event)
{
    (void)json_scan_object(event->data, say_made_member, saying); /* scanned when decoded */
    saying->values[WORD_MESSAGE] = is_null(saying->content) ? NOTIFY_STR("\"\"") : saying->content;
    if (is_notice(event))
        saying->values[WORD_TYPE] = kind_of(saying->level);
    if (is_alert(event))
        name_alert(saying, saying->level);
    if (saying->inner.len > 0)
        (void)json_scan_object(saying->inner, say_inner_member, saying);
}

/* NOTIFY.EVENT */
static void say_given(struct saying *saying, const struct event *event)
{
    if (is_alert(event))
        name_alert(saying, saying->values[WORD_LEVEL]);
    if (is_notice(event)) {
        saying->values[WORD_TYPE] = kind_of(saying->values[WORD_LEVEL]);
        saying->yields[WORD_TYPE] = true;
    }
    if (event->data.ptr[0] == '{')
        (void)json_scan_object(event->data, say_member, saying); /* as above */
    else
        write_member(saying, NOTIFY_STR("data"), event->data);
}

static bool say_event(const struct event *event, struct text *ret)
{
    struct saying saying;
    struct notify_str type = ret->type;

    if (event->kind == EVENT_STATE || event->plain)
        return false;
    begin(&saying);
    (void)json_scan_object(notify_str_of(event->payload, event->len), take_head, &saying);
    name_session(&saying, event->key, is_alert(event) || is_notice(event));
    if (socketio_frame_is_kept_name(event->type))
        saying.values[WORD_TYPE] = event->type;
    if (event_is_notification(event))
        say_made(&saying, event);
    else
        say_given(&saying, event);
    say_words(&saying);
    end(&saying, type, ret);
    return true;
}

/* As the notification was; what is none stands as it was published. */
static bool say_item(struct notify_str key, struct notify_str data, struct text *ret)
{
    struct notify_str first = NOTIFY_STR("{\"id\":");
    struct saying saying;

    if (data.len <= first.len || memcmp(data.ptr, first.ptr, first.len) != 0)
        return false;
    begin(&saying);
    saying.values[WORD_KEY] = key;
    name_session(&saying, key, true);
    (void)json_scan_object(data, say_made_member, &saying);
    saying.values[WORD_MESSAGE] = is_null(saying.content) ? NOTIFY_STR("\"\"") : saying.content;
    saying.values[WORD_TYPE] = kind_of(saying.level);
    saying.values[WORD_TIMESTAMP] = saying.created_at;
    if (saying.inner.len > 0)
        (void)json_scan_object(saying.inner, say_inner_member, &saying);
    say_words(&saying);
    end(&saying, (struct notify_str){NULL, 0}, ret);
    return true;
}

static bool say_greeting(const struct greeting *greeting, struct text *ret)
{
    struct json_writer writer = {.len = 0};
    bool said;

    json_writer_add(&writer, NOTIFY_STR("{"));
    greeting_add_who(&writer, greeting);
    said = json_writer_end(&writer, ret);
    ret->type = NOTIFY_STR("\"connected\"");
    return said;
}

const struct vocabulary vocabulary_socketio = {
    .event = say_event, .item = say_item, .greeting = say_greeting, .read = inbound_read};
