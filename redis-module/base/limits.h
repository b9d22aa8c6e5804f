/* limits -- how much clients may put into one value.
 *
 * They are for clients only. What a primary, an AOF or a payload brings has been accepted by some
 * server whose limits were others, and is carried out: wherever a limit is reached the core asks
 * limits_are_lifted() before it refuses. What remains are bounds of the data structures (_BOUND),
 * far behind the limits; nothing can be done beyond them.
 *
 * Each may be set when compiling, as the tests do to build a module that has hardly any room. */
#ifndef LIMITS_H
#define LIMITS_H

#include <stdbool.h>

#ifndef LIMIT_CATEGORIES
#define LIMIT_CATEGORIES 4096 /* names of categories in one box */
#endif

/* Whether the limits do not hold for what is done just now. */
bool limits_are_lifted(void);

/* Who knows that. Without one they always hold. To be set once. */
void limits_set_judge(bool (*are_lifted)(void));

#endif
