#include "wire/exposition.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 63 /* bytes of one; a longer one is none */

static struct notify_str take(struct notify_str *from, size_t len)
{
    struct notify_str taken = notify_str_of(from->ptr, len);

    *from = notify_str_of(from->ptr + len, from->len - len);
    return taken;
}

static struct notify_str take_line(struct notify_str *rest)
{
    const char *end = memchr(rest->ptr, '\n', rest->len);
    struct notify_str line = take(rest, end == NULL ? rest->len : (size_t)(end - rest->ptr));

    if (rest->len > 0)
        (void)take(rest, 1);
    return line;
}

static bool is_of_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == ':';
}

/* Up to the brace that ends the labels; a brace in a value is none. 0: there is no such. */
static size_t labels_len(struct notify_str text)
{
    bool quoted = false;

    for (size_t i = 0; i < text.len; i++) {
        if (quoted && text.ptr[i] == '\\')
            i++;
        else if (text.ptr[i] == '"')
            quoted = !quoted;
        else if (!quoted && text.ptr[i] == '}')
            return i;
    }
    return 0;
}

static bool take_labels(struct notify_str *line, struct notify_str *ret)
{
    *ret = (struct notify_str){NULL, 0};
    if (line->len == 0 || line->ptr[0] != '{')
        return true;
    (void)take(line, 1);
    *ret = notify_str_of(line->ptr, labels_len(*line));
    if (ret->len == 0)
        return false;
    (void)take(line, ret->len + 1);
    return true;
}

/* One blank, and the number behind it; a time behind that does not matter. */
static bool take_value(struct notify_str *line, double *ret)
{
    char text[NUMBER_MAX + 1];
    size_t len = 0;
    char *end;

    if (line->len == 0 || line->ptr[0] != ' ')
        return false;
    (void)take(line, 1);
    while (len < line->len && line->ptr[len] != ' ')
        len++;
    if (len == 0 || len > NUMBER_MAX)
        return false;
    memcpy(text, line->ptr, len);
    text[len] = '\0';
    *ret = strtod(text, &end);
    return *end == '\0' && !isnan(*ret);
}

static bool read_sample(struct notify_str line, struct exposition_sample *ret)
{
    size_t len = 0;

    while (len < line.len && is_of_name(line.ptr[len]))
        len++;
    if (len == 0)
        return false;
    ret->name = take(&line, len);
    return take_labels(&line, &ret->labels) && take_value(&line, &ret->value);
}

bool exposition_next(struct notify_str *rest, struct exposition_sample *ret)
{
    while (rest->len > 0)
        if (read_sample(take_line(rest), ret))
            return true;
    return false;
}

/* The length of a value behind its quote. */
static size_t value_len(struct notify_str text)
{
    size_t i = 0;

    while (i < text.len && text.ptr[i] != '"')
        i += text.ptr[i] == '\\' ? 2 : 1;
    return i < text.len ? i : text.len;
}

bool exposition_label(struct notify_str labels, const char *name, struct notify_str *ret)
{
    while (labels.len > 0) {
        const char *sign = memchr(labels.ptr, '=', labels.len);
        struct notify_str found;
        if (sign == NULL)
            return false;
        found = take(&labels, (size_t)(sign - labels.ptr));
        (void)take(&labels, labels.len < 2 ? labels.len : 2); /* ="  */
        *ret = take(&labels, value_len(labels));
        (void)take(&labels, labels.len < 2 ? labels.len : 2); /* ", */
        if (notify_str_eq(found, notify_str_z(name)))
            return true;
    }
    return false;
}
