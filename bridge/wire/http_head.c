/* http_head -- request heads, strictly. */
#include "wire/http_head.h"

#include <string.h>
#include <strings.h>

#include "wire/blanks.h"

enum {
    STATUS_BAD_REQUEST = 400,
    STATUS_URI_TOO_LONG = 414,
    STATUS_EXPECTATION_FAILED = 417,
    STATUS_HEADER_TOO_LARGE = 431,
    STATUS_NOT_IMPLEMENTED = 501,
    STATUS_VERSION = 505,
};

#define MAX_LENGTH_DIGITS 15

/* What a byte may be part of. */
enum {
    IN_TOKEN = 1,  /* RFC 9110, 5.6.2 */
    IN_TARGET = 2, /* RFC 3986, but for '%', which needs two digits behind it */
    IN_HOST = 4,
    IN_VALUE = 8, /* RFC 9110, 5.5, with blanks and obs-text */
};

static unsigned find_class(unsigned char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return IN_TOKEN | IN_TARGET | IN_HOST | IN_VALUE;
    switch (c) {
    case '-':
    case '.':
    case '_':
    case '~':
        return IN_TOKEN | IN_TARGET | IN_HOST | IN_VALUE;
    case '!':
    case '$':
    case '&':
    case '\'':
    case '*':
    case '+':
        return IN_TOKEN | IN_TARGET | IN_VALUE;
    case '#':
    case '%':
    case '^':
    case '`':
    case '|':
        return IN_TOKEN | IN_VALUE;
    case '(':
    case ')':
    case ',':
    case '/':
    case ':':
    case ';':
    case '=':
    case '?':
    case '@':
    case '[':
    case ']':
        return IN_TARGET | IN_VALUE;
    default:
        return c == '\t' || (c >= ' ' && c != 0x7F) ? IN_VALUE : 0;
    }
}

/* Looked up: there are hundreds of bytes in a head. */
static uint8_t classes[UINT8_MAX + 1];

/* Called before any is looked at. */
static void learn_classes(void)
{
    static bool known;

    for (unsigned i = 0; !known && i <= UINT8_MAX; i++)
        classes[i] = (uint8_t)find_class((unsigned char)i);
    known = true;
}

static unsigned class_of(unsigned char c)
{
    return classes[c];
}

