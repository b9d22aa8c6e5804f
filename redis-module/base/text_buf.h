/* text_buf -- a growing run of bytes for text under construction, made to be kept and used again.
 *
 * A failed allocation sets `failed` and turns every later append into a no-op, so a writer checks
 * once, at the end. text_buf_clear keeps the memory and forgets the failure. */
#ifndef TEXT_BUF_H
#define TEXT_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "notify_id.h"
#include "notify_str.h"

struct text_buf {
    char *ptr; /* owned; not NUL-terminated */
    size_t len;
    size_t cap;
    bool failed;
};

#define TEXT_BUF_INIT ((struct text_buf){NULL, 0, 0, false})

void text_buf_release(struct text_buf *buf);

static inline void text_buf_clear(struct text_buf *buf)
{
    buf->len = 0;
    buf->failed = false;
}

/* Room for n more bytes behind len: a pointer to them, or NULL (and buf failed). The caller writes
 * at most n bytes and adds what it wrote to len. */
char *text_buf_room_slow(struct text_buf *buf, size_t n);

static inline char *text_buf_room(struct text_buf *buf, size_t n)
{
    if (!buf->failed && buf->cap - buf->len >= n && buf->ptr != NULL)
        return buf->ptr + buf->len;
    return text_buf_room_slow(buf, n);
}

static inline void text_buf_add(struct text_buf *buf, struct notify_str text)
{
    char *room = text_buf_room(buf, text.len);

    if (room == NULL || text.len == 0)
        return;
    memcpy(room, text.ptr, text.len);
    buf->len += text.len;
}

static inline void text_buf_add_char(struct text_buf *buf, char c)
{
    char *room = text_buf_room(buf, 1);

    if (room == NULL)
        return;
    *room = c;
    buf->len++;
}

/* Appends a literal: TEXT_BUF_LITERAL(buf, ",\"rev\":"). */
#define TEXT_BUF_LITERAL(buf, literal) text_buf_add((buf), NOTIFY_STR(literal))

void text_buf_add_number(struct text_buf *buf, uint64_t value);
void text_buf_add_id(struct text_buf *buf, struct notify_id id);

/* Binary, for payloads: see varint.h; sized: the length, then the text (varint_take_sized). */
void text_buf_add_varint(struct text_buf *buf, uint64_t value);
void text_buf_add_sized(struct text_buf *buf, struct notify_str text);

/* The contents; valid until the next append, clear or release. */
static inline struct notify_str text_buf_str(const struct text_buf *buf)
{
    return notify_str_of(buf->ptr, buf->len);
}

#endif
