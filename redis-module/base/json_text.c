/* json_text -- a scanner over JSON text (RFC 8259) without a tree and without recursion. */
#include "base/json_text.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

#define ESCAPE_LEN 2       /* \n */
#define ESCAPE_U_LEN 6     /* \u00e9 */
#define ESCAPE_PAIR_LEN 12 /* \ud83d\ude00 */

#define BYTES(b) (UINT64_C(0x0101010101010101) * (b))
#define WORD sizeof(uint64_t)
#define BLOCK 32

static struct notify_str skip_bytes(struct notify_str text, size_t n)
{
    return n == 0 ? text : notify_str_of(text.ptr + n, text.len - n); /* no NULL + 0 */
}

/* Whether one of the eight bytes of x is a control character, '"', '\\' or not ASCII. The borrow
 * trick may also report a byte above one of these, never miss one: the caller then looks bytewise.
 */
static bool word_is_special(uint64_t x)
{
    uint64_t quote = x ^ BYTES('"');
    uint64_t slash = x ^ BYTES('\\');

    return (((x - BYTES(0x20)) | (quote - BYTES(1)) | (slash - BYTES(1)) | x) & BYTES(0x80)) != 0;
}

/* As a signed one, a byte that is not ASCII is below all characters, too. */
static inline int byte_is_special(signed char c)
{
    return (c < 0x20) | (c == '"') | (c == '\\');
}

/* The same of a whole block, exactly: what is special in its first half or in its second. Compilers
 * make vector instructions of it. */
static bool block_is_special(const char *block)
{
    signed char special[BLOCK / 2];
    uint64_t words[2];

    _Static_assert(sizeof(words) == sizeof(special), "all of them are looked at");
    for (size_t i = 0; i < BLOCK / 2; i++)
        special[i] = (signed char)-(byte_is_special((signed char)block[i]) |
                                    byte_is_special((signed char)block[i + BLOCK / 2]));
    memcpy(words, special, sizeof(words));
    return (words[0] | words[1]) != 0;
}

static bool is_special_at(const char *eight)
{
    uint64_t word;

    memcpy(&word, eight, sizeof(word));
    return word_is_special(word);
}

/* From n, before which all is plain, to the first eight bytes that may not be. What is left at the
 * end is looked at together with what stands before it. */
static size_t skip_words(struct notify_str text, size_t n)
{
    for (; text.len - n >= WORD; n += WORD)
        if (is_special_at(text.ptr + n))
            return n;
    return n < text.len && text.len >= WORD && !is_special_at(text.ptr + text.len - WORD) ? text.len
                                                                                          : n;
}

/* The length of the character at the start of text, which is not empty; 0: it does not stand for
 * itself. */
static size_t plain_char_len(struct notify_str text)
{
    if ((unsigned char)text.ptr[0] >= 0x80)
        return utf8_char_len(text);
    return byte_is_special((signed char)text.ptr[0]) ? 0 : 1;
}

/* How many bytes at the start of text are characters that stand for themselves in a JSON string. */
static size_t plain_run(struct notify_str text)
{
    size_t n = 0;
    size_t len;

    while (text.len - n >= BLOCK && !block_is_special(text.ptr + n))
        n += BLOCK;
    while ((n = skip_words(text, n)) < text.len) {
        len = plain_char_len(skip_bytes(text, n));
        if (len == 0)
            break;
        n += len;
    }
    return n;
}

/* ---- escaping ---- */

static void add_escaped(struct text_buf *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[0x20] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    char text[ESCAPE_U_LEN] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    size_t len = ESCAPE_U_LEN;

    if (c >= 0x20 || letters[c] != 0) {
        text[1] = c >= 0x20 ? (char)c : letters[c];
        len = ESCAPE_LEN;
    }
    text_buf_add(out, notify_str_of(text, len));
}

/* other: what takes the place of a byte that is no UTF-8; NULL: such a text is refused. */
static inline bool escape(struct text_buf *out, struct notify_str text, const char *other)
{
    while (text.len > 0) {
        size_t run = plain_run(text);
        text_buf_add(out, notify_str_of(text.ptr, run));
        text = skip_bytes(text, run);
        if (text.len == 0)
            break;
        if ((unsigned char)text.ptr[0] < 0x80)
            add_escaped(out, (unsigned char)text.ptr[0]);
        else if (other != NULL)
            text_buf_add(out, notify_str_z(other));
        else
            return false;
        text = skip_bytes(text, 1);
    }
    return true;
}

bool json_text_escape(struct text_buf *out, struct notify_str text)
{
    size_t start = out->len;
    bool is_utf8 = escape(out, text, NULL);

    if (!is_utf8)
        out->len = start;
    return is_utf8;
}

void json_text_escape_lossy(struct text_buf *out, struct notify_str text)
{
    (void)escape(out, text, "\xef\xbf\xbd"); /* never refused */
}

