/* query -- query parameters of a request: finding one by name, percent-decoding it. */
#include "net/http.h"

#include <stdlib.h>
#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20; /* lower case */
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes the character at *pos and moves *pos past it. -1: malformed, or a NUL byte. */
static int next_char(struct notify_str text, size_t *pos)
{
    char c = text.ptr[*pos];
    int high, low;

    (*pos)++;
    if (c == '+')
        return ' ';
    if (c != '%')
        return c == '\0' ? -1 : (unsigned char)c;
    if (text.len - *pos < 2)
        return -1;
    high = hex_digit(text.ptr[*pos]);
    low = hex_digit(text.ptr[*pos + 1]);
    *pos += 2;
    if (high < 0 || low < 0 || (high | low) == 0)
        return -1;
    return high << 4 | low;
}

static int decode(struct notify_str text, char *out, size_t cap)
{
    size_t len = 0;
    size_t pos = 0;

    while (pos < text.len) {
        int c = next_char(text, &pos);

        if (c < 0 || len + 1 >= cap)
            return -1;
        out[len++] = (char)c;
    }
    if (cap == 0)
        return -1;
    out[len] = '\0';
    return (int)len;
}

static bool name_is(struct notify_str text, const char *name)
{
    size_t pos = 0;

    while (pos < text.len) {
        int c = next_char(text, &pos);

        if (*name == '\0' || c != (unsigned char)*name)
            return false;
        name++;
    }
    return *name == '\0';
}

/* Cuts off the text before the first sep; false if there is none, then *ret_head is all of it. */
static bool cut(struct notify_str text, char sep, struct notify_str *ret_head,
                struct notify_str *ret_tail)
{
    const char *at = text.len == 0 ? NULL : memchr(text.ptr, sep, text.len);

    if (at == NULL) {
        *ret_head = text;
        *ret_tail = (struct notify_str){NULL, 0};
        return false;
    }
    *ret_head = notify_str_of(text.ptr, (size_t)(at - text.ptr));
    *ret_tail = notify_str_of(at + 1, text.len - ret_head->len - 1);
    return true;
}

/* The raw value of the first parameter of that name; false when there is none. */
static bool find_arg(const struct http_request *req, const char *name, struct notify_str *ret_value)
{
    struct notify_str rest = req->query;

    while (rest.len > 0) {
        struct notify_str pair, key;

        (void)cut(rest, '&', &pair, &rest);    /* rest is empty after the last one */
        (void)cut(pair, '=', &key, ret_value); /* a name alone has an empty value */
        if (name_is(key, name))
            return true;
    }
    return false;
}

bool http_request_has(const struct http_request *req, const char *name)
{
    struct notify_str value;

    return find_arg(req, name, &value);
}

int http_request_arg(const struct http_request *req, const char *name, char *out, size_t cap)
{
    struct notify_str value;

    return find_arg(req, name, &value) ? decode(value, out, cap) : -1;
}

int http_query_next(struct notify_str *rest, char *out, struct notify_str *ret_name,
                    struct notify_str *ret_value)
{
    struct notify_str pair = {NULL, 0}, name, value;
    int name_len, value_len;

    while (pair.len == 0) {
        if (rest->len == 0)
            return 0;
        (void)cut(*rest, '&', &pair, rest);
    }
    (void)cut(pair, '=', &name, &value);
    name_len = decode(name, out, name.len + 1);
    if (name_len < 0)
        return -1;
    value_len = decode(value, out + name_len + 1, value.len + 1);
    if (value_len < 0)
        return -1;
    *ret_name = notify_str_of(out, (size_t)name_len);
    *ret_value = notify_str_of(out + name_len + 1, (size_t)value_len);
    return 1;
}
