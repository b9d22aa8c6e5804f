/* text_buf -- growth and number formatting; the short appends are in the header. */
#include "text_buf.h"

#include "mem.h"

#define TEXT_BUF_FIRST 512 /* bytes; most messages fit */

static const char digit_pairs[201] = "00010203040506070809"
                                     "10111213141516171819"
                                     "20212223242526272829"
                                     "30313233343536373839"
                                     "40414243444546474849"
                                     "50515253545556575859"
                                     "60616263646566676869"
                                     "70717273747576777879"
                                     "80818283848586878889"
                                     "90919293949596979899";

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

/* Writes value's digits so that they end at end; returns where they start. */
static char *digits_before(char *end, uint64_t value)
{
    while (value >= 100) {
        end -= 2;
        memcpy(end, digit_pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10) {
        end -= 2;
        memcpy(end, digit_pairs + value * 2, 2);
    } else {
        *--end = (char)('0' + value);
    }
    return end;
}

void text_buf_add_number(struct text_buf *buf, uint64_t value)
{
    char digits[20];
    char *end = digits + sizeof(digits);
    char *start = digits_before(end, value);

    text_buf_add(buf, notify_str_of(start, (size_t)(end - start)));
}

void text_buf_add_id(struct text_buf *buf, struct notify_id id)
{
    char text[NOTIFY_ID_TEXT_MAX];
    char *end = text + sizeof(text);
    char *start = digits_before(end, id.seq);

    *--start = '-';
    start = digits_before(start, id.ms);
    text_buf_add(buf, notify_str_of(start, (size_t)(end - start)));
}
