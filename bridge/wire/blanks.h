/* blanks -- what stands around a text and does not count; which bytes those are, each format says.
 */
#ifndef BLANKS_H
#define BLANKS_H

#include <stddef.h>
#include <string.h>

#include "notify_str.h"

static inline struct notify_str blanks_trim(struct notify_str text, struct notify_str blanks)
{
    while (text.len > 0 && memchr(blanks.ptr, text.ptr[0], blanks.len) != NULL)
        text = notify_str_of(text.ptr + 1, text.len - 1);
    while (text.len > 0 && memchr(blanks.ptr, text.ptr[text.len - 1], blanks.len) != NULL)
        text.len--;
    return text;
}

#endif
