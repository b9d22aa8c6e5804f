/* body -- one table says what each field is and how long it may be; building, checking and reading
 * go by it. */
#include "box/body.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "base/varint.h"

enum field_form { FORM_TEXT, FORM_NAME, FORM_JSON };

struct field_rule {
    enum field_form form;
    bool in_characters;   /* max counts characters, not bytes */
    bool keep_when_empty; /* present but empty is an error, not absence */
    size_t max;           /* for clients; 0: none */
};

static const struct field_rule rules[BODY_FIELD_COUNT] = {
    [BODY_COLLAPSE] = {FORM_TEXT, false, true, LIMIT_TOKEN},
    [BODY_EVENT] = {FORM_NAME, false, true, LIMIT_EVENT_NAME},
    [BODY_TITLE] = {FORM_TEXT, true, true, LIMIT_TITLE},
    [BODY_CONTENT] = {FORM_TEXT, false, false, 0},
    [BODY_TYPE] = {FORM_TEXT, false, false, LIMIT_TYPE},
    [BODY_ACTION] = {FORM_JSON, false, true, 0},
    [BODY_ENTITY_TYPE] = {FORM_TEXT, false, false, LIMIT_TYPE},
    [BODY_ENTITY_ID] = {FORM_TEXT, false, false, LIMIT_SESSION},
    [BODY_DATA] = {FORM_JSON, false, true, 0},
    [BODY_EXCLUDE] = {FORM_TEXT, false, false, LIMIT_SESSION},
};

size_t body_field_max(enum body_field field)
{
    return rules[field].max;
}

static bool is_name(struct notify_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool is_digit = c >= '0' && c <= '9';
        if (!is_letter && !is_digit && c != '_' && c != '.' && c != ':' && c != '-')
            return false;
    }
    return true;
}

/* The faults that show before anything is converted. */
static enum body_fault check_plain(const struct field_rule *rule, struct notify_str text)
{
    size_t size = text.len;

    if (text.len == 0)
        return rule->form == FORM_JSON ? BODY_NOT_JSON : BODY_EMPTY;
    /* As many characters as bytes at most: those of a short text need no counting. */
    if (rule->in_characters && size > rule->max && !utf8_count(text, &size))
        return BODY_NOT_UTF8;
    if (rule->max > 0 && limits_forbid(size, rule->max))
        return BODY_TOO_LONG;
    if (rule->form == FORM_NAME && !is_name(text))
        return BODY_NOT_NAME;
    return BODY_OK;
}

/* Tag and length, before a text that is to have so many bytes. */
static void add_head(struct text_buf *out, enum body_field field, size_t len)
{
    uint8_t *head = (uint8_t *)text_buf_room(out, 1 + VARINT_MAX);

    if (head == NULL)
        return;
    *head = (uint8_t)field;
    out->len += (size_t)(varint_put(head + 1, len) - head);
}

/* The length of a field is only known once it is written, from `start` on; the head was that of one
 * of `guess` bytes, and most often fits. */
static void mend_head(struct text_buf *out, size_t start, size_t guess)
{
    size_t had = varint_len(guess);
    size_t len = out->len - start;
    size_t needed = varint_len(len);
    char *head;

    if (len == guess || text_buf_room(out, VARINT_MAX) == NULL)
        return;
    head = out->ptr + start - had;
    if (needed != had)
        memmove(head + needed, head + had, len);
    varint_put((uint8_t *)head, len);
    out->len = out->len - had + needed;
}

static enum body_fault build_field(struct text_buf *out, enum body_field field,
                                   struct notify_str text)
{
    const struct field_rule *rule = &rules[field];
    enum body_fault fault = check_plain(rule, text);
    size_t start;

    if (fault != BODY_OK)
        return fault;
    add_head(out, field, text.len);
    start = out->len;
    if (rule->form == FORM_JSON && !json_text_minify(out, text))
        return BODY_NOT_JSON;
    if (rule->form != FORM_JSON && !json_text_escape(out, text))
        return BODY_NOT_UTF8;
    mend_head(out, start, text.len);
    return out->failed ? BODY_NO_MEMORY : BODY_OK;
}

