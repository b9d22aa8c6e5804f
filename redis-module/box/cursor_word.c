/* cursor_word -- see cursor_word.h.
 *
 *   sum (4 bytes, lowest first), then the blocks of the payload, each with its length (varint)
 *   before it; all of it in lower-case digits, the higher half of a byte first */
#include "box/cursor_word.h"

#include <errno.h>

#include "base/varint.h"
#include "box/box_extra.h"
#include "box/cursor_covers.h"
#include "box/cursors.h"

enum { SUM_BYTES = 4, MARK_BYTES = 12, COVER_BYTES = 16, HEAD_BYTES = 64 };

/* FNV-1a: so that a word that has been cut or mistyped is no other word. */
static uint32_t sum_of(struct notify_str bytes)
{
    uint32_t sum = 2166136261u;

    for (size_t i = 0; i < bytes.len; i++)
        sum = (sum ^ (uint8_t)bytes.ptr[i]) * 16777619u;
    return sum;
}

/* ---- writing ---- */

struct box *cursor_word_carrier(const struct box *box)
{
    struct box *carrier = box_new();

    if (carrier == NULL || box == NULL || box_mute_like(&carrier, box) >= 0)
        return carrier;
    box_free(carrier);
    return NULL;
}

size_t cursor_word_size(const struct box *carrier, const struct cursor *cursor)
{
    size_t bytes = HEAD_BYTES + cursor->name_len + cursor->mark_count * (size_t)MARK_BYTES +
                   cursor_covers_count(cursor->covers) * (size_t)COVER_BYTES;

    if (cursor->covers != NULL)
        bytes += cursor_covers_bytes(cursor->covers);
    return 2 * (bytes + box_bytes(carrier));
}

static int write_block(void *ctx, const void *bytes, size_t len)
{
    struct text_buf *out = ctx;

    text_buf_add_sized(out, notify_str_of(bytes, len));
    return out->failed ? -ENOMEM : 0;
}

static void add_digits(struct text_buf *out, struct notify_str bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *room = text_buf_room(out, 2 * bytes.len);

    if (room == NULL)
        return;
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t byte = (uint8_t)bytes.ptr[i];
        *room++ = digits[byte >> 4];
        *room++ = digits[byte & 15];
    }
    out->len += 2 * bytes.len;
}

void cursor_word_of_payload(struct text_buf *out, struct notify_str blocks)
{
    uint32_t sum = sum_of(blocks);
    char bytes[SUM_BYTES];

    for (unsigned i = 0; i < SUM_BYTES; i++)
        bytes[i] = (char)(sum >> (8 * i));
    add_digits(out, notify_str_of(bytes, SUM_BYTES));
    add_digits(out, blocks);
}

int cursor_word_of_box(struct text_buf *out, const struct box *box)
{
    struct text_buf blocks = TEXT_BUF_INIT;
    struct box_sink sink = {write_block, &blocks, BOX_PAYLOAD_LATEST};
    int rc = box_save(box, &sink);

    if (rc == 0)
        cursor_word_of_payload(out, text_buf_str(&blocks));
    text_buf_release(&blocks);
    return rc == 0 && out->failed ? -ENOMEM : rc;
}

int cursor_word_add(struct text_buf *out, struct box **carrier, const struct cursor *cursor)
{
    struct cursor *copy = cursor_copy(cursor);
    int rc = copy == NULL ? -ENOMEM : box_put_cursor(carrier, copy);

    if (rc != 0) {
        cursor_free(copy);
        return rc;
    }
    rc = cursor_word_of_box(out, *carrier);
    (void)cursors_remove(&box_extra(*carrier)->cursors, cursor_name(cursor));
    return rc;
}

/* ---- reading ---- */

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* False: no digits, or no memory. */
static bool take_digits(struct text_buf *out, struct notify_str word)
{
    char *room = text_buf_room(out, word.len / 2);

    if (room == NULL || word.len % 2 != 0)
        return false;
    for (size_t i = 0; i < word.len; i += 2) {
        int high = digit_value(word.ptr[i]);
        int low = digit_value(word.ptr[i + 1]);
        if (high < 0 || low < 0)
            return false;
        room[out->len++] = (char)(high << 4 | low);
    }
    return true;
}

static bool sum_is_right(struct notify_str bytes)
{
    uint32_t sum = 0;

    if (bytes.len < SUM_BYTES)
        return false;
    for (unsigned i = 0; i < SUM_BYTES; i++)
        sum |= (uint32_t)(uint8_t)bytes.ptr[i] << (8 * i);
    return sum == sum_of(notify_str_of(bytes.ptr + SUM_BYTES, bytes.len - SUM_BYTES));
}

static bool read_block(void *ctx, struct notify_str *ret_block)
{
    return varint_take_sized(ctx, ret_block);
}

/* Whether nothing else is in it. */
static bool carries_one_cursor(const struct box *box)
{
    return cursors_count(box_cursors(box)) == 1 && box_stored(box) == 0 &&
           (box_tokens(box) == NULL || tokens_count(box_tokens(box)) == 0);
}

static struct box *load(struct notify_str bytes, const char **ret_why)
{
    struct notify_str left = notify_str_of(bytes.ptr + SUM_BYTES, bytes.len - SUM_BYTES);
    struct box_source source = {read_block, &left};
    struct box *box = box_load(&source, ret_why);

    if (box == NULL || (left.len == 0 && carries_one_cursor(box)))
        return box;
    *ret_why = "not one cursor alone";
    box_free(box);
    return NULL;
}

struct box *cursor_word_read(struct notify_str word, const char **ret_why)
{
    struct text_buf bytes = TEXT_BUF_INIT;
    struct box *box = NULL;

    *ret_why = "not a word of this kind";
    if (word.len <= CURSOR_WORD_MAX && take_digits(&bytes, word) &&
        sum_is_right(text_buf_str(&bytes)))
        box = load(text_buf_str(&bytes), ret_why);
    text_buf_release(&bytes);
    return box;
}
