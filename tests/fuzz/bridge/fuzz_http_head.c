/* Any bytes as the head of a request: what is carried to libwebsockets fits, holds nothing in its
 * target that would be decoded to a control character or ends the line early, and is carried again
 * as it stands. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "wire/http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c - 'a' + 10;
}

/* Each escape of the target stands for a byte that may be in a name, or is refused there. */
static void check_target(struct notify_str head)
{
    size_t i = 0;

    while (i < head.len && head.ptr[i] != ' ' && head.ptr[i] != '\r' && head.ptr[i] != '\n')
        i++; /* the method */
    if (i == head.len || head.ptr[i] != ' ')
        return;
    for (i++; i < head.len && head.ptr[i] != ' ' && head.ptr[i] != '\r' && head.ptr[i] != '\n';
         i++) {
        if (head.ptr[i] != '%')
            continue;
        assert(i + 2 < head.len);
        int byte = hex(head.ptr[i + 1]) << 4 | hex(head.ptr[i + 2]);
        assert(byte >= ' ' && byte <= 0xff && byte != 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct notify_str text = notify_str_of((const char *)data, size);
    size_t end = http_head_end(text), len;
    char *out = malloc(3 * size + 1), *again;

    assert(out != NULL && end <= size);
    assert(end == 0 ||
           (text.ptr[end - 1] == '\n' && http_head_end(notify_str_of(text.ptr, end - 1)) == 0));
    len = http_head_carry(out, text);
    assert(len <= 3 * size);
    if (len > 0) {
        check_target(notify_str_of(out, len));
        again = malloc(3 * len);
        assert(again != NULL);
        assert(http_head_carry(again, notify_str_of(out, len)) == 0);
        free(again);
    }
    free(out);
    return 0;
}
