#include "wire/dialect.h"

#include <string.h>

#include "wire/frame.h"
#include "wire/socketio_frame.h"
#include "wire/sse_block.h"
#include "wire/text.h"
#include "wire/vocabulary.h"

struct row {
    const struct vocabulary *vocabulary;
    struct frame *(*frame)(const struct text *text);
    enum dialect plain;
    size_t (*end)(char *out, const struct frame *frame, struct notify_str id); /* of open ones */
    bool (*is_open)(const struct frame *frame); /* NULL: all are that have an end */
};

_Static_assert(SSE_END_MAX <= DIALECT_END_MAX && SOCKETIO_FRAME_MORE <= DIALECT_END_MAX,
               "any frame may be ended");

static struct frame *frame_ws(const struct text *text)
{
    return frame_new_ws(text->len, text->parts);
}

static size_t end_block(char *out, const struct frame *frame, struct notify_str id)
{
    memcpy(out, frame->data, frame->len);
    return frame->len + sse_block_end(out + frame->len, id);
}

static const struct row rows[DIALECT_COUNT] = {
    [DIALECT_CANONICAL] = {&vocabulary_canonical, frame_ws, DIALECT_CANONICAL, NULL, NULL},
    [DIALECT_TOPIC] = {&vocabulary_topic, frame_ws, DIALECT_CANONICAL, NULL, NULL},
    [DIALECT_SESSION] = {&vocabulary_session, frame_ws, DIALECT_CANONICAL, NULL, NULL},
    [DIALECT_EVENTS] = {&vocabulary_canonical, sse_block_new, DIALECT_EVENTS, end_block, NULL},
    [DIALECT_CHAT] = {&vocabulary_chat, sse_block_bare, DIALECT_CHAT, NULL, NULL},
    [DIALECT_SOCKETIO] = {&vocabulary_socketio, socketio_frame_new, DIALECT_SOCKETIO, NULL, NULL},
    [DIALECT_SOCKETIO_MARKED] = {&vocabulary_socketio, socketio_frame_new_open,
                                 DIALECT_SOCKETIO_MARKED, socketio_frame_end,
                                 socketio_frame_is_open},
};

bool dialect_event(enum dialect dialect, const struct event *event, struct text *ret)
{
    const struct vocabulary *vocabulary = rows[dialect].vocabulary;

    return vocabulary->event != NULL && vocabulary->event(event, ret);
}

bool dialect_item(enum dialect dialect, struct notify_str key, struct notify_str data,
                  struct text *ret)
{
    const struct vocabulary *vocabulary = rows[dialect].vocabulary;

    return vocabulary->item != NULL && vocabulary->item(key, data, ret);
}

enum dialect dialect_plain(enum dialect dialect)
{
    return rows[dialect].plain;
}

struct frame *dialect_frame(enum dialect dialect, const struct text *text)
{
    return text->len == 0 ? NULL : rows[dialect].frame(text);
}

struct frame *dialect_greeting(enum dialect dialect, const struct greeting *greeting)
{
    struct text text;
    struct frame *frame = NULL;

    if (rows[dialect].vocabulary->greeting(greeting, &text)) {
        text.retry_ms = DIALECT_RETRY_MS;
        frame = dialect_frame(dialect, &text);
    }
    text_release(&text);
    return frame;
}

bool dialect_is_open(enum dialect dialect, const struct frame *frame)
{
    const struct row *row = &rows[dialect];

    return row->end != NULL && (row->is_open == NULL || row->is_open(frame));
}

size_t dialect_end(enum dialect dialect, char *out, const struct frame *frame, struct notify_str id)
{
    return rows[dialect].end(out, frame, id);
}

int dialect_close_code(enum dialect dialect, int code)
{
    const struct close_word *word = rows[dialect].vocabulary->closes;

    for (; word != NULL && word->ours != 0; word++)
        if (word->ours == code)
            return word->theirs;
    return code;
}

bool dialect_read(enum dialect dialect, struct notify_str text, struct inbound *ret,
                  struct json_fault *ret_fault)
{
    return rows[dialect].vocabulary->read(text, ret, ret_fault);
}