static bool all_in(struct notify_str text, unsigned class)
{
    for (size_t i = 0; i < text.len; i++)
        if (!(class_of((unsigned char)text.ptr[i]) & class))
            return false;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool http_equal(struct notify_str text, const char *word)
{
    return strlen(word) == text.len &&
           (text.len == 0 || strncasecmp(text.ptr, word, text.len) == 0);
}

/* Scanning. */

/* A line has ended before at. One blank line is allowed before the request line (RFC 9112, 2.2); a
 * blank line after it ends the head. */
static int end_line(struct http_scan *scan, size_t at)
{
    size_t begin = scan->line, len = at - 2 - begin;

    scan->line = at;
    if (len > 0) {
        scan->has_request_line = true;
        return HTTP_SCAN_MORE;
    }
    if (scan->has_request_line) {
        scan->end = at;
        return 0;
    }
    return begin == 0 ? HTTP_SCAN_MORE : STATUS_BAD_REQUEST;
}

/* Too much of what is not whole yet. */
static int check_size(const struct http_scan *scan)
{
    if (!scan->has_request_line && scan->at - scan->line > HTTP_LINE_MAX)
        return STATUS_URI_TOO_LONG;
    return scan->at > HTTP_HEAD_MAX ? STATUS_HEADER_TOO_LARGE : HTTP_SCAN_MORE;
}

/* Bytes of a line that neither end it nor pass a limit. */
static void skip_plain(struct http_scan *scan, const char *bytes, size_t len)
{
    size_t most = scan->has_request_line || scan->line + HTTP_LINE_MAX > HTTP_HEAD_MAX
                      ? HTTP_HEAD_MAX
                      : scan->line + HTTP_LINE_MAX;

    if (scan->at > scan->line && bytes[scan->at - 1] == '\r')
        return;
    while (scan->at < len && scan->at < most &&
           (class_of((unsigned char)bytes[scan->at]) & IN_VALUE))
        scan->at++;
}

int http_scan(struct http_scan *scan, const char *bytes, size_t len)
{
    learn_classes();
    while (skip_plain(scan, bytes, len), scan->at < len) {
        unsigned char c = (unsigned char)bytes[scan->at];
        bool after_cr = scan->at > scan->line && bytes[scan->at - 1] == '\r';
        int status;

        if ((c == '\n') != after_cr || (c != '\r' && c != '\n' && !(class_of(c) & IN_VALUE)))
            return STATUS_BAD_REQUEST;
        scan->at++;
        status = c == '\n' ? end_line(scan, scan->at) : HTTP_SCAN_MORE;
        if (status == HTTP_SCAN_MORE)
            status = check_size(scan);
        if (status != HTTP_SCAN_MORE)
            return status;
    }
    return HTTP_SCAN_MORE;
}

/* The request line. */

/* Takes text up to c off *rest, and c with it. False: there is no c. */
static bool take_until(struct notify_str *rest, char c, struct notify_str *ret)
{
    const char *end = rest->len == 0 ? NULL : memchr(rest->ptr, c, rest->len);

    if (end == NULL)
        return false;
    *ret = notify_str_of(rest->ptr, (size_t)(end - rest->ptr));
    *rest = notify_str_of(end + 1, rest->len - ret->len - 1);
    return true;
}

/* HTTP/1.2 and later are read as 1.1, the highest that is spoken here (RFC 9110, 2.5). */
static int parse_version(struct http_head *head, struct notify_str text)
{
    if (text.len != 8 || memcmp(text.ptr, "HTTP/", 5) != 0 || !is_digit(text.ptr[5]) ||
        text.ptr[6] != '.' || !is_digit(text.ptr[7]))
        return STATUS_BAD_REQUEST;
    if (text.ptr[5] != '1')
        return STATUS_VERSION;
    head->minor = text.ptr[7] == '0' ? 0 : 1;
    return 0;
}

/* Each '%' has two hexadecimal digits behind it, and none of them makes a NUL. */
static bool are_escapes_good(struct notify_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '%')
            continue;
        if (text.len - i < 3 || !is_hex(text.ptr[i + 1]) || !is_hex(text.ptr[i + 2]) ||
            (text.ptr[i + 1] == '0' && text.ptr[i + 2] == '0'))
            return false;
    }
    return true;
}

static bool are_target_bytes(struct notify_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] != '%' && !(class_of((unsigned char)text.ptr[i]) & IN_TARGET))
            return false;
    return true;
}

/* host[:port], where host may be an address in brackets. No user (RFC 9110, 4.2.4). */
static bool is_host(struct notify_str text)
{
    struct notify_str name = text;

    if (text.len > 0 && text.ptr[0] == '[') {
        struct notify_str rest = text;
        if (!take_until(&rest, ']', &name) || name.len < 3)
            return false;
        for (size_t i = 1; i < name.len; i++)
            if (!is_hex(name.ptr[i]) && name.ptr[i] != ':' && name.ptr[i] != '.')
                return false;
        text = rest;
        if (text.len == 0)
            return true;
        if (text.ptr[0] != ':')
            return false;
        text = notify_str_of(text.ptr + 1, text.len - 1);
    } else {
        if (!take_until(&text, ':', &name))
            return all_in(text, IN_HOST);
        if (name.len == 0 || !all_in(name, IN_HOST))
            return false;
    }
    for (size_t i = 0; i < text.len; i++)
        if (!is_digit(text.ptr[i]))
            return false;
    return text.len <= 5;
}

