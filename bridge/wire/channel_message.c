#include "wire/channel_message.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "wire/blanks.h"
#include "wire/event.h"
#include "wire/json_scan.h"

/* A text while it is written; NULL: out of memory. */
struct writing {
    char *text;
    size_t len;
};

static void write_text(struct writing *to, struct notify_str text)
{
    if (text.len > 0)
        memcpy(to->text + to->len, text.ptr, text.len);
    to->len += text.len;
}

#define BLANKS NOTIFY_STR(" \t\n\r") /* of JSON */

static bool is_blank(char c)
{
    return memchr(BLANKS.ptr, c, BLANKS.len) != NULL;
}

/* Well-formed JSON without blanks outside strings, as in all other messages. */
static void write_json(struct writing *to, struct notify_str json)
{
    bool in_string = false;

    for (size_t i = 0; i < json.len; i++) {
        char c = json.ptr[i];
        if (!in_string && is_blank(c))
            continue;
        to->text[to->len++] = c;
        if (in_string && c == '\\')
            to->text[to->len++] = json.ptr[++i];
        else if (c == '"')
            in_string = !in_string;
    }
}

/* RFC 4648, 4: with the alphabet that browsers read (atob). */
static void write_base64(struct writing *to, struct notify_str bytes)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < n ? (unsigned char)bytes.ptr[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            to->text[to->len++] = k <= n ? alphabet[bits >> (18 - 6 * k) & 63] : '=';
    }
}

/* The text as a JSON string, owned by the caller; NULL: it is no UTF-8, or out of memory. */
static char *quote(struct notify_str text)
{
    json_t *string = json_stringn(text.ptr == NULL ? "" : text.ptr, text.len);
    char *quoted = string == NULL ? NULL : json_dumps(string, JSON_ENCODE_ANY);

    json_decref(string);
    return quoted;
}

/* What stands behind "data":. string: the payload quoted; or NULL. */
static void write_data(struct writing *to, struct notify_str payload, const char *string)
{
    struct notify_str json = blanks_trim(payload, BLANKS);

    if (json_scan_value(json)) {
        write_json(to, json);
    } else if (string != NULL) {
        write_text(to, notify_str_z(string));
    } else {
        write_text(to, NOTIFY_STR("\""));
        write_base64(to, payload);
        write_text(to, NOTIFY_STR("\",\"encoding\":\"base64\""));
    }
}

struct event *channel_message_event(struct notify_str channel, struct notify_str pattern,
                                    struct notify_str payload)
{
    char *name = quote(channel), *fits = quote(pattern), *string = quote(payload);
    size_t strings = name == NULL || fits == NULL ? 0 : strlen(name) + strlen(fits);
    size_t data = payload.len / 3 * 4 + (string == NULL ? 0 : strlen(string));
    struct writing to = {.text = strings == 0 ? NULL : malloc(strings + data + 128)};
    struct event *event = NULL;

    if (to.text != NULL) {
        write_text(&to, NOTIFY_STR("{\"type\":\"channel_message\",\"channel\":"));
        write_text(&to, notify_str_z(name));
        if (pattern.len > 0) {
            write_text(&to, NOTIFY_STR(",\"pattern\":"));
            write_text(&to, notify_str_z(fits));
        }
        write_text(&to, NOTIFY_STR(",\"data\":"));
        write_data(&to, payload, string);
        write_text(&to, NOTIFY_STR("}"));
        event = event_plain(notify_str_of(to.text, to.len));
    }
    free(name);
    free(fits);
    free(string);
    free(to.text);
    return event;
}
