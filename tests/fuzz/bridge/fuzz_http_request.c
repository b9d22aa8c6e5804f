/* Any bytes as requests on one connection. The first byte chooses the size of the pieces: what is
 * read must not depend on it, and slices must lie within what was given. */
#include <stdint.h>
#include <stdlib.h>

#include "wire/http_body.h"
#include "wire/http_head.h"

#define BODY_LIMIT 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_slice(struct notify_str slice, const char *bytes, size_t len)
{
    if (slice.len > 0 && (slice.ptr < bytes || slice.ptr + slice.len > bytes + len))
        abort();
}

static void check_head(const struct http_head *head, const char *bytes, size_t len)
{
    struct http_list_at at = {0};
    struct notify_str element;

    check_slice(head->method, bytes, len);
    check_slice(head->query, bytes, len);
    check_slice(head->host, bytes, len);
    for (uint32_t i = 0; i < head->field_count; i++) {
        check_slice(head->fields[i].name, bytes, len);
        check_slice(head->fields[i].value, bytes, len);
    }
    while (http_list_next(head, "Connection", &at, &element))
        check_slice(element, bytes, len);
}

/* The bytes of one request; 0 when it is not whole or was refused (*ret_status). */
static size_t read_request(const char *bytes, size_t len, size_t piece_len, int *ret_status)
{
    static struct http_head head;
    struct http_scan scan = {0};
    struct http_body body;
    struct notify_str in, piece;
    size_t have = 0;

    do {
        have = len - have < piece_len ? len : have + piece_len;
        *ret_status = http_scan(&scan, bytes, have);
    } while (*ret_status == HTTP_SCAN_MORE && have < len);
    if (*ret_status != 0 || (*ret_status = http_head_parse(&head, bytes, scan.end)) != 0)
        return 0;
    check_head(&head, bytes, len);
    http_body_begin(&body, &head, BODY_LIMIT);
    for (have = scan.end;;) {
        size_t n = len - have < piece_len ? len - have : piece_len;

        in = notify_str_of(bytes + have, n);
        while ((*ret_status = http_body_next(&body, &in, &piece)) == HTTP_BODY_PIECE)
            check_slice(piece, bytes, len);
        have += n - in.len;
        if (*ret_status != HTTP_BODY_MORE || have == len)
            return *ret_status == HTTP_BODY_DONE ? have : 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data + 1;
    size_t len, used;

    if (size < 2)
        return 0;
    for (len = size - 1; len > 0; bytes += used, len -= used) {
        int whole, pieces;

        used = read_request(bytes, len, len, &whole);
        if (read_request(bytes, len, 1 + data[0] % 16, &pieces) != used || whole != pieces)
            abort();
        if (used == 0)
            break;
    }
    return 0;
}