static bool has_prefix(struct notify_str text, const char *prefix)
{
    size_t len = strlen(prefix);

    return text.len >= len && strncasecmp(text.ptr, prefix, len) == 0;
}

/* The absolute form (RFC 9112, 3.2.2): takes scheme and host off *target. */
static bool take_authority(struct http_head *head, struct notify_str *target)
{
    size_t scheme = has_prefix(*target, "http://") ? 7 : has_prefix(*target, "https://") ? 8 : 0;
    struct notify_str rest;
    size_t len = 0;

    if (scheme == 0)
        return false;
    rest = notify_str_of(target->ptr + scheme, target->len - scheme);
    while (len < rest.len && rest.ptr[len] != '/' && rest.ptr[len] != '?')
        len++;
    head->host = notify_str_of(rest.ptr, len);
    *target = notify_str_of(rest.ptr + len, rest.len - len);
    return len > 0 && is_host(head->host);
}

static int parse_target(struct http_head *head, struct notify_str target)
{
    if (target.len > HTTP_TARGET_MAX)
        return STATUS_URI_TOO_LONG;
    if (http_equal(target, "*")) {
        head->path = target;
        return notify_str_eq(head->method, NOTIFY_STR("OPTIONS")) ? 0 : STATUS_BAD_REQUEST;
    }
    if (!are_target_bytes(target))
        return STATUS_BAD_REQUEST;
    head->bad_escape = !are_escapes_good(target);
    if (target.len > 0 && target.ptr[0] != '/' && !take_authority(head, &target))
        return STATUS_BAD_REQUEST;
    if (!take_until(&target, '?', &head->path))
        head->path = target;
    else
        head->query = target.ptr == NULL ? notify_str_of("", 0) : target;
    if (head->path.len == 0)
        head->path = NOTIFY_STR("/");
    return 0;
}

static int parse_request_line(struct http_head *head, struct notify_str line)
{
    struct notify_str target;
    int status;

    if (!take_until(&line, ' ', &head->method) || !take_until(&line, ' ', &target) ||
        head->method.len == 0 || target.len == 0 || !all_in(head->method, IN_TOKEN))
        return STATUS_BAD_REQUEST;
    status = parse_version(head, line);
    if (status != 0)
        return status;
    if (head->method.len > HTTP_METHOD_MAX ||
        notify_str_eq(head->method, NOTIFY_STR("CONNECT"))) /* whose target has its own form */
        return STATUS_NOT_IMPLEMENTED;
    return parse_target(head, target);
}

/* Fields. */

#define BLANKS NOTIFY_STR(" \t") /* "OWS" */

/* Blanks before the colon, lines without one and folded lines are no names. */
static int parse_field(struct http_head *head, struct notify_str line)
{
    struct http_field *field = &head->fields[head->field_count];

    if (head->field_count == HTTP_FIELDS_MAX)
        return STATUS_HEADER_TOO_LARGE;
    if (!take_until(&line, ':', &field->name) || field->name.len == 0 ||
        !all_in(field->name, IN_TOKEN))
        return STATUS_BAD_REQUEST;
    field->value = blanks_trim(line, BLANKS);
    head->field_count++;
    return 0;
}

struct notify_str http_field(const struct http_head *head, const char *name, unsigned *ret_count)
{
    struct notify_str value = {NULL, 0};
    unsigned count = 0;

    for (uint32_t i = 0; i < head->field_count; i++)
        if (http_equal(head->fields[i].name, name) && count++ == 0)
            value = head->fields[i].value;
    if (ret_count != NULL)
        *ret_count = count;
    return value;
}

