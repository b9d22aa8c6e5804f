/* Any bytes as a message on a channel: what is taken for one makes frames that hold JSON. */
#include <assert.h>
#include <jansson.h>
#include <stdint.h>
#include <string.h>

#include "wire/event.h"
#include "wire/frame.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct event *event = event_decode(notify_str_of((const char *)data, size));
    json_t *plain, *topic, *session;

    dialect_name_inboxes("inbox:%s");
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
    json_decref(session);
    json_decref(plain);
    json_decref(topic);
    event_unref(event);
    return 0;
}
