/* Any bytes as a payload: its packets, joined again, are the payload; bytes that are read from one
 * are written in exactly that way. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/engineio_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_binary(struct notify_str text, struct notify_str base64)
{
    uint8_t *bytes = malloc(ENGINEIO_BINARY_MAX(base64.len) + 1);
    char *back = malloc(text.len + 1);
    ssize_t len = engineio_read_binary(bytes, base64);

    if (len >= 0) {
        assert((size_t)len <= ENGINEIO_BINARY_MAX(base64.len));
        assert(ENGINEIO_BINARY_LEN((size_t)len) == text.len);
        assert(engineio_write_binary(back, bytes, (size_t)len) == text.len);
        assert(memcmp(back, text.ptr, text.len) == 0);
    }
    free(bytes);
    free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct engineio_walk walk = engineio_walk(notify_str_of((const char *)data, size));
    struct notify_str text;
    size_t len = 0, count = 0;

    while (engineio_next(&walk, &text)) {
        struct engineio_packet packet;

        assert(text.len == 0 || memchr(text.ptr, ENGINEIO_SEPARATOR, text.len) == NULL);
        len += text.len;
        count++;
        if (!engineio_read(text, &packet))
            continue;
        assert(packet.data.len == text.len - 1);
        if (packet.type == ENGINEIO_BINARY)
            check_binary(text, packet.data);
    }
    assert(len + count == size + 1);
    return 0;
}
