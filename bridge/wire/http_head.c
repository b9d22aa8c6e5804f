#include "wire/http_head.h"

#include <string.h>
#include <strings.h>

#define REFUSED "%FF"
#define PLUS "%2B"

size_t http_head_end(struct notify_str text)
{
    for (size_t i = 0; i + 1 < text.len; i++) {
        size_t next = i + 1;
        if (text.ptr[i] != '\n')
            continue;
        if (text.ptr[next] == '\r')
            next++;
        if (next < text.len && text.ptr[next] == '\n')
            return next + 1;
    }
    return 0;
}

bool http_head_begins(struct notify_str text)
{
    return text.ptr[0] >= 'A' && text.ptr[0] <= 'Z';
}

static size_t put(char *out, const char *bytes, size_t len)
{
    if (len > 0)
        memcpy(out, bytes, len);
    return len;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20; /* lower case */
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that the escape at the beginning of text stands for; -1: none. */
static int escaped_byte(struct notify_str text)
{
    int high = text.len < 3 ? -1 : hex_digit(text.ptr[1]);
    int low = text.len < 3 ? -1 : hex_digit(text.ptr[2]);

    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static size_t carry_target(char *out, struct notify_str target)
{
    bool in_path = true;
    size_t len = 0;

    for (size_t i = 0; i < target.len; i++) {
        char c = target.ptr[i];
        int byte;
        in_path = in_path && c != '?';
        if (c != '%') {
            len += in_path && c == '+' ? put(out + len, PLUS, strlen(PLUS)) : put(out + len, &c, 1);
            continue;
        }
        byte = escaped_byte(notify_str_of(target.ptr + i, target.len - i));
        if (byte < ' ' || byte == 0x7f || (in_path && byte == '/'))
            len += put(out + len, REFUSED, strlen(REFUSED));
        else
            len += put(out + len, target.ptr + i, 3);
        i += byte < 0 ? 0 : 2;
    }
    return len;
}

/* What stands before the first byte that is one of these, or all of it. */
static struct notify_str up_to(struct notify_str text, const char *ends)
{
    size_t len = 0;

    while (len < text.len && (text.ptr[len] == '\0' || strchr(ends, text.ptr[len]) == NULL))
        len++;
    return notify_str_of(text.ptr, len);
}

static struct notify_str behind(struct notify_str text, size_t len)
{
    return notify_str_of(text.ptr + len, text.len - len);
}

/* With its line feed, if it has one. */
static struct notify_str first_line(struct notify_str text)
{
    size_t len = up_to(text, "\n").len;

    return notify_str_of(text.ptr, len < text.len ? len + 1 : len);
}

static bool has_name(struct notify_str line, const char *name)
{
    size_t len = strlen(name);

    return line.len > len && strncasecmp(line.ptr, name, len) == 0 && line.ptr[len] == ':';
}

static bool announces_body(struct notify_str line)
{
    return has_name(line, "content-length") || has_name(line, "transfer-encoding");
}

/* Lines behind the first one. False: they announce a body. */
static bool carry_lines(char *out, size_t *len, struct notify_str rest)
{
    struct notify_str line;

    for (; rest.len > 0; rest = behind(rest, line.len)) {
        line = first_line(rest);
        if (announces_body(line))
            return false;
        if (!has_name(line, "sec-websocket-protocol"))
            *len += put(out + *len, line.ptr, line.len);
    }
    return true;
}

size_t http_head_carry(char *out, struct notify_str head)
{
    struct notify_str method = up_to(head, " \r\n");
    struct notify_str rest = behind(head, method.len), target, line;
    size_t len = put(out, method.ptr, method.len);

    if (rest.len > 0 && rest.ptr[0] == ' ') {
        len += put(out + len, " ", 1);
        target = up_to(behind(rest, 1), " \r\n");
        len += carry_target(out + len, target);
        rest = behind(rest, 1 + target.len);
    }
    line = first_line(rest);
    len += put(out + len, line.ptr, line.len);
    if (!carry_lines(out, &len, behind(rest, line.len)))
        return 0;
    return notify_str_eq(notify_str_of(out, len), head) ? 0 : len;
}
