/* Fuzzes ws_reader: any bytes, in any pieces. The first byte chooses the size of the pieces,
 * whether compressed messages are taken, and how often the reader of items stops in between. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/ws_reader.h"

#define MAX_BYTES 1000
#define BUF_BYTES 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t buf[2 * BUF_BYTES];
    struct ws_reader reader = {0};
    size_t piece;
    unsigned stop;

    if (size < 1)
        return 0;
    piece = 1 + data[0] % 64;
    reader.inflates = data[0] % 2 == 1;
    stop = data[0] / 64;
    data++;
    size--;
    for (size_t at = 0; at < size && at < BUF_BYTES;) {
        size_t len = size - at < piece ? size - at : piece;
        size_t kept = ws_reader_restore(&reader, buf);
        struct ws_input in = {buf, buf + kept + len};
        struct ws_item item;
        enum ws_item_kind kind;
        unsigned items = 0;

        memcpy(buf + kept, data + at, len);
        at += len;
        while ((kind = ws_reader_next(&reader, MAX_BYTES, &in, &item)) != WS_MORE) {
            if (kind == WS_ERROR || (kind == WS_TEXT && item.len > MAX_BYTES)) {
                if (kind == WS_TEXT)
                    abort();
                ws_reader_release(&reader);
                return 0;
            }
            if (stop > 0 && ++items % stop == 0)
                break;
        }
        if (in.ptr > in.end || (kind == WS_MORE && in.end - in.ptr >= WS_READER_REST_MAX))
            abort();
        if (ws_reader_keep(&reader, &in) != 0)
            break;
    }
    ws_reader_release(&reader);
    return 0;
}
