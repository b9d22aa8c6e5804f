#include "wire/sse_block.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "wire/frame.h"
#include "wire/json_text.h"
#include "wire/text.h"

#define RETRY_MAX 32 /* bytes of that field */

/* What is written, or, as long as there is no frame, only counted. */
struct writer {
    struct frame *frame;
    size_t len;
};

static void put(struct writer *writer, struct notify_str bytes)
{
    if (writer->frame != NULL && bytes.len > 0)
        memcpy(writer->frame->data + writer->len, bytes.ptr, bytes.len);
    writer->len += bytes.len;
}

/* Up to the end of the line that text begins with; takes it off, with what ends it. False: that was
 * all of it. */
static bool take_line(struct notify_str *text, struct notify_str *ret_line)
{
    size_t len = 0;

    while (len < text->len && text->ptr[len] != '\r' && text->ptr[len] != '\n')
        len++;
    *ret_line = notify_str_of(text->ptr, len);
    if (len == text->len)
        return false;
    len += text->ptr[len] == '\r' && len + 1 < text->len && text->ptr[len + 1] == '\n' ? 2 : 1;
    *text = notify_str_of(text->ptr + len, text->len - len);
    return true;
}

/* Ends of lines stand between the parts of a JSON text, or it would be none: there a reader may put
 * others in their place. Nearly no text has any. */
static void put_data(struct writer *writer, struct notify_str part)
{
    struct notify_str line;

    if (part.len == 0)
        return;
    if (memchr(part.ptr, '\n', part.len) == NULL && memchr(part.ptr, '\r', part.len) == NULL) {
        put(writer, part);
        return;
    }
    while (take_line(&part, &line)) {
        put(writer, line);
        put(writer, NOTIFY_STR("\ndata: "));
    }
    put(writer, line);
}

static bool is_one_line(struct notify_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '\r' || name.ptr[i] == '\n' || name.ptr[i] == '\0')
            return false;
    return true;
}

static void put_text(struct writer *writer, const struct text *text, struct notify_str name)
{
    char retry[RETRY_MAX];

    if (text->retry_ms > 0)
        put(writer, notify_str_of(retry, (size_t)snprintf(retry, sizeof(retry), "retry: %u\n",
                                                          text->retry_ms)));
    if (name.len > 0) {
        put(writer, NOTIFY_STR("event: "));
        put(writer, name);
        put(writer, NOTIFY_STR("\n"));
    }
    put(writer, NOTIFY_STR("data: "));
    for (size_t i = 0; i < text->len; i++)
        put_data(writer, text->parts[i]);
    put(writer, NOTIFY_STR("\n"));
}

struct frame *sse_block_new(const struct text *text)
{
    struct writer writer = {.frame = NULL};
    struct notify_str name = {NULL, 0};
    json_t *owner = NULL;

    /* A name that is none, or would not stay on its line, is left out: the type in the data says it
     * still. */
    if (!json_text_read(text->type, &name, &owner) || !is_one_line(name))
        name.len = 0;
    put_text(&writer, text, name);
    writer.frame = frame_new(writer.len);
    writer.len = 0;
    if (writer.frame != NULL)
        put_text(&writer, text, name);
    json_decref(owner);
    return writer.frame;
}

static void put_bare(struct writer *writer, const struct text *text)
{
    put(writer, NOTIFY_STR("data: "));
    for (size_t i = 0; i < text->len; i++)
        put(writer, text->parts[i]);
    put(writer, NOTIFY_STR("\n\n"));
}

struct frame *sse_block_bare(const struct text *text)
{
    struct writer writer = {.frame = NULL};

    put_bare(&writer, text);
    writer.frame = frame_new(writer.len);
    writer.len = 0;
    if (writer.frame != NULL)
        put_bare(&writer, text);
    return writer.frame;
}

size_t sse_block_end(char *out, struct notify_str id)
{
    static const struct notify_str field = NOTIFY_STR_INIT("id: ");
    size_t len = 0;

    if (id.len > 0) {
        memcpy(out, field.ptr, field.len);
        memcpy(out + field.len, id.ptr, id.len);
        len = field.len + id.len;
        out[len++] = '\n';
    }
    out[len] = '\n';
    return len + 1;
}

size_t sse_block_close(char out[SSE_CLOSE_MAX], int code, const char *reason, unsigned retry_ms)
{
    char text[128];
    size_t len = 0;

    /* Our own words, but it must stay one JSON string whatever they are. */
    for (; len < sizeof(text) - 1 && reason[len] != '\0'; len++)
        text[len] = (unsigned char)reason[len] < ' ' || strchr("\"\\\x7f", reason[len]) != NULL
                        ? '\''
                        : reason[len];
    text[len] = '\0';
    return (size_t)snprintf(out, SSE_CLOSE_MAX,
                            "retry: %u\nevent: close\n"
                            "data: {\"type\":\"close\",\"code\":%d,\"reason\":\"%s\"}\n\n",
                            retry_ms, code, text);
}
