/* ws_frame -- the header of an unmasked, final WebSocket text frame (RFC 6455, 5.2). */
#ifndef WS_FRAME_H
#define WS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_str.h"

#define WS_FRAME_HEADER_MAX 10

/* Writes the header for a payload of len bytes into out; returns its length: 2, 4 or 10. */
static inline size_t ws_frame_header(uint8_t out[WS_FRAME_HEADER_MAX], size_t len)
{
    out[0] = 0x81; /* FIN, text */
    if (len < 126) {
        out[1] = (uint8_t)len;
        return 2;
    }
    if (len <= UINT16_MAX) {
        out[1] = 126;
        out[2] = (uint8_t)(len >> 8);
        out[3] = (uint8_t)len;
        return 4;
    }
    out[1] = 127;
    for (int i = 0; i < 8; i++)
        out[2 + i] = (uint8_t)((uint64_t)len >> (8 * (7 - i)));
    return 10;
}

/* The other way, for what we have written ourselves: takes the first of whole frames off. False:
 * there is none left. */
static inline bool ws_frame_take(struct notify_str *frames, struct notify_str *ret_payload)
{
    const uint8_t *at = (const uint8_t *)frames->ptr;
    size_t header, len;

    if (frames->len == 0)
        return false;
    len = at[1];
    header = len == 126 ? 4 : len == 127 ? 10 : 2;
    for (size_t i = 2, longer = 0; i < header; i++)
        len = longer = longer << 8 | at[i];
    *ret_payload = notify_str_of(frames->ptr + header, len);
    *frames = notify_str_of(frames->ptr + header + len, frames->len - header - len);
    return true;
}

#endif
