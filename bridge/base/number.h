/* number -- integers as text. */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdint.h>

#include "notify_str.h"

#define NUMBER_TEXT_MAX 20 /* "-9223372036854775808" */

/* In decimal, NUL-terminated, in out. */
struct notify_str number_text(char out[NUMBER_TEXT_MAX + 1], int64_t value);

#endif
