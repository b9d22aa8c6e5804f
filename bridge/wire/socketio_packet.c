#include "wire/socketio_packet.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "wire/inbound.h"
#include "wire/json_scan.h"

/* What is known of a type: its digit is its place. */
struct form {
    bool binary;
    bool event;      /* the array begins with a name */
    bool needs_json; /* which may be left out otherwise */
    char json[3];    /* by which it may begin */
};

static const struct form forms[] = {
    [SOCKETIO_CONNECT] = {.json = "{"},
    [SOCKETIO_DISCONNECT] = {.json = ""},
    [SOCKETIO_EVENT] = {.event = true, .needs_json = true, .json = "["},
    [SOCKETIO_ACK] = {.json = "["},
    [SOCKETIO_CONNECT_ERROR] = {.json = "{\""},
    [SOCKETIO_BINARY_EVENT] = {.binary = true, .event = true, .needs_json = true, .json = "["},
    [SOCKETIO_BINARY_ACK] = {.binary = true, .needs_json = true, .json = "["},
};

#define FORMS (sizeof(forms) / sizeof(forms[0]))

/* Names by which a client hears of its own connection. */
static const char *const reserved[] = {
    "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener",
};

static bool is_named(struct notify_str raw, const char *name)
{
    return raw.len >= 2 && raw.ptr[0] == '"' &&
           inbound_is_named(notify_str_of(raw.ptr + 1, raw.len - 2), name);
}

bool socketio_is_reserved(struct notify_str raw)
{
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
        if (is_named(raw, reserved[i]))
            return true;
    return false;
}

bool socketio_is_event(const struct socketio_packet *packet, const char *name)
{
    return is_named(packet->event, name);
}

static struct notify_str take(struct notify_str *text, size_t len)
{
    struct notify_str taken = notify_str_of(text->ptr, len);

    *text = notify_str_of(text->ptr + len, text->len - len);
    return taken;
}

static struct notify_str take_digits(struct notify_str *text)
{
    size_t len = 0;

    while (len < text->len && text->ptr[len] >= '0' && text->ptr[len] <= '9')
        len++;
    return take(text, len);
}

static bool take_type(struct socketio_packet *packet, struct notify_str *text)
{
    if (text->len == 0 || text->ptr[0] < '0' || text->ptr[0] >= '0' + (int)FORMS)
        return false;
    packet->type = (enum socketio_type)(take(text, 1).ptr[0] - '0');
    return true;
}

/* 1- to 10- */
static bool take_attachments(struct socketio_packet *packet, struct notify_str *text)
{
    struct notify_str digits;

    if (!forms[packet->type].binary)
        return true;
    digits = take_digits(text);
    if (digits.len == 0 || digits.len > 2 || digits.ptr[0] == '0' || text->len == 0 ||
        take(text, 1).ptr[0] != '-')
        return false;
    for (size_t i = 0; i < digits.len; i++)
        packet->attachments = packet->attachments * 10 + (unsigned)(digits.ptr[i] - '0');
    return packet->attachments <= SOCKETIO_ATTACHMENTS_MAX;
}

static bool is_printable(struct notify_str nsp)
{
    bool ascii = true;
    json_t *text;

    for (size_t i = 0; i < nsp.len; i++) {
        unsigned char c = (unsigned char)nsp.ptr[i];
        if (c < ' ' || c == 0x7f)
            return false;
        ascii = ascii && c < 0x80;
    }
    if (ascii)
        return true;
    text = json_stringn(nsp.ptr, nsp.len); /* NULL: no UTF-8 */
    json_decref(text);
    return text != NULL;
}

static bool take_nsp(struct socketio_packet *packet, struct notify_str *text)
{
    const char *comma;

    packet->nsp = NOTIFY_STR("/");
    if (text->len == 0 || text->ptr[0] != '/')
        return true;
    comma = memchr(text->ptr, ',', text->len);
    packet->nsp = take(text, comma == NULL ? text->len : (size_t)(comma - text->ptr));
    if (comma != NULL)
        (void)take(text, 1);
    return packet->nsp.len <= SOCKETIO_NSP_MAX && is_printable(packet->nsp);
}

static void on_element(void *ctx, struct notify_str value)
{
    struct socketio_packet *packet = ctx;

    if (forms[packet->type].event && packet->event.len == 0) {
        packet->event = value;
        return;
    }
    if (packet->argc++ == 0)
        packet->arg = packet->args = value;
    packet->args.len = (size_t)(value.ptr - packet->args.ptr) + value.len;
}

/* The members of CONNECT and of an error are for whoever wants them. */
static void on_member(void *ctx, struct notify_str name, struct notify_str value)
{
    (void)ctx;
    (void)name;
    (void)value;
}

static bool is_event_name(struct notify_str raw)
{
    /* An object, an array, true, false and null are none. */
    return raw.len > 0 && raw.ptr[0] != '\0' && strchr("{[tfn", raw.ptr[0]) == NULL &&
           !socketio_is_reserved(raw);
}

static bool read_json(struct socketio_packet *packet, struct notify_str json)
{
    const struct form *form = &forms[packet->type];

    if (json.len == 0)
        return !form->needs_json;
    if (strchr(form->json, json.ptr[0]) == NULL || json.ptr[0] == '\0')
        return false;
    packet->json = json;
    if (json.ptr[0] == '"')
        return json_scan_value(json);
    if (json.ptr[0] == '{')
        return json_scan_object(json, on_member, NULL);
    return json_scan_array(json, on_element, packet) &&
           (!form->event || is_event_name(packet->event));
}

bool socketio_read(struct notify_str text, struct socketio_packet *ret)
{
    *ret = (struct socketio_packet){.attachments = 0};
    if (!take_type(ret, &text) || !take_attachments(ret, &text) || !take_nsp(ret, &text))
        return false;
    ret->id = take_digits(&text);
    return ret->id.len <= SOCKETIO_ID_DIGITS && read_json(ret, text);
}

size_t socketio_write_head(char out[SOCKETIO_HEAD_MAX], const struct socketio_packet *packet)
{
    bool named = packet->nsp.len > 1; /* "/" is left out */
    size_t len = 0;

    assert(packet->nsp.len <= SOCKETIO_NSP_MAX && packet->id.len <= SOCKETIO_ID_DIGITS);
    out[len++] = '4'; /* Engine.IO: a message */
    out[len++] = (char)('0' + packet->type);
    if (forms[packet->type].binary) {
        if (packet->attachments >= 10)
            out[len++] = (char)('0' + packet->attachments / 10);
        out[len++] = (char)('0' + packet->attachments % 10);
        out[len++] = '-';
    }
    if (named) {
        memcpy(out + len, packet->nsp.ptr, packet->nsp.len);
        len += packet->nsp.len;
        out[len++] = ',';
    }
    if (packet->id.len > 0)
        memcpy(out + len, packet->id.ptr, packet->id.len);
    return len + packet->id.len;
}
