/* Fuzzes deflate: any bytes as a compressed message, with any limit; and, as a text, compressed and
 * inflated again. The first two bytes choose the limit. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/deflate.h"

#define TEXT_MAX 200000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inflate_any(struct notify_str bytes, size_t max_bytes)
{
    char *text = NULL;
    size_t len;

    if (deflate_inflate(bytes, max_bytes, &text, &len) == 0 && len > max_bytes)
        abort();
    free(text);
}

static void there_and_back(struct notify_str text)
{
    static char out[TEXT_MAX];
    size_t len = deflate_message(text, out, sizeof(out)), back_len;
    char *back = NULL;

    if (len == 0)
        abort();
    if (deflate_inflate(notify_str_of(out, len), text.len, &back, &back_len) != 0 ||
        back_len != text.len || memcmp(back, text.ptr, back_len) != 0)
        abort();
    free(back);
    if (text.len > 0 &&
        deflate_inflate(notify_str_of(out, len), text.len - 1, &back, &back_len) == 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct notify_str bytes;

    if (size < 2)
        return 0;
    bytes = notify_str_of((const char *)data + 2, size - 2);
    inflate_any(bytes, (size_t)data[0] << 8 | data[1]);
    if (bytes.len < TEXT_MAX / 2)
        there_and_back(bytes);
    return 0;
}