static bool is_absent(enum body_field field, struct notify_str text)
{
    if (text.ptr == NULL)
        return true;
    if (field == BODY_EVENT)
        return notify_str_eq(text, NOTIFY_STR(NOTIFY_EVENT_DEFAULT));
    return text.len == 0 && !rules[field].keep_when_empty;
}

bool body_build(struct text_buf *out, const struct body *plain, struct body_error *ret_error)
{
    text_buf_clear(out);
    for (unsigned f = BODY_COLLAPSE; f < BODY_FIELD_COUNT; f++) {
        enum body_field field = (enum body_field)f;
        enum body_fault fault;
        if (is_absent(field, plain->field[f]))
            continue;
        fault = build_field(out, field, plain->field[f]);
        if (fault != BODY_OK) {
            text_buf_clear(out);
            *ret_error = (struct body_error){fault, field};
            return false;
        }
    }
    return true;
}

/* Takes the next field off the front of *stored; false when there is none or it is not well formed.
 */
static bool take_field(struct notify_str *stored, unsigned *ret_field, struct notify_str *ret_text)
{
    struct notify_str rest = *stored;

    if (rest.len == 0)
        return false;
    *ret_field = (uint8_t)rest.ptr[0];
    rest = notify_str_of(rest.ptr + 1, rest.len - 1);
    if (!varint_take_sized(&rest, ret_text))
        return false;
    *stored = rest;
    return true;
}

bool body_parse(struct notify_str stored, struct body *ret_body)
{
    unsigned last = 0;

    for (unsigned f = 0; f < BODY_FIELD_COUNT; f++)
        ret_body->field[f] = notify_str_of(NULL, 0);
    while (stored.len > 0) {
        unsigned field;
        struct notify_str text;
        if (!take_field(&stored, &field, &text) || field <= last || field < BODY_COLLAPSE ||
            field >= BODY_FIELD_COUNT)
            return false;
        ret_body->field[field] = text;
        last = field;
    }
    return true;
}

struct notify_str body_find(struct notify_str stored, enum body_field field)
{
    unsigned found;
    struct notify_str text;

    while (take_field(&stored, &found, &text) && found <= (unsigned)field)
        if (found == (unsigned)field)
            return text;
    return notify_str_of(NULL, 0);
}

struct notify_str body_plain(struct text_buf *scratch, enum body_field field,
                             struct notify_str stored_field)
{
    bool is_json = rules[field].form == FORM_JSON;

    if (is_json || stored_field.len == 0 ||
        memchr(stored_field.ptr, '\\', stored_field.len) == NULL)
        return stored_field;
    text_buf_clear(scratch);
    json_text_unescape(scratch, stored_field);
    return text_buf_str(scratch);
}

/* Limits are checked on the stored form: escaping only makes texts longer, by a factor of six at
 * most, so this bounds them without decoding. */
static bool field_is_sound(enum body_field field, struct notify_str text)
{
    const struct field_rule *rule = &rules[field];
    size_t bytes_per_unit = rule->in_characters ? 12 : 6;

    if (text.len == 0)
        return false;
    if (rule->max > 0 && limits_forbid(text.len, rule->max * bytes_per_unit))
        return false;
    if (rule->form == FORM_NAME)
        return !limits_forbid(text.len, rule->max) && is_name(text);
    if (rule->form == FORM_JSON)
        return json_text_is_minified(text);
    return json_text_is_escaped(text);
}

bool body_is_sound(struct notify_str stored)
{
    struct body body;

    if (!body_parse(stored, &body))
        return false;
    for (unsigned f = BODY_COLLAPSE; f < BODY_FIELD_COUNT; f++)
        if (body.field[f].ptr != NULL && !field_is_sound((enum body_field)f, body.field[f]))
            return false;
    return true;
}
