#include "wire/json_scan.h"

#include <stdint.h>

struct scan {
    const unsigned char *at, *end;
    size_t depth;
    bool too_deep;
    /* One bit for each open level: 1 for an object, 0 for an array. */
    uint8_t levels[JSON_SCAN_MAX_DEPTH / 8];
};

/* levels is written before it is read. */
static void begin(struct scan *s, struct notify_str text)
{
    s->at = (const unsigned char *)text.ptr;
    s->end = s->at + text.len;
    s->depth = 0;
    s->too_deep = false;
}

static void skip_blanks(struct scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
        s->at++;
}

static bool take(struct scan *s, unsigned char c)
{
    if (s->at == s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

/* One character of UTF-8 beyond ASCII (RFC 3629, section 4): no overlong forms, no surrogates,
 * nothing above U+10FFFF. */
static bool take_utf8(struct scan *s)
{
    const unsigned char *p = s->at;
    size_t left = (size_t)(s->end - p);
    unsigned low = 0x80, high = 0xbf;
    size_t len;

    if (*p >= 0xc2 && *p <= 0xdf) {
        len = 2;
    } else if (*p >= 0xe0 && *p <= 0xef) {
        len = 3;
        low = *p == 0xe0 ? 0xa0 : 0x80;
        high = *p == 0xed ? 0x9f : 0xbf;
    } else if (*p >= 0xf0 && *p <= 0xf4) {
        len = 4;
        low = *p == 0xf0 ? 0x90 : 0x80;
        high = *p == 0xf4 ? 0x8f : 0xbf;
    } else {
        return false;
    }
    if (left < len || p[1] < low || p[1] > high)
        return false;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return false;
    s->at += len;
    return true;
}

static bool is_hex(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool take_escape(struct scan *s)
{
    if (s->at == s->end)
        return false;
    switch (*s->at++) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return true;
    case 'u':
        for (int i = 0; i < 4; i++, s->at++)
            if (s->at == s->end || !is_hex(*s->at))
                return false;
        return true;
    default:
        return false;
    }
}

static bool take_string(struct scan *s)
{
    if (!take(s, '"'))
        return false;
    while (s->at < s->end) {
        unsigned char c = *s->at;
        if (c == '"') {
            s->at++;
            return true;
        }
        if (c == '\\') {
            s->at++;
            if (!take_escape(s))
                return false;
        } else if (c < 0x20) {
            return false;
        } else if (c < 0x80) {
            s->at++;
        } else if (!take_utf8(s)) {
            return false;
        }
    }
    return false;
}

static bool take_digits(struct scan *s)
{
    const unsigned char *start = s->at;

    while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
        s->at++;
    return s->at > start;
}

static bool take_number(struct scan *s)
{
    (void)take(s, '-');
    if (!take(s, '0') && !take_digits(s))
        return false;
    if (take(s, '.') && !take_digits(s))
        return false;
    if (take(s, 'e') || take(s, 'E')) {
        if (!take(s, '+'))
            (void)take(s, '-');
        return take_digits(s);
    }
    return true;
}

static bool take_word(struct scan *s, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0)
        return false;
    s->at += len;
    return true;
}

static bool open_level(struct scan *s, bool object)
{
    s->too_deep = s->depth == JSON_SCAN_MAX_DEPTH;
    if (s->too_deep)
        return false;
    if (object)
        s->levels[s->depth / 8] |= (uint8_t)(1u << s->depth % 8);
    else
        s->levels[s->depth / 8] &= (uint8_t) ~(1u << s->depth % 8);
    s->depth++;
    return true;
}

static bool in_object(const struct scan *s)
{
    return (s->levels[(s->depth - 1) / 8] >> (s->depth - 1) % 8 & 1) != 0;
}

static bool take_name(struct scan *s)
{
    skip_blanks(s);
    if (!take_string(s))
        return false;
    skip_blanks(s);
    return take(s, ':');
}

/* A value that opens no level, or an empty array or object. *ret_opened: it opened one instead. */
static bool take_start(struct scan *s, bool *ret_opened)
{
    *ret_opened = false;
    skip_blanks(s);
    if (s->at == s->end)
        return false;
    switch (*s->at) {
    case '{':
    case '[': {
        bool object = *s->at++ == '{';
        skip_blanks(s);
        if (take(s, object ? '}' : ']'))
            return true;
        *ret_opened = true;
        return open_level(s, object) && (!object || take_name(s));
    }
    case '"':
        return take_string(s);
    case 't':
        return take_word(s, "true");
    case 'f':
        return take_word(s, "false");
    case 'n':
        return take_word(s, "null");
    default:
        return take_number(s);
    }
}

/* Behind a value inside a level: closes as many levels as end here, down to floor, or goes on to
 * the next value of the innermost. */
static bool take_end(struct scan *s, size_t floor)
{
    while (s->depth > floor) {
        bool object = in_object(s);
        skip_blanks(s);
        if (take(s, ','))
            return !object || take_name(s);
        if (!take(s, object ? '}' : ']'))
            return false;
        s->depth--;
    }
    return true;
}

/* One value of any kind, without recursion: a peer must not choose how deep our stack gets. */
static bool take_value(struct scan *s)
{
    size_t floor = s->depth;
    bool opened;

    do {
        if (!take_start(s, &opened))
            return false;
        if (!opened && !take_end(s, floor))
            return false;
    } while (s->depth > floor);
    return true;
}

static bool take_member(struct scan *s, json_member_fn fn, void *ctx)
{
    const unsigned char *name, *value;
    size_t name_len;

    skip_blanks(s);
    name = s->at;
    if (!take_string(s))
        return false;
    name_len = (size_t)(s->at - name);
    skip_blanks(s);
    if (!take(s, ':'))
        return false;
    skip_blanks(s);
    value = s->at;
    if (!take_value(s))
        return false;
    fn(ctx, notify_str_of((const char *)name + 1, name_len - 2),
       notify_str_of((const char *)value, (size_t)(s->at - value)));
    skip_blanks(s);
    return true;
}

/* The whole text: one object. Where it is found to be none, s->at has stopped. */
static bool take_text(struct scan *s, struct notify_str text, json_member_fn fn, void *ctx)
{
    begin(s, text);
    skip_blanks(s);
    if (!take(s, '{'))
        return false;
    skip_blanks(s);
    if (!take(s, '}')) {
        do {
            if (!take_member(s, fn, ctx))
                return false;
        } while (take(s, ','));
        if (!take(s, '}'))
            return false;
    }
    skip_blanks(s);
    return s->at == s->end;
}

bool json_scan_object(struct notify_str text, json_member_fn fn, void *ctx)
{
    struct scan s;

    return text.len > 0 && take_text(&s, text, fn, ctx);
}

static bool take_element(struct scan *s, json_element_fn fn, void *ctx)
{
    const unsigned char *value;

    skip_blanks(s);
    value = s->at;
    if (!take_value(s))
        return false;
    fn(ctx, notify_str_of((const char *)value, (size_t)(s->at - value)));
    skip_blanks(s);
    return true;
}

bool json_scan_array(struct notify_str text, json_element_fn fn, void *ctx)
{
    struct scan s;

    if (text.len == 0)
        return false;
    begin(&s, text);
    skip_blanks(&s);
    if (!take(&s, '['))
        return false;
    skip_blanks(&s);
    if (!take(&s, ']')) {
        do {
            if (!take_element(&s, fn, ctx))
                return false;
        } while (take(&s, ','));
        if (!take(&s, ']'))
            return false;
    }
    skip_blanks(&s);
    return s.at == s.end;
}

bool json_scan_message(struct notify_str text, json_member_fn fn, void *ctx,
                       struct json_fault *ret_fault)
{
    struct scan s;

    *ret_fault = (struct json_fault){0};
    if (text.len == 0)
        return false;
    if (take_text(&s, text, fn, ctx))
        return true;
    ret_fault->at = (size_t)(s.at - (const unsigned char *)text.ptr);
    ret_fault->too_deep = s.too_deep;
    return false;
}

/* Moves past a string, whatever is in it, or to the end of the text. */
static struct notify_str skim_string(struct scan *s)
{
    const unsigned char *start = ++s->at;
    struct notify_str inside;

    while (s->at < s->end && *s->at != '"')
        s->at += *s->at == '\\' && s->end - s->at > 1 ? 2 : 1;
    inside = notify_str_of((const char *)start, (size_t)(s->at - start));
    (void)take(s, '"');
    return inside;
}

/* Moves to the comma or brace behind a value; brackets are counted, not matched. */
static struct notify_str skim_value(struct scan *s)
{
    const unsigned char *start = s->at;
    size_t depth = 0, len;

    while (s->at < s->end) {
        bool closes = *s->at == '}' || *s->at == ']';
        if (depth == 0 && (closes || *s->at == ','))
            break;
        if (*s->at == '"') {
            (void)skim_string(s);
            continue;
        }
        if (closes)
            depth--;
        else if (*s->at == '{' || *s->at == '[')
            depth++;
        s->at++;
    }
    len = (size_t)(s->at - start);
    while (len > 0 && start[len - 1] <= ' ')
        len--;
    return notify_str_of((const char *)start, len);
}

/* What is no member is passed over. */
static void skim_member(struct scan *s, json_member_fn fn, void *ctx)
{
    struct notify_str name = {NULL, 0}, value;
    bool is_member = false;

    if (s->at < s->end && *s->at == '"') {
        name = skim_string(s);
        skip_blanks(s);
        is_member = take(s, ':');
        skip_blanks(s);
    }
    value = skim_value(s);
    if (is_member)
        fn(ctx, name, value);
}

void json_skim_object(struct notify_str text, json_member_fn fn, void *ctx)
{
    struct scan s;

    if (text.len == 0)
        return;
    begin(&s, text);
    skip_blanks(&s);
    if (!take(&s, '{'))
        return;
    do {
        skip_blanks(&s);
        skim_member(&s, fn, ctx);
    } while (take(&s, ','));
}

bool json_scan_value(struct notify_str text)
{
    struct scan s;

    if (text.len == 0)
        return false;
    begin(&s, text);
    return *s.at > ' ' && take_value(&s) && s.at == s.end;
}

struct notify_str json_plain_string(struct notify_str value)
{
    if (value.len < 2 || value.ptr[0] != '"' || memchr(value.ptr, '\\', value.len) != NULL)
        return (struct notify_str){NULL, 0};
    return notify_str_of(value.ptr + 1, value.len - 2);
}
