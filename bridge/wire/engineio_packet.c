#include "wire/engineio_packet.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static bool is_type(char c)
{
    return (c >= '0' && c <= '6') || c == 'b';
}

bool engineio_read(struct notify_str text, struct engineio_packet *ret)
{
    if (text.len == 0 || !is_type(text.ptr[0]))
        return false;
    ret->type = (enum engineio_type)text.ptr[0];
    ret->data = notify_str_of(text.ptr + 1, text.len - 1);
    return true;
}

bool engineio_next(struct engineio_walk *walk, struct notify_str *ret_text)
{
    struct notify_str rest = walk->rest;
    const char *end = rest.len == 0 ? NULL : memchr(rest.ptr, ENGINEIO_SEPARATOR, rest.len);

    if (walk->ended)
        return false;
    walk->ended = end == NULL;
    if (end == NULL) {
        *ret_text = rest;
        return true;
    }
    *ret_text = notify_str_of(rest.ptr, (size_t)(end - rest.ptr));
    walk->rest = notify_str_of(end + 1, rest.len - ret_text->len - 1);
    return true;
}

size_t engineio_write_binary(char *out, const void *bytes, size_t len)
{
    out[0] = ENGINEIO_BINARY;
    return 1 + base64_encode(out + 1, bytes, len);
}

ssize_t engineio_read_binary(uint8_t *out, struct notify_str data)
{
    return base64_decode(out, data);
}

size_t engineio_write_open(char out[ENGINEIO_OPEN_MAX], const struct engineio_open *open)
{
    int len;

    assert(open->sid.len <= ENGINEIO_SID_MAX);
    len = snprintf(out, ENGINEIO_OPEN_MAX,
                   "0{\"sid\":\"%.*s\",\"upgrades\":[%s],\"pingInterval\":%u,\"pingTimeout\":%u,"
                   "\"maxPayload\":%zu}",
                   (int)open->sid.len, open->sid.ptr, open->upgrades ? "\"websocket\"" : "",
                   open->ping_interval_ms, open->ping_timeout_ms, open->max_payload);
    return (size_t)len;
}
