/* text_buf -- growth, numbers, what payloads consist of; the short appends are in the header. */
#include "base/text_buf.h"

#include "base/mem.h"
#include "base/varint.h"

#define TEXT_BUF_FIRST 512 /* bytes; most messages fit */

void text_buf_release(struct text_buf *buf)
{
    mem_free(buf->ptr);
    *buf = TEXT_BUF_INIT;
}

char *text_buf_room_slow(struct text_buf *buf, size_t n)
{
    size_t cap = buf->cap == 0 ? TEXT_BUF_FIRST : buf->cap;
    char *grown;

    if (buf->failed)
        return NULL;
    if (n > SIZE_MAX / 4 || buf->len > SIZE_MAX / 4) {
        buf->failed = true;
        return NULL;
    }
    while (cap - buf->len < n)
        cap *= 2;
    if (buf->ptr != NULL && cap == buf->cap)
        return buf->ptr + buf->len;
    grown = mem_try_realloc(buf->ptr, buf->len, cap);
    if (grown == NULL) {
        buf->failed = true;
        return NULL;
    }
    buf->ptr = grown;
    buf->cap = cap;
    return buf->ptr + buf->len;
}

void text_buf_add_number(struct text_buf *buf, uint64_t value)
{
    char digits[20];
    char *end = digits + sizeof(digits);
    char *start = notify_id_put_number(end, value);

    text_buf_add(buf, notify_str_of(start, (size_t)(end - start)));
}

void text_buf_add_id(struct text_buf *buf, struct notify_id id)
{
    char text[NOTIFY_ID_TEXT_MAX];
    char *end = text + sizeof(text);
    char *start = notify_id_put_number(end, id.seq);

    *--start = '-';
    start = notify_id_put_number(start, id.ms);
    text_buf_add(buf, notify_str_of(start, (size_t)(end - start)));
}

void text_buf_add_varint(struct text_buf *buf, uint64_t value)
{
    char *room = text_buf_room(buf, VARINT_MAX);

    if (room != NULL)
        buf->len += (size_t)(varint_put((uint8_t *)room, value) - (uint8_t *)room);
}

void text_buf_add_sized(struct text_buf *buf, struct notify_str text)
{
    text_buf_add_varint(buf, text.len);
    text_buf_add(buf, text);
}
