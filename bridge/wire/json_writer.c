#include "wire/json_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/text.h"

#define FIRST_CAP 512  /* a greeting has 200 to 300 bytes */
#define ESCAPE_BYTES 7 /* \u001f, and a NUL */

static bool make_room(struct json_writer *writer, size_t len)
{
    size_t cap = writer->cap == 0 ? FIRST_CAP : writer->cap;
    char *bytes;

    if (writer->failed)
        return false;
    if (len <= writer->cap - writer->len)
        return true;
    while (cap - writer->len < len)
        cap *= 2;
    bytes = realloc(writer->bytes, cap);
    writer->failed = bytes == NULL;
    if (bytes == NULL)
        return false;
    writer->bytes = bytes;
    writer->cap = cap;
    return true;
}

void json_writer_add(struct json_writer *writer, struct notify_str raw)
{
    if (raw.len == 0 || !make_room(writer, raw.len))
        return;
    memcpy(writer->bytes + writer->len, raw.ptr, raw.len);
    writer->len += raw.len;
}

static bool is_plain(unsigned char c)
{
    return c >= ' ' && c != '"' && c != '\\';
}

/* Of a byte that may not stand in a string as it is. */
static struct notify_str escape(char out[ESCAPE_BYTES], unsigned char c)
{
    static const char with_names[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
    const char *at = c == '\0' ? NULL : strchr(with_names, c);

    if (at == NULL)
        return notify_str_of(out, (size_t)snprintf(out, ESCAPE_BYTES, "\\u%04X", c));
    out[0] = '\\';
    out[1] = names[at - with_names];
    return notify_str_of(out, 2);
}

void json_writer_add_string(struct json_writer *writer, struct notify_str text)
{
    char out[ESCAPE_BYTES];
    size_t plain = 0; /* the first that is still to be copied */

    json_writer_add(writer, NOTIFY_STR("\""));
    for (size_t i = 0; i < text.len; i++) {
        if (is_plain((unsigned char)text.ptr[i]))
            continue;
        json_writer_add(writer, notify_str_of(text.ptr + plain, i - plain));
        json_writer_add(writer, escape(out, (unsigned char)text.ptr[i]));
        plain = i + 1;
    }
    if (plain < text.len)
        json_writer_add(writer, notify_str_of(text.ptr + plain, text.len - plain));
    json_writer_add(writer, NOTIFY_STR("\""));
}

static void add_printed(struct json_writer *writer, const json_t *value)
{
    char *printed = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    if (printed == NULL)
        writer->failed = true;
    else
        json_writer_add(writer, notify_str_z(printed));
    free(printed);
}

static void add_array(struct json_writer *writer, const json_t *array)
{
    json_writer_add(writer, NOTIFY_STR("["));
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0)
            json_writer_add(writer, NOTIFY_STR(","));
        json_writer_add_json(writer, json_array_get(array, i));
    }
    json_writer_add(writer, NOTIFY_STR("]"));
}

void json_writer_add_json(struct json_writer *writer, const json_t *value)
{
    if (json_is_string(value))
        json_writer_add_string(writer,
                               notify_str_of(json_string_value(value), json_string_length(value)));
    else if (json_is_array(value))
        add_array(writer, value);
    else
        add_printed(writer, value);
}

bool json_writer_end(struct json_writer *writer, struct text *ret)
{
    char *bytes = writer->bytes;
    size_t len = writer->len;
    bool failed = writer->failed || bytes == NULL;

    *writer = (struct json_writer){.len = 0};
    *ret = (struct text){.len = 0};
    if (failed) {
        free(bytes);
        return false;
    }
    *ret = text_of(notify_str_of(bytes, len));
    ret->owned = bytes;
    return true;
}
