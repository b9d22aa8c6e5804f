/* number -- numbers as text. */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdint.h>

#include "notify_str.h"

#define NUMBER_TEXT_MAX 20 /* "-9223372036854775808" */

/* A constant in a message, which so tells what holds: "at most " TEXT_OF(NAMES_MAX) " names". */
#define TEXT_OF(constant) TEXT_OF_WORD(constant)
#define TEXT_OF_WORD(word) #word

/* How many there are, as somebody says it who need not be right: none at least, and no more than so
 * many that 2^20 of them can be added up. */
#define NUMBER_COUNT_MAX (INT64_C(1) << 42)
int64_t number_count(int64_t value);

/* In decimal, NUL-terminated, in out. */
struct notify_str number_text(char out[NUMBER_TEXT_MAX + 1], int64_t value);

#endif
