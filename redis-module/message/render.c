/* render -- messages, member by member in the order of docs/protocol.md. Bodies are stored
 * rendered, so this is mostly copying; numbers, ids and times are formatted by hand. */
#include "message/render.h"

#include <assert.h>
#include <string.h>

#include "box/body.h"
#include "box/category.h"
#include "base/json_text.h"
#include "base/scratch.h"
#include "notify_wire.h"

#define S_PER_DAY UINT64_C(86400)
#define SECOND_LEN 20 /* of the text of a time, up to the milliseconds */
#define NUMBER_MAX 20
#define START_ROOM 64   /* bytes before a key, at most, besides the type */
#define COUNTS_ROOM 128 /* bytes of put_counts, at most */
#define NAMES_ROOM                                                                                 \
    1024 /* bytes behind a key of what comes from neither category nor body, at most */

static const struct notify_str level_names[LEVEL_COUNT] = {
    [LEVEL_INFO] = NOTIFY_STR_INIT("info"),         [LEVEL_SUCCESS] = NOTIFY_STR_INIT("success"),
    [LEVEL_WARNING] = NOTIFY_STR_INIT("warning"),   [LEVEL_ERROR] = NOTIFY_STR_INIT("error"),
    [LEVEL_CRITICAL] = NOTIFY_STR_INIT("critical"),
};

struct notify_str render_level(enum entry_level level)
{
    return level_names[level];
}

/* ---- time ---- */

static void put_digits(char *out, unsigned width, uint64_t value)
{
    while (width > 0) {
        out[--width] = (char)('0' + value % 10);
        value /= 10;
    }
}

/* Year, month and day of a day number from 1970-01-01, in the Gregorian calendar. Years are taken
 * to start in March, so that the leap day is the last one; 719468 days lie between 0000-03-01 and
 * 1970. */
static void put_date(char *out, uint64_t day)
{
    uint64_t z = day + 719468;
    uint64_t era = z / 146097; /* 400 years */
    uint64_t day_of_era = z % 146097;
    uint64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t march_month = (5 * day_of_year + 2) / 153;
    uint64_t month = march_month < 10 ? march_month + 3 : march_month - 9;

    put_digits(out, 4, era * 400 + year_of_era + (month <= 2 ? 1 : 0));
    out[4] = '-';
    put_digits(out + 5, 2, month);
    out[7] = '-';
    put_digits(out + 8, 2, day_of_year - (153 * march_month + 2) / 5 + 1);
}

/* 2026-11-20T21:00:00. */
static void put_second(char out[SECOND_LEN], uint64_t second)
{
    uint64_t rest = second % S_PER_DAY;

    put_date(out, second / S_PER_DAY);
    out[10] = 'T';
    put_digits(out + 11, 2, rest / 3600);
    out[13] = ':';
    put_digits(out + 14, 2, rest / 60 % 60);
    out[16] = ':';
    put_digits(out + 17, 2, rest % 60);
    out[19] = '.';
}

void render_time(char out[RENDER_TIME_LEN], uint64_t ms)
{
    /* One message after the other is of the same second. */
    static struct {
        uint64_t second;
        char text[SECOND_LEN];
    } last = {UINT64_MAX, ""};

    if (ms > NOTIFY_ID_MAX_MS)
        ms = NOTIFY_ID_MAX_MS;
    if (last.second != ms / 1000) {
        last.second = ms / 1000;
        put_second(last.text, last.second);
    }
    memcpy(out, last.text, SECOND_LEN);
    put_digits(out + SECOND_LEN, 3, ms % 1000);
    out[RENDER_TIME_LEN - 1] = 'Z';
}

/* ---- members ---- */

/* Most members are put one behind the other into room that was made for all of them. Each of these
 * returns where the next one goes. */

static inline char *put(char *to, struct notify_str text)
{
    memcpy(to, text.ptr, text.len);
    return to + text.len;
}

#define PUT(to, literal) put((to), NOTIFY_STR(literal))

static inline char *put_quoted(char *to, struct notify_str name, struct notify_str escaped)
{
    to = put(to, name);
    *to++ = '"';
    to = put(to, escaped);
    *to++ = '"';
    return to;
}

static char *put_number(char *to, uint64_t value)
{
    char digits[NUMBER_MAX];
    char *end = digits + sizeof(digits);
    char *start;

    if (value < 10) { /* as most are */
        *to = (char)('0' + value);
        return to + 1;
    }
    start = notify_id_put_number(end, value);
    return put(to, notify_str_of(start, (size_t)(end - start)));
}

static char *put_id(char *to, struct notify_str name, struct notify_id id)
{
    to = put(to, name);
    *to++ = '"';
    to = put_number(to, id.ms);
    *to++ = '-';
    to = put_number(to, id.seq);
    *to++ = '"';
    return to;
}

