#include "wire/deflate.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <zlib.h>

/* Of a notification of 407 bytes level 1 makes 252 in 5.5 us and level 6 makes 249 in 6.0; of 1,955
 * bytes 733 in 9.9 us and 716 in 13.6; of a page of history of 100,271 bytes 24,728 in 584 us and
 * 20,642 in 1,420. */
#define LEVEL 1
#define MEMORY_LEVEL 6 /* its tables are cleared for each message */
#define INFLATE_WINDOW_BITS 15
#define FIRST_BYTES 512
#define AT_BLOCK 128 /* in data_type: between two blocks (inflate() of zlib) */

/* The empty block that ends what is flushed (RFC 7692, 7.2.1). */
static const uint8_t tail[4] = {0x00, 0x00, 0xFF, 0xFF};

static z_stream deflater, inflater; /* made when first needed, kept for good */
static bool deflates, inflates;

static bool make_deflater(void)
{
    if (deflates)
        return deflateReset(&deflater) == Z_OK;
    deflates = deflateInit2(&deflater, LEVEL, Z_DEFLATED, -DEFLATE_WINDOW_BITS, MEMORY_LEVEL,
                            Z_DEFAULT_STRATEGY) == Z_OK;
    return deflates;
}

size_t deflate_message(struct notify_str text, char *out, size_t cap)
{
    if (text.len > UINT32_MAX || cap > UINT32_MAX || !make_deflater())
        return 0;
    deflater.next_in = (z_const Bytef *)(uintptr_t)text.ptr; /* which zlib only reads */
    deflater.avail_in = (uInt)text.len;
    deflater.next_out = (Bytef *)out;
    deflater.avail_out = (uInt)cap;
    /* That there is room left is how zlib says that everything is out. */
    if (deflate(&deflater, Z_SYNC_FLUSH) != Z_OK || deflater.avail_out == 0)
        return 0;
    return cap - deflater.avail_out - sizeof(tail);
}

/* What cannot be compressed stands in blocks as it is, five bytes longer each; others make smaller
 * ones than zlib. */
size_t deflate_bound(size_t max_bytes)
{
    return max_bytes + max_bytes / 16 + 64;
}

static bool make_inflater(void)
{
    if (inflates)
        return inflateReset(&inflater) == Z_OK;
    inflates = inflateInit2(&inflater, -INFLATE_WINDOW_BITS) == Z_OK;
    return inflates;
}

/* What one message comes to. */
struct inflating {
    uint8_t *bytes; /* owned */
    size_t len, cap;
    size_t max;    /* bytes, and one more that shows that there are more */
    size_t blocks; /* that have ended */
    bool at_block; /* the last thing that was read is the end of one */
};

static int make_room(struct inflating *out)
{
    size_t cap = out->cap == 0 ? FIRST_BYTES : out->cap * 2;
    uint8_t *bytes;

    if (out->len < out->cap)
        return 0;
    if (out->cap == out->max)
        return -EMSGSIZE;
    if (cap > out->max)
        cap = out->max;
    bytes = realloc(out->bytes, cap);
    if (bytes == NULL)
        return -ENOMEM;
    out->bytes = bytes;
    out->cap = cap;
    return 0;
}

/* Up to the end of a block, of the input, or of the room. 1: there is no more to be had of what has
 * been given. */
static int step(struct inflating *out)
{
    int result = make_room(out);

    if (result != 0)
        return result;
    inflater.next_out = out->bytes + out->len;
    inflater.avail_out = (uInt)(out->cap - out->len);
    result = inflate(&inflater, Z_BLOCK);
    if (result == Z_BUF_ERROR)
        return 1;
    out->len = out->cap - inflater.avail_out;
    out->at_block = (inflater.data_type & AT_BLOCK) != 0;
    /* One that says that it is the last one may have others behind it (RFC 7692, 7.2.3.4). */
    if (result == Z_STREAM_END && inflateReset(&inflater) == Z_OK)
        out->at_block = true;
    else if (result != Z_OK)
        return result == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
    out->blocks += out->at_block;
    return out->blocks > DEFLATE_FREE_BLOCKS + out->len / DEFLATE_BLOCK_BYTES ? -E2BIG : 0;
}

static int read_on(struct inflating *out, const void *bytes, size_t len)
{
    int result;

    inflater.next_in = (z_const Bytef *)(uintptr_t)bytes; /* which zlib only reads */
    inflater.avail_in = (uInt)len;
    do
        result = step(out);
    while (result == 0);
    return result == 1 ? 0 : result;
}

int deflate_inflate(struct notify_str compressed, size_t max_bytes, char **ret, size_t *ret_len)
{
    struct inflating out = {.max = max_bytes + 1};
    int result;

    if (!make_inflater())
        return -ENOMEM;
    result = read_on(&out, compressed.ptr, compressed.len);
    if (result == 0)
        result = read_on(&out, tail, sizeof(tail));
    if (result == 0 && out.len > max_bytes)
        result = -EMSGSIZE;
    if (result == 0 && !out.at_block)
        result = -EBADMSG;
    if (result != 0) {
        free(out.bytes);
        return result;
    }
    *ret = (char *)out.bytes;
    *ret_len = out.len;
    return 0;
}
