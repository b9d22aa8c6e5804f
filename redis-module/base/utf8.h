/* utf8 -- what is valid UTF-8: RFC 3629, so no overlong forms, no surrogates, nothing above
 * U+10FFFF. U+0000 is a valid character. */
#ifndef UTF8_H
#define UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "notify_str.h"

bool utf8_is_valid(struct notify_str text);

/* Also counts the characters (code points); *ret_chars only on success. */
bool utf8_count(struct notify_str text, size_t *ret_chars);

/* The length (1-4) of the valid character at the start of text, or 0: none, broken, or cut short.
 */
size_t utf8_char_len(struct notify_str text);

#endif