bool http_list_next(const struct http_head *head, const char *name, struct http_list_at *at,
                    struct notify_str *ret_element)
{
    for (; at->field < head->field_count; at->field++, at->offset = 0) {
        const struct http_field *field = &head->fields[at->field];

        if (!http_equal(field->name, name))
            continue;
        while (at->offset < field->value.len) {
            struct notify_str rest =
                notify_str_of(field->value.ptr + at->offset, field->value.len - at->offset);
            struct notify_str element = rest;

            (void)take_until(&rest, ',', &element); /* or it is the last one */
            at->offset += element.len + 1;
            *ret_element = blanks_trim(element, BLANKS);
            if (ret_element->len > 0)
                return true;
        }
    }
    return false;
}

bool http_list_has(const struct http_head *head, const char *name, const char *element)
{
    struct http_list_at at = {0};
    struct notify_str found;

    while (http_list_next(head, name, &at, &found))
        if (http_equal(found, element))
            return true;
    return false;
}

/* What the fields mean. */

static int check_host(struct http_head *head)
{
    unsigned count;
    struct notify_str host = http_field(head, "Host", &count);

    if (count > 1 || (count == 0 && head->minor == 1) || !is_host(host))
        return STATUS_BAD_REQUEST;
    if (head->host.len == 0)
        head->host = host;
    return 0;
}

static int read_length(struct http_head *head, struct notify_str text)
{
    if (text.len == 0 || text.len > MAX_LENGTH_DIGITS)
        return STATUS_BAD_REQUEST;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.ptr[i]))
            return STATUS_BAD_REQUEST;
        head->length = head->length * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    head->framing = HTTP_LENGTH;
    return 0;
}

/* Where the body ends (RFC 9112, 6.3). Two answers to that question are none. */
static int find_framing(struct http_head *head)
{
    unsigned lengths, codings;
    struct notify_str length = http_field(head, "Content-Length", &lengths);
    struct notify_str coding = http_field(head, "Transfer-Encoding", &codings);

    if (lengths + codings > 1 || (codings > 0 && head->minor == 0))
        return STATUS_BAD_REQUEST;
    if (lengths > 0)
        return read_length(head, length);
    if (codings == 0)
        return 0;
    head->framing = HTTP_CHUNKED;
    if (http_equal(coding, "chunked"))
        return 0;
    return coding.len > 0 && all_in(coding, IN_TOKEN) ? STATUS_NOT_IMPLEMENTED : STATUS_BAD_REQUEST;
}

static int check_expect(struct http_head *head)
{
    unsigned count;
    struct notify_str expect = http_field(head, "Expect", &count);

    if (count == 0 || head->minor == 0)
        return 0;
    head->expects_continue = count == 1 && http_equal(expect, "100-continue");
    return head->expects_continue ? 0 : STATUS_EXPECTATION_FAILED;
}

static void read_connection(struct http_head *head)
{
    head->keep_alive = http_list_has(head, "Connection", "keep-alive");
    head->close =
        http_list_has(head, "Connection", "close") || (head->minor == 0 && !head->keep_alive);
    head->upgrade = head->minor == 1 && http_list_has(head, "Connection", "upgrade");
}

/* The next line of *rest, which has one: http_scan() has seen its CR LF. */
static struct notify_str take_line(struct notify_str *rest)
{
    struct notify_str line = {NULL, 0};

    (void)take_until(rest, '\r', &line);
    *rest = notify_str_of(rest->ptr + 1, rest->len - 1);
    return line;
}

int http_head_parse(struct http_head *ret, const char *bytes, size_t len)
{
    struct notify_str rest = notify_str_of(bytes, len), line = take_line(&rest);
    int status;

    learn_classes();
    memset(ret, 0, offsetof(struct http_head, fields));
    if (line.len == 0)
        line = take_line(&rest);
    status = parse_request_line(ret, line);
    while (status == 0 && (line = take_line(&rest)).len > 0)
        status = parse_field(ret, line);
    if (status == 0)
        status = check_host(ret);
    if (status == 0)
        status = find_framing(ret);
    if (status == 0)
        status = check_expect(ret);
    if (status == 0)
        read_connection(ret);
    return status;
}
