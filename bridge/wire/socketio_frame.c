#include "wire/socketio_frame.h"

#include <stdlib.h>
#include <string.h>

#include "wire/frame.h"
#include "wire/json_scan.h"
#include "wire/socketio_packet.h"
#include "wire/text.h"
#include "wire/ws_frame.h"

#define NO_NAME NOTIFY_STR("\"event\"")

/* A packet in pieces: its head, bracket, name and comma, the object, and a bracket. */
struct packet {
    char head[SOCKETIO_HEAD_MAX];
    size_t len;
    struct notify_str parts[TEXT_PARTS_MAX + 5];
    char *owned;
};

static void add(struct packet *packet, struct notify_str part)
{
    packet->parts[packet->len++] = part;
}

static bool is_string(struct notify_str raw)
{
    return raw.len >= 2 && raw.ptr[0] == '"';
}

bool socketio_frame_is_kept_name(struct notify_str type)
{
    /* python-socketio takes "*" for whoever hears everything. */
    return socketio_is_reserved(type) || notify_str_eq(type, NOTIFY_STR("\"*\""));
}

static void add_head(struct packet *packet, const struct text *text)
{
    bool is_ack = text->ack.len > 0;
    struct socketio_packet head = {.type = is_ack ? SOCKETIO_ACK : SOCKETIO_EVENT, .id = text->ack};

    add(packet, notify_str_of(packet->head, socketio_write_head(packet->head, &head)));
    add(packet, NOTIFY_STR("["));
    if (is_ack)
        return;
    add(packet,
        is_string(text->type) && !socketio_frame_is_kept_name(text->type) ? text->type : NO_NAME);
    add(packet, NOTIFY_STR(","));
}

static void find_error(void *ctx, struct notify_str name, struct notify_str value)
{
    if (notify_str_eq(name, NOTIFY_STR("error")) && value.ptr[0] == '{')
        *(struct notify_str *)ctx = value;
}

static bool join(struct packet *packet, const struct text *text, struct notify_str *ret)
{
    size_t len = 0;

    for (size_t i = 0; i < text->len; i++)
        len += text->parts[i].len;
    packet->owned = malloc(len + 1);
    if (packet->owned == NULL)
        return false;
    *ret = notify_str_of(packet->owned, 0);
    for (size_t i = 0; i < text->len; i++) {
        memcpy(packet->owned + ret->len, text->parts[i].ptr, text->parts[i].len);
        ret->len += text->parts[i].len;
    }
    return true;
}

/* {"type":"error","error":{"code":…}}  becomes  {"code":…,"type":"error","error":{"code":…}}: a
 * handler that shows the text of an error looks for it at the top. False: out of memory. */
static bool add_error(struct packet *packet, const struct text *text)
{
    struct notify_str whole, inner = {NULL, 0};

    if (!join(packet, text, &whole))
        return false;
    if (!json_scan_object(whole, find_error, &inner) || inner.len <= 2 || whole.ptr[0] != '{') {
        add(packet, whole);
        return true;
    }
    add(packet, notify_str_of(inner.ptr, inner.len - 1));
    add(packet, NOTIFY_STR(","));
    add(packet, notify_str_of(whole.ptr + 1, whole.len - 1));
    return true;
}

static bool add_object(struct packet *packet, const struct text *text)
{
    if (notify_str_eq(text->type, NOTIFY_STR("\"error\"")))
        return add_error(packet, text);
    for (size_t i = 0; i < text->len; i++)
        add(packet, text->parts[i]);
    return true;
}

static struct frame *join_open(const struct packet *packet)
{
    size_t len = 0;
    struct frame *frame;

    for (size_t i = 0; i < packet->len; i++)
        len += packet->parts[i].len;
    frame = frame_new(len);
    len = 0;
    for (size_t i = 0; frame != NULL && i < packet->len; i++) {
        memcpy(frame->data + len, packet->parts[i].ptr, packet->parts[i].len);
        len += packet->parts[i].len;
    }
    return frame;
}

static struct frame *make(const struct text *text, bool open)
{
    struct packet packet = {.len = 0};
    struct frame *frame = NULL;

    add_head(&packet, text);
    if (!add_object(&packet, text))
        return NULL;
    if (open && text->ack.len == 0) {
        frame = join_open(&packet);
    } else {
        add(&packet, NOTIFY_STR("]"));
        frame = frame_new_ws(packet.len, packet.parts);
    }
    free(packet.owned);
    return frame;
}

struct frame *socketio_frame_new(const struct text *text)
{
    return make(text, false);
}

struct frame *socketio_frame_new_open(const struct text *text)
{
    return make(text, true);
}

/* A packet begins with a digit, a frame with a byte that is none. */
bool socketio_frame_is_open(const struct frame *frame)
{
    return frame->data[0] == '4';
}

static size_t put(char *out, struct notify_str bytes)
{
    memcpy(out, bytes.ptr, bytes.len);
    return bytes.len;
}

size_t socketio_frame_end(char *out, const struct frame *frame, struct notify_str offset)
{
    bool has = offset.len > 0;
    size_t len;

    if (!socketio_frame_is_open(frame))
        return put(out, notify_str_of(frame->data, frame->len));
    /* ,"" and ] */
    len = ws_frame_header((uint8_t *)out, frame->len + (has ? offset.len + 3 : 0) + 1);
    len += put(out + len, notify_str_of(frame->data, frame->len));
    if (has) {
        len += put(out + len, NOTIFY_STR(",\""));
        len += put(out + len, offset);
        len += put(out + len, NOTIFY_STR("\""));
    }
    return len + put(out + len, NOTIFY_STR("]"));
}
