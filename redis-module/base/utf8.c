/* utf8 -- the table of RFC 3629 section 4 as code, with a fast way over ASCII. */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

/* Well-formed sequences by lead byte: the length and what the second byte may be. The further bytes
 * are always 80..BF. */
struct utf8_lead {
    unsigned char first;
    unsigned char last;
    unsigned char len;
    unsigned char second_min;
    unsigned char second_max;
};

static const struct utf8_lead leads[] = {
    {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf}, {0xe1, 0xec, 3, 0x80, 0xbf},
    {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf}, {0xf0, 0xf0, 4, 0x90, 0xbf},
    {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f},
};

size_t utf8_char_len(struct notify_str text)
{
    const unsigned char *p = (const unsigned char *)text.ptr;

    if (text.len == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    for (size_t i = 0; i < sizeof(leads) / sizeof(leads[0]); i++) {
        const struct utf8_lead *lead = &leads[i];
        if (p[0] < lead->first || p[0] > lead->last)
            continue;
        if (text.len < lead->len || p[1] < lead->second_min || p[1] > lead->second_max)
            return 0;
        for (size_t k = 2; k < lead->len; k++)
            if ((p[k] & 0xc0) != 0x80)
                return 0;
        return lead->len;
    }
    return 0;
}

/* How many bytes at the start of text are ASCII: eight at a time, then one by one. */
static size_t ascii_run(struct notify_str text)
{
    size_t n = 0;

    while (text.len - n >= 8) {
        uint64_t word;
        memcpy(&word, text.ptr + n, sizeof(word));
        if ((word & UINT64_C(0x8080808080808080)) != 0)
            break;
        n += 8;
    }
    while (n < text.len && (unsigned char)text.ptr[n] < 0x80)
        n++;
    return n;
}

bool utf8_count(struct notify_str text, size_t *ret_chars)
{
    size_t chars = 0;

    while (text.len > 0) {
        size_t run = ascii_run(text);
        size_t n = run > 0 ? run : utf8_char_len(text);
        if (n == 0)
            return false;
        chars += run > 0 ? run : 1;
        text = notify_str_of(text.ptr + n, text.len - n);
    }
    *ret_chars = chars;
    return true;
}

bool utf8_is_valid(struct notify_str text)
{
    size_t chars;

    return utf8_count(text, &chars);
}
