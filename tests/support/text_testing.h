/* text_testing -- a text (wire/text.h) as one string. Header only. */
#ifndef TEXT_TESTING_H
#define TEXT_TESTING_H

#include <assert.h>
#include <string.h>

#include "wire/text.h"

/* Until the next call. */
static inline const char *text_joined(const struct text *text)
{
    static char out[1024];
    size_t len = 0;

    for (size_t i = 0; i < text->len; i++) {
        assert(len + text->parts[i].len < sizeof(out));
        memcpy(out + len, text->parts[i].ptr, text->parts[i].len);
        len += text->parts[i].len;
    }
    out[len] = '\0';
    return out;
}

#endif