static inline char *put_counts(char *to, const struct render_box *box)
{
    if (box->epoch != 0)
        to = put_number(PUT(to, ",\"epoch\":"), box->epoch);
    to = put_number(PUT(to, ",\"rev\":"), box->rev);
    return put_number(PUT(to, ",\"unread\":"), box->unread);
}

static inline void add_quoted(struct text_buf *out, struct notify_str name,
                              struct notify_str escaped)
{
    text_buf_add(out, name);
    text_buf_add_char(out, '"');
    text_buf_add(out, escaped);
    text_buf_add_char(out, '"');
}

static void add_id(struct text_buf *out, struct notify_str name, struct notify_id id)
{
    text_buf_add(out, name);
    text_buf_add_char(out, '"');
    text_buf_add_id(out, id);
    text_buf_add_char(out, '"');
}

/* {"type":"...","key":"..." */
static void add_start(struct text_buf *out, struct notify_str type, struct notify_str key)
{
    char *to = text_buf_room(out, START_ROOM + type.len);

    if (to == NULL)
        return;
    to = PUT(put_quoted(to, NOTIFY_STR("{\"type\":"), type), ",\"key\":\"");
    out->len = (size_t)(to - out->ptr);
    json_text_escape_lossy(out, key);
    text_buf_add_char(out, '"');
}

static void add_counts(struct text_buf *out, const struct render_box *box)
{
    char *room = text_buf_room(out, COUNTS_ROOM);

    if (room == NULL)
        return;
    out->len += (size_t)(put_counts(room, box) - room);
    if (box->log.ptr == NULL)
        return;
    TEXT_BUF_LITERAL(out, ",\"log\":\"");
    json_text_escape_lossy(out, box->log);
    text_buf_add_char(out, '"');
    if (box->log_is_elsewhere)
        return;
    TEXT_BUF_LITERAL(out, ",\"log_unread\":");
    text_buf_add_number(out, box->log_unread);
}

/* ---- an entry ---- */

#define CATEGORY_ESCAPED_MAX (2 * CATEGORY_BOUND)

static inline bool needs_escape(char c)
{
    return c == '"' || c == '\\';
}

/* A category for the inside of a JSON string: in out, or the name itself. It is a valid one. */
static struct notify_str escape_category(char out[CATEGORY_ESCAPED_MAX], struct notify_str name)
{
    size_t plain = 0;
    size_t len = 0;

    while (plain < name.len && !needs_escape(name.ptr[plain]))
        plain++;
    if (plain == name.len)
        return name;
    for (size_t i = 0; i < name.len && len + 2 <= CATEGORY_ESCAPED_MAX; i++) {
        if (needs_escape(name.ptr[i]))
            out[len++] = '\\';
        out[len++] = name.ptr[i];
    }
    return notify_str_of(out, len);
}

/* What one message is made from. */
struct message {
    const struct box_entry *entry;
    struct body body;
    struct notify_str category; /* escaped; .ptr NULL: none */
    struct notify_str time;     /* quoted */
    struct notify_str id;       /* quoted; null: it is not stored */
};

/* The texts that it names more than once. */
struct message_texts {
    char category[CATEGORY_ESCAPED_MAX];
    char time[RENDER_TIME_LEN + 2];
    char id[NOTIFY_ID_TEXT_MAX + 2];
};

/* A text of the body, or null. name includes the comma and the colon. */
static inline char *put_text(char *to, struct notify_str name, struct notify_str escaped)
{
    return escaped.ptr == NULL ? PUT(put(to, name), "null") : put_quoted(to, name, escaped);
}

static inline char *put_json(char *to, struct notify_str name, struct notify_str json)
{
    to = put(to, name);
    return json.ptr == NULL ? PUT(to, "null") : put(to, json);
}

static char *put_entity(char *to, const struct body *body)
{
    if (body->field[BODY_ENTITY_TYPE].ptr == NULL && body->field[BODY_ENTITY_ID].ptr == NULL)
        return PUT(to, ",\"entity\":null");
    to = put_text(to, NOTIFY_STR(",\"entity\":{\"type\":"), body->field[BODY_ENTITY_TYPE]);
    to = put_text(to, NOTIFY_STR(",\"id\":"), body->field[BODY_ENTITY_ID]);
    return PUT(to, "}");
}

static char *put_time(char *to, uint64_t ms)
{
    *to++ = '"';
    render_time(to, ms);
    to += RENDER_TIME_LEN;
    *to++ = '"';
    return to;
}