/* ---- escapes, read ---- */

static bool parse_hex4(struct notify_str text, uint32_t *ret_unit)
{
    uint32_t unit = 0;

    if (text.len < 4)
        return false;
    for (size_t i = 0; i < 4; i++) {
        char c = text.ptr[i];
        if (c >= '0' && c <= '9')
            unit = unit * 16 + (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            unit = unit * 16 + (uint32_t)(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            unit = unit * 16 + (uint32_t)(c - 'A') + 10;
        else
            return false;
    }
    *ret_unit = unit;
    return true;
}

/* The character of the \u escape (or pair of them) at the start of text; returns its length, 0 if
 * broken or half of a pair. */
static size_t parse_unicode_escape(struct notify_str text, uint32_t *ret_char)
{
    uint32_t high;
    uint32_t low;

    if (!parse_hex4(skip_bytes(text, 2), &high) || (high >= 0xdc00 && high <= 0xdfff))
        return 0;
    if (high < 0xd800 || high > 0xdbff) {
        *ret_char = high;
        return ESCAPE_U_LEN;
    }
    if (text.len < ESCAPE_PAIR_LEN || text.ptr[6] != '\\' || text.ptr[7] != 'u' ||
        !parse_hex4(skip_bytes(text, 8), &low) || low < 0xdc00 || low > 0xdfff)
        return 0;
    *ret_char = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    return ESCAPE_PAIR_LEN;
}

/* The character of the escape at the start of text, which starts with '\\'; returns the length of
 * the escape, 0 if it is none. */
static size_t parse_escape(struct notify_str text, uint32_t *ret_char)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    const char *name;

    if (text.len < ESCAPE_LEN || text.ptr[1] == '\0')
        return 0;
    if (text.ptr[1] == 'u')
        return parse_unicode_escape(text, ret_char);
    name = strchr(names, text.ptr[1]);
    if (name == NULL)
        return 0;
    *ret_char = (unsigned char)values[name - names];
    return ESCAPE_LEN;
}

static size_t encode_utf8(char out[4], uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* Length of the valid inside of a JSON string at the start of text: up to a '"', a raw control
 * character, broken UTF-8, a broken escape, or the end. */
static size_t string_run(struct notify_str text)
{
    size_t n = 0;

    for (;;) {
        uint32_t c;
        size_t len;
        n += plain_run(skip_bytes(text, n));
        if (n == text.len || text.ptr[n] != '\\')
            return n;
        len = parse_escape(skip_bytes(text, n), &c);
        if (len == 0)
            return n;
        n += len;
    }
}

bool json_text_is_escaped(struct notify_str text)
{
    return string_run(text) == text.len;
}

static size_t next_backslash(struct notify_str text)
{
    const char *found = text.len == 0 ? NULL : memchr(text.ptr, '\\', text.len);

    return found == NULL ? text.len : (size_t)(found - text.ptr);
}

void json_text_unescape(struct text_buf *out, struct notify_str escaped)
{
    while (escaped.len > 0) {
        size_t run = next_backslash(escaped);
        uint32_t c = 0;
        char utf8[4];
        text_buf_add(out, notify_str_of(escaped.ptr, run));
        escaped = skip_bytes(escaped, run);
        run = escaped.len == 0 ? 0 : parse_escape(escaped, &c);
        if (run == 0)
            return;
        text_buf_add(out, notify_str_of(utf8, encode_utf8(utf8, c)));
        escaped = skip_bytes(escaped, run);
    }
}

/* Takes prefix off the front of *text; false when it does not start with it. */
static bool take_prefix(struct notify_str *text, struct notify_str prefix)
{
    if (text->len < prefix.len)
        return false;
    if (prefix.len > 0 && memcmp(text->ptr, prefix.ptr, prefix.len) != 0)
        return false;
    *text = skip_bytes(*text, prefix.len);
    return true;
}

bool json_text_equals(struct notify_str escaped, struct notify_str text)
{
    while (escaped.len > 0) {
        size_t run = next_backslash(escaped);
        uint32_t c = 0;
        char utf8[4];
        if (!take_prefix(&text, notify_str_of(escaped.ptr, run)))
            return false;
        escaped = skip_bytes(escaped, run);
        if (escaped.len == 0)
            break;
        run = parse_escape(escaped, &c);
        if (run == 0 || !take_prefix(&text, notify_str_of(utf8, encode_utf8(utf8, c))))
            return false;
        escaped = skip_bytes(escaped, run);
    }
    return text.len == 0;
}

/* ---- whole values ---- */

/* Where the scanner stands. What lies in [kept, p) has been accepted and not yet copied to out. */
struct scanner {
    const char *p;
    const char *end;
    const char *kept;
    struct text_buf *out; /* NULL: only check, and take no blanks */
    unsigned depth;
    bool is_object[JSON_TEXT_DEPTH_MAX]; /* of the containers around p */
};

static struct notify_str rest_of(const struct scanner *s)
{
    return notify_str_of(s->p, (size_t)(s->end - s->p));
}

static void flush_kept(struct scanner *s)
{
    if (s->out != NULL)
        text_buf_add(s->out, notify_str_of(s->kept, (size_t)(s->p - s->kept)));
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The next character that counts, or 0 at the end (a raw NUL is an error wherever 0 is). */
static char next_token(struct scanner *s)
{
    if (s->out != NULL && s->p < s->end && is_blank(*s->p)) {
        flush_kept(s);
        while (s->p < s->end && is_blank(*s->p))
            s->p++;
        s->kept = s->p;
    }
    return s->p < s->end ? *s->p : '\0';
}

static bool scan_string(struct scanner *s)
{
    if (next_token(s) != '"')
        return false;
    s->p++;
    s->p += string_run(rest_of(s));
    if (s->p == s->end || *s->p != '"')
        return false;
    s->p++;
    return true;
}

static size_t scan_digits(struct scanner *s)
{
    const char *start = s->p;

    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    return (size_t)(s->p - start);
}

/* -? (0 | [1-9][0-9]*) (.[0-9]+)? ([eE][+-]?[0-9]+)? */
static bool scan_number(struct scanner *s)
{
    const char *start;
    size_t digits;

    if (*s->p == '-')
        s->p++;
    start = s->p;
    digits = scan_digits(s);
    if (digits == 0 || (digits > 1 && *start == '0'))
        return false;
    if (s->p < s->end && *s->p == '.') {
        s->p++;
        if (scan_digits(s) == 0)
            return false;
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        s->p++;
        if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
            s->p++;
        if (scan_digits(s) == 0)
            return false;
    }
    return true;
}

static bool scan_word(struct scanner *s, struct notify_str word)
{
    struct notify_str rest = rest_of(s);

    if (!take_prefix(&rest, word))
        return false;
    s->p += word.len;
    return true;
}

static bool scan_scalar(struct scanner *s)
{
    switch (*s->p) {
    case '"':
        return scan_string(s);
    case 't':
        return scan_word(s, NOTIFY_STR("true"));
    case 'f':
        return scan_word(s, NOTIFY_STR("false"));
    case 'n':
        return scan_word(s, NOTIFY_STR("null"));
    default:
        return scan_number(s);
    }
}

/* "name": */
static bool scan_name(struct scanner *s)
{
    if (!scan_string(s) || next_token(s) != ':')
        return false;
    s->p++;
    return true;
}

/* Everything up to the end of one scalar or of an empty container, opening containers on the way.
 */
static bool scan_inward(struct scanner *s)
{
    for (;;) {
        char c = next_token(s);
        bool is_object = c == '{';
        if (c == '\0')
            return false;
        if (c != '{' && c != '[')
            return scan_scalar(s);
        if (s->depth == JSON_TEXT_DEPTH_MAX)
            return false;
        s->is_object[s->depth++] = is_object;
        s->p++;
        if (next_token(s) == (is_object ? '}' : ']')) {
            s->p++;
            s->depth--;
            return true;
        }
        if (is_object && !scan_name(s))
            return false;
    }
}

/* After a value: closes containers; *ret_more when a comma announces another value. */
static bool scan_outward(struct scanner *s, bool *ret_more)
{
    *ret_more = false;
    while (s->depth > 0) {
        bool is_object = s->is_object[s->depth - 1];
        char c = next_token(s);
        if (c == ',') {
            s->p++;
            *ret_more = true;
            return !is_object || scan_name(s);
        }
        if (c != (is_object ? '}' : ']'))
            return false;
        s->p++;
        s->depth--;
    }
    return true;
}

static bool scan_document(struct scanner *s)
{
    bool more;

    do {
        if (!scan_inward(s) || !scan_outward(s, &more))
            return false;
    } while (more);
    (void)next_token(s);
    return s->p == s->end;
}

static void scanner_init(struct scanner *s, struct notify_str json, struct text_buf *out)
{
    s->p = json.ptr;
    s->end = json.ptr + json.len;
    s->kept = json.ptr;
    s->out = out;
    s->depth = 0;
}

bool json_text_minify(struct text_buf *out, struct notify_str json)
{
    size_t start = out->len;
    struct scanner s;

    if (json.len == 0)
        return false;
    scanner_init(&s, json, out);
    if (!scan_document(&s)) {
        out->len = start;
        return false;
    }
    flush_kept(&s);
    return true;
}

bool json_text_is_minified(struct notify_str json)
{
    struct scanner s;

    if (json.len == 0)
        return false;
    scanner_init(&s, json, NULL);
    return scan_document(&s);
}
