/* deflate_testing -- what clients send and read of compressed messages, by zlib itself. Header
 * only. */
#ifndef DEFLATE_TESTING_H
#define DEFLATE_TESTING_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "notify_str.h"

/* As a client would compress it, with the largest window; the caller frees it. */
static inline char *deflate_testing_make(const void *text, size_t len, size_t *ret_len)
{
    size_t cap = len + len / 8 + 128;
    char *out = malloc(cap);
    z_stream z = {0};

    if (out == NULL || deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    z.next_in = (z_const Bytef *)(uintptr_t)text;
    z.avail_in = (uInt)len;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)cap;
    if (deflate(&z, Z_SYNC_FLUSH) != Z_OK || z.avail_out == 0)
        abort();
    *ret_len = cap - z.avail_out - 4;
    (void)deflateEnd(&z); /* complains of what was not finished, as nothing is here */
    return out;
}

/* As a client reads it whose window has so many bits; NUL-terminated, the caller frees it. NULL: it
 * cannot. */
static inline char *deflate_testing_read(struct notify_str compressed, int bits, size_t max,
                                         size_t *ret_len)
{
    char *in = malloc(compressed.len + 4), *out = malloc(max + 1);
    z_stream z = {0};
    int result;

    if (in == NULL || out == NULL || inflateInit2(&z, -bits) != Z_OK)
        abort();
    memcpy(in, compressed.ptr, compressed.len);
    memcpy(in + compressed.len, "\x00\x00\xff\xff", 4);
    z.next_in = (Bytef *)in;
    z.avail_in = (uInt)compressed.len + 4;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)max;
    result = inflate(&z, Z_SYNC_FLUSH);
    *ret_len = max - z.avail_out;
    out[*ret_len] = '\0';
    (void)inflateEnd(&z);
    free(in);
    if (result == Z_OK && z.avail_in == 0)
        return out;
    free(out);
    return NULL;
}

/* A text such as messages are, of len bytes. */
static inline char *deflate_testing_text(size_t len)
{
    static const char words[][12] = {"\"title\":", "\"Build ",   "finished\"", "{\"id\":",
                                     "category",   "\"alice\",", "1784-0",     ",\"data\":"};
    char *text = malloc(len + 16);
    unsigned seed = 7;

    if (text == NULL)
        abort();
    for (size_t at = 0; at < len;) {
        const char *word = words[(seed = seed * 1103515245 + 12345) >> 16 & 7];
        memcpy(text + at, word, strlen(word));
        at += strlen(word);
        text[at++] = (char)('a' + (seed >> 20) % 26);
    }
    text[len] = '\0';
    return text;
}

#endif