static inline char *put_is_read(char *to, const struct box_entry *entry)
{
    if (!entry->is_read)
        return PUT(to, ",\"is_read\":false");
    to = PUT(to, ",\"is_read\":true");
    return entry->read_ms == 0 ? to : put_time(PUT(to, ",\"read_at\":"), entry->read_ms);
}

static char *put_notification(char *to, const struct message *m)
{
    const struct box_entry *entry = m->entry;
    const struct notify_str *field = m->body.field;

    to = PUT(to, "{\"id\":");
    to = put(to, m->id);
    to = put_text(to, NOTIFY_STR(",\"title\":"), field[BODY_TITLE]);
    to = put_text(to, NOTIFY_STR(",\"content\":"), field[BODY_CONTENT]);
    to = put_text(to, NOTIFY_STR(",\"notification_type\":"), field[BODY_TYPE]);
    to = put_text(to, NOTIFY_STR(",\"category\":"), m->category);
    to = put_text(to, NOTIFY_STR(",\"level\":"), level_names[entry->level]);
    to = put_json(to, NOTIFY_STR(",\"action\":"), field[BODY_ACTION]);
    to = put_entity(to, &m->body);
    to = put_json(to, NOTIFY_STR(",\"data\":"), field[BODY_DATA]);
    to = put_is_read(to, entry);
    to = PUT(to, ",\"created_at\":");
    to = put(to, m->time);
    to = PUT(to, ",\"expires_at\":");
    to = entry->expire_ms != 0 ? put_time(to, entry->expire_ms) : PUT(to, "null");
    return PUT(to, "}");
}

static char *put_event_data(char *to, const struct message *m)
{
    struct notify_str data = m->body.field[BODY_DATA];

    return data.ptr == NULL ? PUT(to, "{}") : put(to, data);
}

/* Everything behind the ids. */
static char *put_rest(char *to, const struct render_box *box, const struct message *m)
{
    if (m->body.field[BODY_EXCLUDE].ptr != NULL)
        to = put_quoted(to, NOTIFY_STR(",\"exclude\":"), m->body.field[BODY_EXCLUDE]);
    to = put_counts(to, box);
    if (m->category.ptr != NULL)
        to = put_quoted(to, NOTIFY_STR(",\"category\":"), m->category);
    to = put_quoted(to, NOTIFY_STR(",\"level\":"), level_names[m->entry->level]);
    if (m->entry->is_muted)
        to = PUT(to, ",\"muted\":true");
    to = put(PUT(to, ",\"timestamp\":"), m->time);
    to = PUT(to, ",\"data\":");
    to = m->entry->kind == ENTRY_EVENT ? put_event_data(to, m) : put_notification(to, m);
    return PUT(to, "}");
}

static struct notify_str quote_time(char out[RENDER_TIME_LEN + 2], uint64_t ms)
{
    return notify_str_of(out, (size_t)(put_time(out, ms) - out));
}

static struct notify_str quote_id(char out[NOTIFY_ID_TEXT_MAX + 2], struct notify_id id)
{
    return notify_str_of(out, (size_t)(put_quoted(out, NOTIFY_STR(""), scratch_id(id)) - out));
}

/* The category stands in a message twice, every field of the body once. */
static size_t room_behind_key(const struct message *m)
{
    return NAMES_ROOM + 2 * m->category.len + m->entry->body.len;
}

/* Fills in *ret and starts the message. Returns where it goes on, with room for all of it; NULL:
 * out has failed. */
static char *start_message(struct text_buf *out, const struct render_box *box,
                           const struct box_entry *entry, uint64_t time_ms,
                           struct message_texts *texts, struct message *ret)
{
    struct notify_str event;

    ret->entry = entry;
    (void)body_parse(entry->body, &ret->body);
    ret->category = escape_category(texts->category, entry->category);
    ret->time = quote_time(texts->time, time_ms);
    ret->id = NOTIFY_STR("null");
    event = ret->body.field[BODY_EVENT];
    (void)text_buf_room(out, box->key.len + room_behind_key(ret)); /* most often all at once */
    add_start(out, event.ptr != NULL ? event : NOTIFY_STR(NOTIFY_EVENT_DEFAULT), box->key);
    return text_buf_room(out, room_behind_key(ret));
}

static void end_message(struct text_buf *out, const struct message *m, const char *end)
{
    size_t len = (size_t)(end - out->ptr) - out->len;

    assert(len <= room_behind_key(m));
    out->len += len;
}

void render_entry(struct text_buf *out, const struct render_box *box, const struct box_entry *entry,
                  struct notify_id prev, struct notify_id replaces)
{
    struct message_texts texts;
    struct message m;
    char *to = start_message(out, box, entry, entry->id.ms, &texts, &m);

