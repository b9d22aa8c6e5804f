/* Any bytes as a message on a channel: what is taken for one makes frames that hold JSON. */
#include <assert.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/event.h"
#include "wire/frame.h"
#include "wire/json_scan.h"
#include "wire/socketio_packet.h"
#include "wire/ws_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *parse_frame(const struct frame *frame)
{
    size_t second = (unsigned char)frame->data[1];
    size_t header = second < 126 ? 2 : second == 126 ? 4 : 10;

    return json_loadb(frame->data + header, frame->len - header, JSON_ALLOW_NUL, NULL);
}

/* By these clients go: whatever an event says of itself, they are the message's. */
static void check_ours(json_t *plain, json_t *topic)
{
    static const char *const ours[] = {"type",  "key", "id",     "prev",  "replaces", "exclude",
                                       "epoch", "rev", "unread", "muted", "timestamp"};

    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        json_t *said = json_object_get(topic, ours[i]),
               *published = json_object_get(plain, ours[i]);
        assert((said == NULL) == (published == NULL));
        assert(said == NULL || json_equal(said, published));
    }
}

/* Whatever it holds, it is one event: a line with its name, perhaps, and lines of data. */
static void check_block(const struct frame *frame)
{
    const char *at = frame->data, *end = at + frame->len;
    unsigned names = 0, lines = 0;

    for (; at < end; at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1) {
        bool is_name = (size_t)(end - at) > 7 && memcmp(at, "event: ", 7) == 0;
        assert(is_name || ((size_t)(end - at) > 6 && memcmp(at, "data: ", 6) == 0));
        assert(!is_name || lines == 0);
        names += is_name;
        lines++;
    }
    assert(names <= 1 && lines > names && memchr(frame->data, '\r', frame->len) == NULL);
}

/* One packet of Socket.IO, of a name that any client takes and with one argument: whatever stands
 * in the message, over polling nothing of it is a packet of its own. */
static void check_packet(const struct event *event, const struct frame *frame)
{
    struct notify_str rest = notify_str_of(frame->data, frame->len), text;
    struct socketio_packet packet;

    assert(memchr(frame->data + 10, '\x1e', frame->len < 10 ? 0 : frame->len - 10) == NULL);
    assert(ws_frame_take(&rest, &text) && rest.len == 0 && text.ptr[0] == '4');
    if (event->len >= JSON_SCAN_MAX_DEPTH)
        return; /* it may be one level too deep for ourselves */
    assert(socketio_read(notify_str_of(text.ptr + 1, text.len - 1), &packet));
    assert(packet.type == SOCKETIO_EVENT && packet.argc == 1 && packet.arg.ptr[0] == '{');
}

static void check_open(const struct frame *whole, const struct frame *open)
{
    char *out = malloc(open->len + 4 + DIALECT_END_MAX);
    size_t len = dialect_end(DIALECT_SOCKETIO_MARKED, out, open, NOTIFY_STR(""));

    assert(out != NULL && len == whole->len && memcmp(out, whole->data, len) == 0);
    len = dialect_end(DIALECT_SOCKETIO_MARKED, out, open, NOTIFY_STR("AbC-"));
    assert(len <= open->len + 4 + DIALECT_END_MAX);
    assert(memcmp(out + len - 8, ",\"AbC-\"]", 8) == 0);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct event *event = event_decode(notify_str_of((const char *)data, size));
    json_t *plain, *topic, *session;

    dialect_name_inboxes("inbox:%s");
    dialect_name_sessions("session:%s");
    if (event == NULL)
        return 0;
    plain = parse_frame(event_frame(event, DIALECT_CANONICAL));
    topic = parse_frame(event_frame(event, DIALECT_TOPIC));
    assert(event->frames[DIALECT_CANONICAL]->len >= size);
    check_block(event_frame(event, DIALECT_EVENTS));
    /* jansson refuses a little more than the scanner: numbers that do not fit, for example. */
    assert(plain == NULL || topic != NULL);
    if (plain != NULL)
        check_ours(plain, topic);
    session = parse_frame(event_frame(event, DIALECT_SESSION));
    assert(plain == NULL || session != NULL);
    check_packet(event, event_frame(event, DIALECT_SOCKETIO));
    check_open(event_frame(event, DIALECT_SOCKETIO), event_frame(event, DIALECT_SOCKETIO_MARKED));
    json_decref(session);
    json_decref(plain);
    json_decref(topic);
    event_unref(event);
    return 0;
}