    if (to == NULL)
        return;
    m.id = quote_id(texts.id, entry->id);
    to = put(PUT(to, ",\"id\":"), m.id);
    to = put_id(to, NOTIFY_STR(",\"prev\":"), prev);
    if (!notify_id_is_zero(replaces))
        to = put_id(to, NOTIFY_STR(",\"replaces\":"), replaces);
    end_message(out, &m, put_rest(to, box, &m));
}

void render_unstored(struct text_buf *out, const struct render_box *box,
                     const struct box_entry *entry, uint64_t now_ms)
{
    struct message_texts texts;
    struct message m;
    char *to = start_message(out, box, entry, now_ms, &texts, &m);

    if (to != NULL)
        end_message(out, &m, put_rest(to, box, &m));
}

/* ---- state changes ---- */

static const struct notify_str change_names[] = {
    [RENDER_READ] = NOTIFY_STR_INIT("read"),
    [RENDER_UNREAD_AGAIN] = NOTIFY_STR_INIT("unread_again"),
    [RENDER_SEEN] = NOTIFY_STR_INIT("seen"),
    [RENDER_ARCHIVED] = NOTIFY_STR_INIT("archived"),
    [RENDER_UNARCHIVED] = NOTIFY_STR_INIT("unarchived"),
    [RENDER_DELETED] = NOTIFY_STR_INIT("deleted"),
    [RENDER_MUTED] = NOTIFY_STR_INIT("muted"),
    [RENDER_UNMUTED] = NOTIFY_STR_INIT("unmuted"),
    [RENDER_FOLLOWED] = NOTIFY_STR_INIT("followed"),
    [RENDER_UNFOLLOWED] = NOTIFY_STR_INIT("unfollowed"),
};

size_t render_change_ids(struct text_buf *out, const struct render_box *box,
                         enum render_change change, const struct notify_id *ids, size_t count)
{
    size_t taken = count < RENDER_IDS_MAX ? count : RENDER_IDS_MAX;

    add_start(out, change_names[change], box->key);
    add_counts(out, box);
    TEXT_BUF_LITERAL(out, ",\"ids\":[");
    for (size_t i = 0; i < taken; i++)
        add_id(out, i == 0 ? NOTIFY_STR("") : NOTIFY_STR(","), ids[i]);
    TEXT_BUF_LITERAL(out, "]}");
    return taken;
}

void render_change_upto(struct text_buf *out, const struct render_box *box,
                        enum render_change change, struct notify_id id, struct notify_str category)
{
    char escaped[CATEGORY_ESCAPED_MAX];

    add_start(out, change_names[change], box->key);
    add_counts(out, box);
    add_id(out, change == RENDER_DELETED ? NOTIFY_STR(",\"before\":") : NOTIFY_STR(",\"upto\":"),
           id);
    if (category.ptr != NULL)
        add_quoted(out, NOTIFY_STR(",\"category\":"), escape_category(escaped, category));
    text_buf_add_char(out, '}');
}

void render_change_categories(struct text_buf *out, const struct render_box *box,
                              enum render_change change, const struct notify_str *categories,
                              size_t count)
{
    char escaped[CATEGORY_ESCAPED_MAX];

    add_start(out, change_names[change], box->key);
    add_counts(out, box);
    TEXT_BUF_LITERAL(out, ",\"categories\":[");
    for (size_t i = 0; i < count; i++)
        add_quoted(out, i == 0 ? NOTIFY_STR("") : NOTIFY_STR(","),
                   escape_category(escaped, categories[i]));
    TEXT_BUF_LITERAL(out, "]}");
}

void render_follow(struct text_buf *out, const struct render_box *box, enum render_change change,
                   struct notify_id start)
{
    add_start(out, change_names[change], box->key);
    add_counts(out, box);
    if (change == RENDER_FOLLOWED)
        add_id(out, NOTIFY_STR(",\"start\":"), start);
    text_buf_add_char(out, '}');
}

/* ---- a key as a whole ---- */

void render_gone(struct text_buf *out, struct notify_str key, uint64_t rev)
{
    struct render_box none = {.key = key, .rev = rev};

    add_start(out, NOTIFY_STR("gone"), key);
    add_counts(out, &none);
    text_buf_add_char(out, '}');
}

void render_appeared(struct text_buf *out, const struct render_box *box, struct notify_id last)
{
    add_start(out, NOTIFY_STR("changed"), box->key);
    add_counts(out, box);
    add_id(out, NOTIFY_STR(",\"last\":"), last);
    text_buf_add_char(out, '}');
}

void render_flushed(struct text_buf *out, uint64_t database)
{
    TEXT_BUF_LITERAL(out,
                     "{\"type\":\"flushed\",\"key\":\"" NOTIFY_CONTROL_CHANNEL "\",\"database\":");
    text_buf_add_number(out, database);
    text_buf_add_char(out, '}');
}
